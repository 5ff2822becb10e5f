/* SPDX-License-Identifier: MIT */
/*
 * unit-parsers: from the text of a directive's value to the field it fills. One function
 * per kind of value; all have the signature of struct directive's `parse`, write only the
 * field at the directive's offset, and leave it as it was when the value is bad.
 */
#pragma once

#include "config/unit-directives.h"

#define UNIT_PARSER(name) \
	int name(const struct directive *directive, const char *value, \
		struct unit *unit, struct error *err)

UNIT_PARSER(unit_parse_boolean);       /* bool */
UNIT_PARSER(unit_parse_tristate);      /* int: 0, 1 */
UNIT_PARSER(unit_parse_enum);	       /* int, by directive->names */
UNIT_PARSER(unit_parse_integer);       /* int, at least directive->argument */
UNIT_PARSER(unit_parse_unsigned);      /* unsigned */
UNIT_PARSER(unit_parse_size);	       /* int, with K, M, G to base 1024 */
UNIT_PARSER(unit_parse_usec);	       /* uint64_t; a bare number is seconds */
UNIT_PARSER(unit_parse_seconds);       /* int, whole seconds, rounded up */
UNIT_PARSER(unit_parse_milliseconds);  /* int, rounded up */
UNIT_PARSER(unit_parse_restart_sec);   /* RestartSec=: notes that it was set */
UNIT_PARSER(unit_parse_immediate);     /* RestartImmediate=: notes that it was set */
UNIT_PARSER(unit_parse_string);	       /* char *, owned; "" empties it */
UNIT_PARSER(unit_parse_fd_name);       /* char *, owned */
UNIT_PARSER(unit_parse_absolute_path); /* char *, owned */
UNIT_PARSER(unit_parse_mode);	       /* mode_t, octal */
UNIT_PARSER(unit_parse_user);	       /* uid_t */
UNIT_PARSER(unit_parse_group);	       /* gid_t */
UNIT_PARSER(unit_parse_signal);	       /* int */
UNIT_PARSER(unit_parse_exit_set);      /* struct exit_set; "" empties it */
UNIT_PARSER(unit_parse_listen);	       /* adds a listener of type directive->argument */
UNIT_PARSER(unit_parse_commands);      /* struct exec_command *, count behind it */
UNIT_PARSER(unit_parse_environment);   /* char **, adds; "" empties it */
UNIT_PARSER(unit_parse_socket_protocol);
UNIT_PARSER(unit_parse_linger);
UNIT_PARSER(unit_parse_ip_tos);
