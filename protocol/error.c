/* SPDX-License-Identifier: MIT */
/* error: see error.h. */
#include "protocol/error.h"

#include <stdarg.h>
#include <string.h>

int
error_set(struct error *err, int code, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return code;
	err->code = code;
	err->hint[0] = '\0';
	va_start(arguments, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
	return code;
}

int
error_set_errno(struct error *err, int code, const char *format, ...)
{
	char what[ERROR_TEXT_MAX];
	va_list arguments;

	if (!err)
		return code;
	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(
		err, code, "%.*s: %s", ERROR_TEXT_MAX - 128, what, strerror(-code));
}

void
error_set_hint(struct error *err, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	(void)vsnprintf(err->hint, sizeof(err->hint), format, arguments);
	va_end(arguments);
}

int
error_prefix(struct error *err, const char *format, ...)
{
	char prefix[ERROR_TEXT_MAX / 2];
	char text[ERROR_TEXT_MAX];
	va_list arguments;

	if (!err)
		return 0;
	va_start(arguments, format);
	(void)vsnprintf(prefix, sizeof(prefix), format, arguments);
	va_end(arguments);
	(void)snprintf(text, sizeof(text), "%s: %.*s", prefix,
		(int)(sizeof(text) - sizeof(prefix) - 2), err->text);
	memcpy(err->text, text, sizeof(text));
	return err->code;
}
