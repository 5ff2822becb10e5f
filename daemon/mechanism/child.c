/* SPDX-License-Identifier: MIT */
/* child: see child.h. */
#include "mechanism/child.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "protocol/cleanup.h"

#define CHILD_BUCKETS 256 /* a power of two */

LIST_HEAD(child_list, child);

struct child {
	LIST_ENTRY(child) entry;
	pid_t pid;
	int pidfd;
	child_exit_fn on_exit;
	void *context;
};

struct child_table {
	struct child_list buckets[CHILD_BUCKETS];
	child_orphan_fn on_orphan;
	void *context;
};

static struct child_list *
child_bucket(struct child_table *table, pid_t pid)
{
	return &table->buckets[(unsigned)pid % CHILD_BUCKETS];
}

static struct child *
child_find(const struct child_table *table, pid_t pid)
{
	struct child *child;

	LIST_FOREACH(child, &table->buckets[(unsigned)pid % CHILD_BUCKETS], entry)
	if (child->pid == pid)
		return child;
	return NULL;
}

int
child_table_new(child_orphan_fn on_orphan, void *context, struct child_table **ret_table)
{
	struct child_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->on_orphan = on_orphan;
	table->context = context;
	*ret_table = table;
	return 0;
}

struct child_table *
child_table_free(struct child_table *table)
{
	free(table);
	return NULL;
}

void
child_table_reap(struct child_table *table)
{
	struct sys_exit exit;

	while (sys_wait_next(&exit) > 0) {
		struct child *child = child_find(table, exit.pid);

		if (child)
			child->on_exit(child, &exit, child->context);
		else
			table->on_orphan(exit.pid, table->context);
	}
}

bool
child_table_has(const struct child_table *table, pid_t pid)
{
	return child_find(table, pid) != NULL;
}

int
child_start(struct child_table *table, const struct sys_spawn *plan,
	child_exit_fn on_exit, void *context, struct child **ret_child,
	const char **ret_failed)
{
	struct child *child = calloc(1, sizeof(*child));
	int r;

	if (!child) {
		*ret_failed = "memory for a process";
		return -ENOMEM;
	}
	r = sys_spawn(plan, &child->pid, &child->pidfd, ret_failed);
	if (r < 0) {
		free(child);
		return r;
	}
	child->on_exit = on_exit;
	child->context = context;
	LIST_INSERT_HEAD(child_bucket(table, child->pid), child, entry);
	*ret_child = child;
	return 0;
}

struct child *
child_free(struct child *child)
{
	if (!child)
		return NULL;
	LIST_REMOVE(child, entry);
	(void)pk_close(child->pidfd);
	free(child);
	return NULL;
}

pid_t
child_pid(const struct child *child)
{
	return child->pid;
}

int
child_pidfd(const struct child *child)
{
	return child->pidfd;
}

int
child_signal(const struct child *child, int signal)
{
	return sys_pidfd_signal(child->pidfd, signal);
}
