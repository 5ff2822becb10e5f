/* SPDX-License-Identifier: MIT */
/*
 * log: what portkeeperd tells people and log collectors: one line an event.
 *
 * Three formats: text for a terminal or a file, one JSON object a line, and the journal's
 * own protocol with fields. Writing never blocks the loop: what the reader does not take
 * at once is dropped and counted, and the next line that gets through says how many were
 * lost.
 *
 * Mechanisms and protocol code return errors and do not log; policy and surface log,
 * once.
 */
#pragma once

#include <stdint.h>

#include "protocol/error.h"

enum log_level { /* the numbers of syslog(3), as in journald's PRIORITY= */
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_format {
	LOG_FORMAT_AUTO, /* the journal if standard error is connected to it, else text */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JOURNAL,
};

struct log;

/*
 * Opens the log on standard error, reopened non-blocking where that is possible. Lines
 * above `most` are left out. Returns 0, -ENOMEM.
 */
int log_new(enum log_format format, enum log_level most, struct log **ret_log);
struct log *log_free(struct log *log);

/* One line about `service` (NULL: about portkeeperd itself). `log` may be NULL: then
 * nothing. */
void log_line(struct log *log, enum log_level level, const char *service,
	const char *format, ...) PK_PRINTF(4, 5);

/* The error's text, and its hint as a second sentence. */
void log_error_object(struct log *log, enum log_level level, const char *service,
	const struct error *err);
