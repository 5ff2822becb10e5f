/* SPDX-License-Identifier: MIT */
/* fuzz-notify-message: any datagram, in memory of exactly its size, as sd_notify(3) text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/notify-message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify_message message;
	char *copy = malloc(size ? size : 1);
	int r;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	r = notify_message_parse(copy, size, &message);
	free(copy);
	if (r < 0)
		return 0;
	if (size > NOTIFY_MESSAGE_MAX || memchr(data, '\0', size))
		abort();
	if (message.exit_status < -1 || message.exit_status > 255)
		abort();
	if (message.fd_name[0] && !notify_message_fd_name_is_valid(message.fd_name))
		abort();
	if (strnlen(message.status, sizeof(message.status)) == sizeof(message.status))
		abort();
	return 0;
}
