/* SPDX-License-Identifier: MIT */
/*
 * nonblocking-output: writing to a standard stream that is shared with others, without
 * ever waiting for its reader and without O_NONBLOCK on the description that all of them
 * share.
 *
 * A pipe or terminal is opened once more through /proc/self/fd, which makes a description
 * of our own (proc_pid_fd(5)); a socket gets MSG_DONTWAIT with each message; a regular
 * file does not make anybody wait in that sense, and is duplicated, so that its offset
 * stays shared.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct nonblocking_output {
	int fd; /* owned; -1: everything is lost */
	bool is_socket;
};

/* Opens the way to `stream` (borrowed: 1 or 2). Cannot fail: see `fd`. */
struct nonblocking_output nonblocking_output_open(int stream);

/* Whether all of the `size` bytes went out; what did not is lost. */
bool nonblocking_output_write(
	const struct nonblocking_output *output, const char *data, size_t size);

void nonblocking_output_close(struct nonblocking_output *output);
