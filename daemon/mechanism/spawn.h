/* SPDX-License-Identifier: MIT */
/*
 * spawn: one command of a service becomes a process: its environment, its listeners by
 * the protocol of sd_listen_fds(3), its process group, its cgroup.
 */
#pragma once

#include <stddef.h>

#include "base/spec.h"
#include "mechanism/child.h"
#include "protocol/error.h"

struct spawn_request {
	const struct exec_spec *exec;
	const struct exec_command *command;
	const int *fds; /* listeners that are handed over; borrowed */
	const char *const *fd_names;
	size_t n_fds;
	const char *const *environment; /* what comes on top; NULL-terminated, or NULL */
	pid_t process_group;		/* as in struct sys_spawn */
	int cgroup_fd;			/* -1: none */
	const struct rlimit *nofile;	/* NULL: as ours */
};

/*
 * Starts the command. Returns 0 and the child; or -errno with `err` saying what failed:
 * -ENOENT, -EACCES, ... when it was execve(), -EAGAIN, -ENOMEM, ... when it was for want
 * of something.
 */
int spawn_command(struct child_table *table, const struct spawn_request *request,
	child_exit_fn on_exit, void *context, struct child **ret_child,
	struct error *err);

/* Whether `code` of spawn_command() means "the machine is short of something": try again.
 */
bool spawn_error_is_shortage(int code);
