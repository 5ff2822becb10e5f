/* SPDX-License-Identifier: MIT */
/*
 * sys: the system calls that make, watch and end processes. Everything above calls these
 * instead of the kernel, so that tests put tests/unit/fake-sys.c in their place and let
 * processes die over simulated hours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What a child does between its birth and execve(); all pointers are borrowed. */
struct sys_spawn {
	const char *path;
	char *const *argv;
	char *const *envp;
	const char *working_directory; /* NULL: as the parent's */
	mode_t umask;		       /* (mode_t)-1: as the parent's */
	pid_t process_group;	       /* joins it; 0: a session of its own (setsid) */
	const int *listen_fds;	       /* become 3, 4, ... */
	size_t n_listen_fds;
	char *listen_pid_text; /* "LISTEN_PID=" in envp, 32 bytes: the child adds its pid
				*/
	char *listen_pidfdid_text;   /* "LISTEN_PIDFDID=", 48 bytes, likewise; emptied if
					unknown */
	int cgroup_fd;		     /* cgroup.procs of the child's cgroup, or -1 */
	const struct rlimit *nofile; /* RLIMIT_NOFILE, or NULL: as the parent's */
};

/*
 * Starts a process. Returns 0, its pid, and a pidfd that the caller owns; or -errno of
 * what failed, execve() included: then *ret_failed says what it was ("execve", ...) and
 * there is no child any more.
 */
int sys_spawn(const struct sys_spawn *plan, pid_t *ret_pid, int *ret_pidfd,
	const char **ret_failed);

struct sys_exit {
	pid_t pid;
	bool by_signal;
	int status; /* exit status or signal number */
	bool core_dumped;
};

/* Reaps one child that has ended. Returns 1 and fills *ret_exit, or 0 if there is none.
 */
int sys_wait_next(struct sys_exit *ret_exit);

/* pidfd_send_signal(2) and pidfd_open(2): 0 or a descriptor, or -errno. */
int sys_pidfd_signal(int pidfd, int signal);
int sys_pidfd_open(pid_t pid);

/*
 * The children of all threads of `parent`, in no order: up to `max` of them. Returns how
 * many there are (may be more than `max`), or -errno. A process that ends meanwhile may
 * be left out, and so may its neighbours (proc_tid_children(5)): ask until nothing
 * changes.
 */
ssize_t sys_children(pid_t parent, pid_t *children, size_t max);

/*
 * Sends `signal` to `pid` only while `parent` is its parent, so that a number that has
 * passed to another process meanwhile is left alone. Returns 0, -ESRCH, or -errno.
 */
int sys_signal_child(pid_t pid, pid_t parent, int signal);
