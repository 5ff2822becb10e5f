/* SPDX-License-Identifier: MIT */
/*
 * command-line: words and quotes as systemd.service(5), COMMAND LINES, reads them, and
 * the search for a command in PATH.
 */
#pragma once

#include <stddef.h>

#include "base/spec.h"
#include "protocol/error.h"

/*
 * Splits `text` at blanks; '...' and "..." keep blanks, a backslash starts a C escape.
 * Returns a NULL-terminated array that the caller frees with command_line_free_words(),
 * or -EINVAL with `err` filled, or -ENOMEM.
 */
int command_line_split(const char *text, char ***ret_words, struct error *err);
char **command_line_free_words(char **words);

/*
 * Finds the file that `name` means: with a slash it is taken as it is, else PATH is
 * searched. Returns 0 and a path that the caller frees, -ENOENT (no such command) or
 * -EACCES (found, but not executable, a folder included), with `err` filled and a hint
 * where there is one.
 */
int command_line_resolve(const char *name, char **ret_path, struct error *err);

/*
 * A command of ExecStop= and its siblings: an optional "-" (failure is ignored), then
 * words. The command must be found now. Returns 0, or as the two functions above.
 */
int command_line_parse(
	const char *text, struct exec_command *ret_command, struct error *err);
