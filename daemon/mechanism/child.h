/* SPDX-License-Identifier: MIT */
/*
 * child: the processes that portkeeperd started, and the reaping of all children, known
 * or not (portkeeperd is a subreaper: what its services leave behind becomes its own).
 *
 * A child is known by its pidfd; its number is used for what people read and to recognise
 * whom the kernel reports, while it is not reaped and the number therefore its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/sys.h"

struct child;
struct child_table;

/* The child has ended and is reaped; `exit` holds during the call. The callee frees
 * `child`. */
typedef void (*child_exit_fn)(
	struct child *child, const struct sys_exit *exit, void *context);

/* Some process that nobody here started has been reaped: a service's tree got smaller. */
typedef void (*child_orphan_fn)(pid_t pid, void *context);

int child_table_new(
	child_orphan_fn on_orphan, void *context, struct child_table **ret_table);
/* All children must have been freed before. */
struct child_table *child_table_free(struct child_table *table);

/* Reaps all that have ended, with their callbacks. To be called at each SIGCHLD. */
void child_table_reap(struct child_table *table);

/* Whether `pid` is one of the processes that were started here and still run. */
bool child_table_has(const struct child_table *table, pid_t pid);

/* Starts what `plan` describes. Errors as sys_spawn(), or -ENOMEM with nothing started.
 */
int child_start(struct child_table *table, const struct sys_spawn *plan,
	child_exit_fn on_exit, void *context, struct child **ret_child,
	const char **ret_failed);

/* Forgets the child; it is not ended. */
struct child *child_free(struct child *child);

pid_t child_pid(const struct child *child);
int child_pidfd(const struct child *child); /* borrowed */

/* Sends a signal. Returns 0, -ESRCH when it has ended already, or -errno. */
int child_signal(const struct child *child, int signal);
