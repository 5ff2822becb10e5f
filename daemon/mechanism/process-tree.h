/* SPDX-License-Identifier: MIT */
/*
 * process-tree: the processes below some roots, found by asking each for its children.
 *
 * portkeeperd and its manager are subreapers, so whatever a service forked, and however
 * it tried to get away, hangs below one of the two. A walk sees one moment; who wants a
 * tree gone walks, signals, and walks again when something was reaped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum process_tree_choice {
	PROCESS_TREE_TAKE, /* signals and counts it, and goes on below it */
	PROCESS_TREE_PASS, /* only goes on below it */
	PROCESS_TREE_SKIP, /* leaves it out with all below it */
};

typedef enum process_tree_choice (*process_tree_choose_fn)(pid_t pid, void *context);

/*
 * Sends `signal` (0: only counts) to every process below `root` that `choose` takes
 * (NULL: all), but not to `root` itself. Returns how many they are, those included that
 * could not be signalled (a zombie counts until it is reaped); or -errno when the first
 * level cannot be read.
 */
ssize_t process_tree_signal(
	pid_t root, int signal, process_tree_choose_fn choose, void *context);
