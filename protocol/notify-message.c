/* SPDX-License-Identifier: MIT */
/* notify-message: see notify-message.h. */
#include "protocol/notify-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool
notify_message_fd_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > NOTIFY_FD_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == ':' ||
			(unsigned char)name[i] >= 0x7f)
			return false;
	return true;
}

/* A shell's exit status, 0 to 255; -1 for anything else. */
static int
notify_message_parse_status(const char *value)
{
	int status = 0;

	if (*value == '\0' || strlen(value) > 3 ||
		value[strspn(value, "0123456789")] != '\0')
		return -1;
	for (; *value; value++)
		status = status * 10 + (*value - '0');
	return status <= 255 ? status : -1;
}

static void
notify_message_take_line(
	struct notify_message *message, const char *key, const char *value)
{
	bool one = strcmp(value, "1") == 0;

	if (strcmp(key, "READY") == 0)
		message->ready = one;
	else if (strcmp(key, "STOPPING") == 0)
		message->stopping = one;
	else if (strcmp(key, "FDSTORE") == 0)
		message->fd_store = one;
	else if (strcmp(key, "FDSTOREREMOVE") == 0)
		message->fd_store_remove = one;
	else if (strcmp(key, "BARRIER") == 0)
		message->barrier = one;
	else if (strcmp(key, "FDPOLL") == 0)
		message->fd_poll = strcmp(value, "0") != 0;
	else if (strcmp(key, "EXIT_STATUS") == 0)
		message->exit_status = notify_message_parse_status(value);
	else if (strcmp(key, "FDNAME") == 0 && notify_message_fd_name_is_valid(value))
		(void)snprintf(message->fd_name, sizeof(message->fd_name), "%s", value);
	else if (strcmp(key, "STATUS") == 0)
		(void)snprintf(message->status, sizeof(message->status), "%s", value);
}

int
notify_message_parse(const char *data, size_t size, struct notify_message *ret_message)
{
	struct notify_message message = { .fd_poll = true, .exit_status = -1 };
	char text[NOTIFY_MESSAGE_MAX + 1];
	char *line, *rest = text;

	if (size > NOTIFY_MESSAGE_MAX || memchr(data, '\0', size))
		return -EBADMSG;
	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		notify_message_take_line(&message, line, value);
	}
	*ret_message = message;
	return 0;
}
