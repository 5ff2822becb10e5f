/* SPDX-License-Identifier: MIT */
/*
 * command: one verb of `portkeeper`. A verb is one file cmd-VERB.c with one such struct,
 * and one line in the table in main.c; help, completion and the manual test walk that
 * table.
 */
#pragma once

/* Exit statuses of every verb but `run`, whose own are in run.h. */
enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED =
		1, /* it could not be done, or something was found (see the verb) */
	COMMAND_USAGE = 2, /* the arguments make no sense */
};

struct command {
	const char *name;
	const char *arguments; /* as the usage line shows them: "[OPTION]... PORT" */
	const char *summary;   /* one line, imperative, no full stop */
	const char *options;   /* the option list of --help, ready to print */
	/* argv[0] is the verb; returns the exit status */
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_run;
extern const struct command command_inspect;
extern const struct command command_release;
extern const struct command command_doctor;

/* Prints usage, summary and options of `command` to standard output. */
void command_print_help(const struct command *command);

/* Says "try 'portkeeper VERB --help'" on standard error, after a message; returns
 * COMMAND_USAGE. */
int command_usage_error(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
