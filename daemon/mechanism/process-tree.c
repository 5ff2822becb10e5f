/* SPDX-License-Identifier: MIT */
/* process-tree: see process-tree.h. */
#include "mechanism/process-tree.h"

#include <errno.h>
#include <stdlib.h>

#include "base/sys.h"
#include "protocol/cleanup.h"

/* Deeper than that is a chain of processes made to trouble us; the walk goes on when its
 * top dies. */
#define PROCESS_TREE_DEPTH_MAX 64
#define PROCESS_TREE_FIRST_ROOM 64

/* All children of `parent`, in an array that the caller frees. */
static ssize_t
process_tree_children(pid_t parent, pid_t **ret_children)
{
	size_t room = PROCESS_TREE_FIRST_ROOM;
	pid_t *children = NULL;

	for (;;) {
		pid_t *grown = reallocarray(children, room, sizeof(*children));
		ssize_t n;

		if (!grown) {
			free(children);
			return -ENOMEM;
		}
		children = grown;
		n = sys_children(parent, children, room);
		if (n < 0) {
			free(children);
			return n;
		}
		if ((size_t)n <= room) {
			*ret_children = children;
			return n;
		}
		room = (size_t)n + PROCESS_TREE_FIRST_ROOM;
	}
}

static ssize_t
process_tree_walk(pid_t parent, int signal, process_tree_choose_fn choose, void *context,
	unsigned depth)
{
	PK_FREE pid_t *children = NULL;
	ssize_t n = process_tree_children(parent, &children), count = 0;

	if (n < 0)
		return n;
	for (ssize_t i = 0; i < n; i++) {
		enum process_tree_choice choice =
			choose ? choose(children[i], context) : PROCESS_TREE_TAKE;
		ssize_t below = 0;

		if (choice == PROCESS_TREE_SKIP)
			continue;
		/* from the leaves up: a parent that dies first would scatter its children
		 */
		if (depth < PROCESS_TREE_DEPTH_MAX)
			below = process_tree_walk(
				children[i], signal, choose, context, depth + 1);
		count += below > 0 ? below : 0;
		if (choice == PROCESS_TREE_PASS)
			continue;
		if (signal != 0)
			(void)sys_signal_child(children[i], parent, signal);
		count++;
	}
	return count;
}

ssize_t
process_tree_signal(pid_t root, int signal, process_tree_choose_fn choose, void *context)
{
	return process_tree_walk(root, signal, choose, context, 0);
}
