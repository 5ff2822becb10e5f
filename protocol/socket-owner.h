/* SPDX-License-Identifier: MIT */
/*
 * socket-owner: which processes hold a socket, found by its inode in /proc/PID/fd.
 *
 * One scan of /proc answers for many inodes. A process may look into its own user's
 * processes only, unless it has CAP_SYS_PTRACE (proc_pid_fd(5)): what could not be looked
 * into is counted, so that a caller can say "run as root to see it". A socket may have
 * several owners (a parent and its workers), and one entry stands for each process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/sock-diag.h"

#define SOCKET_OWNER_COMM_MAX 32
#define SOCKET_OWNER_UNIT_MAX 128

struct socket_owner {
	uint32_t inode;
	pid_t pid;
	int fd; /* its number in that process, the lowest one */
	uid_t uid;
	char comm[SOCKET_OWNER_COMM_MAX];
	/* "nginx.service", "session-3.scope"; "" where the cgroup has no such name */
	char unit[SOCKET_OWNER_UNIT_MAX];
	/* "docker 0123456789ab", "machine web", "pod 1234…"; "" outside of containers */
	char container[SOCKET_OWNER_UNIT_MAX];
	bool other_netns; /* its network namespace is not the caller's */
};

struct socket_owner_list {
	struct socket_owner *owners; /* sorted by inode, then pid */
	size_t n_owners;
	size_t n_hidden; /* processes whose descriptors may not be seen */
};

/*
 * Finds the owners of `n_inodes` inodes (0 among them is passed over). Returns 0 and a
 * list for socket_owner_list_done(), or -errno. Processes that end meanwhile are left
 * out.
 */
int socket_owner_find(
	const uint32_t *inodes, size_t n_inodes, struct socket_owner_list *ret_list);

/* The same for the sockets of a sock_diag list. */
int socket_owner_find_all(
	const struct sock_diag_list *sockets, struct socket_owner_list *ret_list);
void socket_owner_list_done(struct socket_owner_list *list);

/* The first owner of `inode` in the list, and how many there are; NULL if there is none.
 */
const struct socket_owner *socket_owner_of(
	const struct socket_owner_list *list, uint32_t inode, size_t *ret_n_owners);

/*
 * Of those owners the one to name: the program itself before a supervisor that only keeps
 * the socket for it. `ret_holder` (may be NULL) becomes that supervisor, or NULL:
 * portkeeperd, the manager `portkeeper run`, or systemd as PID 1. NULL if nobody holds
 * the socket.
 */
const struct socket_owner *socket_owner_to_name(const struct socket_owner_list *list,
	uint32_t inode, const struct socket_owner **ret_holder, size_t *ret_n_owners);

/* All that is known of process `pid` but inode and fd. Returns 0, or -ESRCH. */
int socket_owner_describe(pid_t pid, struct socket_owner *ret_owner);

/*
 * Asks the socket itself for SO_REUSEADDR, SO_REUSEPORT and IPV6_V6ONLY, through a
 * duplicate made with pidfd_getfd(2) and closed at once, and sets them in `socket`. Needs
 * the right to ptrace the owner (Linux 5.6). Returns 0, -ESTALE: the number holds another
 * socket by now, or -errno (-EPERM, -ENOSYS); then `socket` is unchanged.
 */
int socket_owner_read_options(
	const struct socket_owner *owner, struct sock_diag_socket *socket);

/* Does that for the sockets that have an owner, but for no more than 1024 connections. */
void socket_owner_read_all_options(
	const struct socket_owner_list *owners, struct sock_diag_list *sockets);

/*
 * Reads unit and container out of one line of /proc/PID/cgroup
 * ("0::/system.slice/x.service"). Each buffer has SOCKET_OWNER_UNIT_MAX bytes and is set
 * to "" when nothing is found.
 */
void socket_owner_parse_cgroup(const char *line, char *ret_unit, char *ret_container);
