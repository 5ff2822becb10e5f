/* SPDX-License-Identifier: MIT */
/*
 * error: a failure that a person will read.
 *
 * Functions return a negative errno; those whose failure a user must understand also fill
 * a struct error, once, where it happened: what was tried, on what, why it failed; and,
 * apart from it, what to do. Callers pass it on unchanged or prefix it with what they
 * were doing. It lives on the stack of whoever prints it, holds no memory, and a NULL
 * pointer is allowed wherever a caller does not care.
 */
#pragma once

#include "protocol/cleanup.h"

#define ERROR_TEXT_MAX 1024
#define ERROR_HINT_MAX 512

struct error {
	int code;		   /* negative errno, 0 while there is no error */
	char text[ERROR_TEXT_MAX]; /* one line, no full stop at its end */
	char hint[ERROR_HINT_MAX]; /* what to do about it; may be empty */
};

#define ERROR_NONE ((struct error){ .code = 0 })

/* Fills `err` (may be NULL) and returns `code`, so that a caller can `return
 * error_set(...)`. */
int error_set(struct error *err, int code, const char *format, ...) PK_PRINTF(3, 4);

/* Like error_set(), with ": " and the text of the errno at the end. */
int error_set_errno(struct error *err, int code, const char *format, ...) PK_PRINTF(3, 4);

/* Sets what the user can do about the error that `err` holds. */
void error_set_hint(struct error *err, const char *format, ...) PK_PRINTF(2, 3);

/* Puts "prefix: " before the text, and returns the error's code. */
int error_prefix(struct error *err, const char *format, ...) PK_PRINTF(2, 3);
