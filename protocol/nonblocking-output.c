/* SPDX-License-Identifier: MIT */
/* nonblocking-output: see nonblocking-output.h. */
#include "protocol/nonblocking-output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "protocol/cleanup.h"

struct nonblocking_output
nonblocking_output_open(int stream)
{
	struct nonblocking_output output = { .fd = -1 };
	char path[32];
	struct stat st;

	if (fstat(stream, &st) < 0)
		return output;
	output.is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", stream);
		output.fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	}
	/* it may belong to another user, or /proc may be missing: better to wait than to
	 * be mute */
	if (output.fd < 0)
		output.fd = fcntl(stream, F_DUPFD_CLOEXEC, 3);
	return output;
}

bool
nonblocking_output_write(
	const struct nonblocking_output *output, const char *data, size_t size)
{
	ssize_t n;

	if (output->is_socket)
		n = send(output->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(output->fd, data, size);
	return n == (ssize_t)size;
}

void
nonblocking_output_close(struct nonblocking_output *output)
{
	output->fd = pk_close(output->fd);
}
