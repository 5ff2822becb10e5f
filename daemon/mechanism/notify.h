/* SPDX-License-Identifier: MIT */
/*
 * notify: messages to the service manager (sd_notify(3)): systemd, or `portkeeper run`.
 *
 * libsystemd's sender waits while the manager's queue is full; this one does not. What
 * does not fit is kept, with its descriptors, in the order in which it was sent, until
 * the manager reads again.
 */
#pragma once

#include <stddef.h>

#include "protocol/error.h"

struct loop;
struct notify;

typedef void (*notify_barrier_fn)(void *context);

/*
 * Opens the way to the manager at `address` ($NOTIFY_SOCKET: a path or @name). NULL means
 * that there is none: then sending does nothing and succeeds, and barriers pass at once.
 * Returns 0, -ENOMEM, or -errno with `err` filled.
 */
int notify_new(struct loop *loop, const char *address, struct notify **ret_notify,
	struct error *err);

/* Tries once more to send what is kept, then lets go of it. */
struct notify *notify_free(struct notify *notify);

/*
 * Sends `text` with copies of `fds` (borrowed). Returns 0 when it is sent or kept;
 * -ENOMEM, -EMFILE when it can be neither.
 */
int notify_send(struct notify *notify, const char *text, const int *fds, size_t n_fds);

/*
 * BARRIER=1: calls back when the manager has read everything that was sent so far. One at
 * a time: -EBUSY while another one is under way; or -errno.
 */
int notify_barrier(struct notify *notify, notify_barrier_fn callback, void *context);
