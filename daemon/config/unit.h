/* SPDX-License-Identifier: MIT */
/*
 * unit: what a user wants of one service: its listeners, its commands, and the rules for
 * restarting and stopping it. Values only: no file descriptor, no process.
 *
 * A unit is filled by directives (unit-directives.h), today from the command line of
 * `portkeeper run` (unit-run.h).
 */
#pragma once

#include <stddef.h>

#include "base/spec.h"
#include "protocol/error.h"

struct unit {
	char *name;
	char *description;
	struct listen_spec *listens;
	size_t n_listens;
	struct socket_options socket;
	struct exec_spec exec;
	struct restart_spec restart;
	struct kill_spec kill;
};

/* Makes an empty unit with every directive at its default. Returns 0 or -ENOMEM. */
int unit_new(const char *name, struct unit **ret_unit);
struct unit *unit_free(struct unit *unit);

/* Adds a listener; `text` is what the user wrote. Returns 0, -ENOMEM, or -EINVAL with
 * `err`. */
int unit_add_listen(struct unit *unit, const char *text, int type, struct error *err);

/*
 * What only the finished unit can tell: fills defaults that depend on other directives,
 * and refuses contradictions. Returns 0 or -EINVAL with `err` filled.
 */
int unit_finish(struct unit *unit, struct error *err);

/* Frees the commands of a list and leaves it empty. */
void unit_clear_commands(struct exec_command **commands, size_t *n_commands);
