/* SPDX-License-Identifier: MIT */
/* fd-passing: see fd-passing.h. */
#include "protocol/fd-passing.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "protocol/cleanup.h"

int
fd_passing_send(int socket, const struct sockaddr *to, socklen_t to_length,
	const void *data, size_t size, const int *fds, size_t n_fds, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FD_PASSING_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr message = { .msg_name = (void *)(uintptr_t)to,
		.msg_namelen = to_length,
		.msg_iov = &part,
		.msg_iovlen = 1 };
	ssize_t sent;

	if (n_fds > FD_PASSING_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	do
		sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == size ? 0 : -EMSGSIZE;
}

/* Takes the descriptors of one SCM_RIGHTS header; those that do not fit are closed. */
static int
fd_passing_collect(struct cmsghdr *header, int *fds, size_t max_fds, size_t *n_fds)
{
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
		if (*n_fds < max_fds) {
			fds[(*n_fds)++] = fd;
		} else {
			(void)pk_close(fd);
			r = -EMSGSIZE;
		}
	}
	return r;
}

ssize_t
fd_passing_receive(int socket, void *data, size_t size, int *fds, size_t max_fds,
	size_t *ret_n_fds, struct ucred *ret_sender)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FD_PASSING_MAX * sizeof(int)) +
			CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = data, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct ucred sender = { .pid = 0 };
	size_t n_fds = 0;
	ssize_t received;
	int r = 0;

	do
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
		header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_RIGHTS) {
			if (fd_passing_collect(header, fds, max_fds, &n_fds) < 0)
				r = -EMSGSIZE;
		} else if (header->cmsg_type == SCM_CREDENTIALS &&
			header->cmsg_len == CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(header), sizeof(sender));
		}
	}
	if (ret_sender)
		*ret_sender = sender;
	/* MSG_CTRUNC also when the receiver ran out of descriptors: recvmsg(2) */
	if (r < 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		while (n_fds > 0)
			(void)pk_close(fds[--n_fds]);
		return -EMSGSIZE;
	}
	*ret_n_fds = n_fds;
	return received;
}
