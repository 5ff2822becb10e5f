/* SPDX-License-Identifier: MIT */
/*
 * store: the fd store of the service manager, where everything lies that must outlive
 * this process, and what came back out of it at start.
 *
 * Names are short and ours ("l0": listener 0, "main0": the pidfd of service 0's main
 * process); the order in which a manager hands them back means nothing.
 */
#pragma once

#include <stddef.h>

#include "protocol/error.h"

struct notify;
struct store;

/*
 * Takes over the descriptors that were handed to this process (LISTEN_FDS,
 * LISTEN_FDNAMES; both are removed from the environment), and puts later ones in by
 * `notify` (borrowed). Returns 0, -ENOMEM, or -errno with `err`.
 */
int store_new(struct notify *notify, struct store **ret_store, struct error *err);

/* Closes the inherited descriptors that nobody took. What is stored stays with the
 * manager. */
struct store *store_free(struct store *store);

/* The inherited descriptor `name`, which the caller owns from now on; -ENOENT if there is
 * none. */
int store_take(struct store *store, const char *name);

/*
 * Puts a descriptor back among the inherited ones, for another store_take(); it is
 * consumed. The manager's copy is not touched.
 */
void store_keep_consume(struct store *store, const char *name, int fd);

/* Stores a copy of `fd` (borrowed). Returns 0 or -errno; the manager's own limit is not
 * seen. */
int store_put(struct store *store, const char *name, int fd);

/* Tells the manager to let go of `name`; when it has is known by notify_barrier() only.
 */
int store_remove(struct store *store, const char *name);
