/* SPDX-License-Identifier: MIT */
/*
 * fd-passing: one message with its file descriptors over an AF_UNIX socket.
 *
 * Received descriptors are close-on-exec from birth. When a message or its descriptors do
 * not fit, everything that came with it is closed and the message is an error: a peer
 * that loses descriptors on the way cannot be talked to any more.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* SCM_MAX_FD of the kernel: more in one message is EINVAL there (unix(7)). */
#define FD_PASSING_MAX 253

/*
 * Sends `size` bytes with copies of `n_fds` descriptors (borrowed) over `socket`; `to`
 * may be NULL for a connected one. `flags` as sendmsg(2); MSG_NOSIGNAL is added. Returns
 * 0, or -errno; -EMSGSIZE when a stream took only a part.
 */
int fd_passing_send(int socket, const struct sockaddr *to, socklen_t to_length,
	const void *data, size_t size, const int *fds, size_t n_fds, int flags);

/*
 * Receives one message into `data`. Returns its size in bytes (0: end of a stream) and
 * gives the caller up to `max_fds` descriptors in `fds`, their number in *ret_n_fds, and
 * the sender's credentials, if `ret_sender` is given (pid 0: none came; SO_PASSCRED is
 * the caller's). Errors: -EMSGSIZE (too long, or too many descriptors: all closed; the
 * credentials are given all the same), -errno.
 */
ssize_t fd_passing_receive(int socket, void *data, size_t size, int *fds, size_t max_fds,
	size_t *ret_n_fds, struct ucred *ret_sender);
