/* SPDX-License-Identifier: MIT */
/*
 * unit-directives: the one table of what may stand in a unit. A row has the section, the
 * name, the parser, the place in struct unit, the default as a user would write it, and
 * what it means; the manual, `--help` and a test walk the same rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "protocol/error.h"

struct unit;

enum directive_section {
	SECTION_UNIT,
	SECTION_SOCKET,
	SECTION_SERVICE,
	SECTION_PORTKEEPER, /* [X-Portkeeper]: what systemd lacks */
	SECTION_MAX,
};

struct directive {
	const char *name;
	enum directive_section section;
	int (*parse)(const struct directive *directive, const char *value,
		struct unit *unit, struct error *err);
	size_t offset;	     /* of the field in struct unit */
	const char *initial; /* the default, in the directive's own syntax; NULL: none */
	const char *meaning; /* half a line for lists */
	int argument;	     /* for the parser: a socket type, the smallest number, ... */
	const char *const *names; /* for an enumeration: its values in order, then NULL */
};

/* The row with this name, or NULL. */
const struct directive *directive_find(const char *name);

/* Row number `i`, or NULL behind the last one. */
const struct directive *directive_at(size_t i);

const char *directive_section_name(enum directive_section section);

/*
 * Sets `name` to `value` in `unit`. An unknown name and a bad value are -EINVAL with
 * `err` filled (the hint has the nearest known name, or the allowed values); or -ENOMEM.
 */
int directive_set(
	struct unit *unit, const char *name, const char *value, struct error *err);
