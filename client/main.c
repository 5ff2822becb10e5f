/* SPDX-License-Identifier: MIT */
/* portkeeper: finds the verb and calls it. */
#include "config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "client/command.h"
#include "protocol/cleanup.h"
#include "protocol/nearest-name.h"

static const struct command *const commands[] = {
	&command_run,
	&command_inspect,
	&command_release,
	&command_doctor,
};

static void
main_print_help(FILE *out)
{
	(void)fprintf(out,
		"usage: portkeeper COMMAND [OPTION]...\n\n"
		"Keeps listening ports open while the programs behind them crash and "
		"restart.\n\n");
	for (size_t i = 0; i < PK_ARRAY_SIZE(commands); i++)
		(void)fprintf(
			out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	(void)fprintf(out, "  %-10s %s\n  %-10s %s\n\n", "help",
		"show this list, or the options of one command", "version",
		"show the version");
	(void)fprintf(out,
		"'portkeeper COMMAND --help' shows its options; the manual is "
		"portkeeper(1).\n");
}

void
command_print_help(const struct command *command)
{
	(void)printf("usage: portkeeper %s %s\n\n%s.\n\n%s", command->name,
		command->arguments, command->summary, command->options);
}

int
command_usage_error(const struct command *command, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "portkeeper %s: ", command->name);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "\nTry 'portkeeper %s --help'.\n", command->name);
	return COMMAND_USAGE;
}

static const struct command *
main_find(const char *name)
{
	for (size_t i = 0; i < PK_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int
main_unknown(const char *name)
{
	const char *nearest = NULL;
	size_t distance = SIZE_MAX;

	for (size_t i = 0; i < PK_ARRAY_SIZE(commands); i++)
		nearest_name_offer(name, commands[i]->name, &nearest, &distance);
	(void)fprintf(stderr, "portkeeper: unknown command '%s'; ", name);
	if (nearest)
		(void)fprintf(stderr, "did you mean '%s'?\n", nearest);
	else
		(void)fprintf(stderr, "'portkeeper help' lists them all\n");
	return COMMAND_USAGE;
}

static int
main_help(const char *name)
{
	const struct command *command = name ? main_find(name) : NULL;

	if (name && !command)
		return main_unknown(name);
	if (command)
		command_print_help(command);
	else
		main_print_help(stdout);
	return COMMAND_OK;
}

int
main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		main_print_help(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
		strcmp(argv[1], "-h") == 0)
		return main_help(argc > 2 ? argv[2] : NULL);
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0)
		return puts("portkeeper " PACKAGE_VERSION) < 0 ? COMMAND_FAILED
							       : COMMAND_OK;
	command = main_find(argv[1]);
	if (!command)
		return main_unknown(argv[1]);
	return command->run(command, argc - 1, argv + 1);
}
