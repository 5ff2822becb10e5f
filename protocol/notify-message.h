/* SPDX-License-Identifier: MIT */
/*
 * notify-message: what a service tells its manager, as sd_notify(3) defines it: lines of
 * KEY=VALUE in one datagram, with file descriptors beside them.
 *
 * Only the text is here. The sender (daemon/mechanism/notify.c) and the receiver
 * (client/run-store.c) own the sockets and the descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Longer datagrams are refused; systemd's limit is the same (NOTIFY_BUFFER_MAX,
 * PIPE_BUF). */
#define NOTIFY_MESSAGE_MAX 4096

/* FDNAME=: at most 255 characters, none a control character or a colon (sd_notify(3)). */
#define NOTIFY_FD_NAME_MAX 255

struct notify_message {
	bool ready;
	bool stopping;
	bool fd_store;
	bool fd_store_remove;
	bool barrier;
	bool fd_poll;			      /* FDPOLL=, true when it is absent */
	int exit_status;		      /* EXIT_STATUS=, -1 when it is absent */
	char fd_name[NOTIFY_FD_NAME_MAX + 1]; /* "" when it is absent or not allowed */
	char status[256]; /* STATUS=, cut to fit; "" when it is absent */
};

/*
 * Reads a datagram of `size` bytes, which needs no NUL. Unknown keys are skipped, as the
 * protocol wants. Returns 0, or -EBADMSG for a message with a NUL inside or too long a
 * one.
 */
int notify_message_parse(
	const char *data, size_t size, struct notify_message *ret_message);

/* Whether `name` may stand in FDNAME=. */
bool notify_message_fd_name_is_valid(const char *name);
