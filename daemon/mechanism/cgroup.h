/* SPDX-License-Identifier: MIT */
/*
 * cgroup: a cgroup for one service, below our own, where the manager has delegated it to
 * us (Delegate=yes of systemd). It makes killing a tree one system call that no fork can
 * outrun: cgroup.kill (Linux 5.14; cgroups(7), cgroup-v2.rst of the kernel).
 *
 * Nothing but killing is done with it: no controller is enabled, so portkeeperd may stay
 * where it is (the rule against inner processes is about controllers).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cgroup;

/*
 * Makes, or finds, the cgroup of the service `name` whose manager is `manager`. Returns
 * 0; -ENOENT when there is no delegated cgroup v2 here; or -errno.
 */
int cgroup_open(const char *name, pid_t manager, struct cgroup **ret_cgroup);

/* Closes it, and removes it if it is empty. NULL is allowed here and below. */
struct cgroup *cgroup_free(struct cgroup *cgroup);

/* Where a child writes "0" to join it (borrowed), or -1. */
int cgroup_procs_fd(const struct cgroup *cgroup);

/* SIGKILL to all in it. Returns 0, -ENOENT without a cgroup, or -errno. */
int cgroup_kill(const struct cgroup *cgroup);
