/* SPDX-License-Identifier: MIT */
/* options: see options.h. */
#include "config.h"

#include "surface/options.h"

#include <getopt.h>
#include <string.h>

#include "config/command-line.h"
#include "config/unit-directives.h"
#include "config/unit.h"
#include "protocol/timespan.h"

enum options_code {
	OPTION_NAME = 256,
	OPTION_LISTEN,
	OPTION_PROPERTY,
	OPTION_WAIT,
	OPTION_PROCESS_GROUP,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
	OPTION_HELP,
	OPTION_VERSION,
};

/* clang-format off */
static const struct option options_table[] = {
	{ "name",          required_argument, NULL, OPTION_NAME },
	{ "listen",        required_argument, NULL, OPTION_LISTEN },
	{ "property",      required_argument, NULL, OPTION_PROPERTY },
	{ "wait",          required_argument, NULL, OPTION_WAIT },
	{ "process-group", required_argument, NULL, OPTION_PROCESS_GROUP },
	{ "log-format",    required_argument, NULL, OPTION_LOG_FORMAT },
	{ "log-level",     required_argument, NULL, OPTION_LOG_LEVEL },
	{ "help",          no_argument,       NULL, OPTION_HELP },
	{ "version",       no_argument,       NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

static const char options_help[] =
	"usage: portkeeperd --name=NAME [--listen=ADDRESS]... [--property=NAME=VALUE]...\n"
	"       -- COMMAND [ARGUMENT]...\n\n"
	"Holds the listening sockets of one service and runs it. It is started by\n"
	"'portkeeper run', which keeps the sockets when it dies: see portkeeperd(8).\n\n"
	"      --name=NAME            name of the service\n"
	"      --listen=ADDRESS       something to listen on, as in portkeeper-run(1)\n"
	"      --property=NAME=VALUE  a directive, as in portkeeper.unit(5)\n"
	"      --wait=SECONDS         wait so long for a port that is taken\n"
	"      --process-group=PGID   put the program into this process group\n"
	"      --log-format=FORMAT    auto, text, json or journal\n"
	"      --log-level=LEVEL      3 (errors) to 7 (everything)\n"
	"      --help, --version\n";

/* What holds for `portkeeper run` unless it is told otherwise: portkeeper-run(1). */
static const char *const options_run_defaults[][2] = {
	{ "Restart", "on-failure" },
	{ "RestartSec", "100ms" },
	{ "RestartSteps", "8" },
	{ "RestartMaxDelaySec", "5s" },
	{ "RestartRandomizedDelaySec", "infinity" },
};

/* Who sets RestartSec= gets that delay each time, without the growth of the defaults. */
static int
options_set_run_defaults(struct unit *unit, bool delay_is_given)
{
	size_t n = delay_is_given ? 1 : PK_ARRAY_SIZE(options_run_defaults);
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = directive_set(unit, options_run_defaults[i][0],
			options_run_defaults[i][1], NULL);
	unit->restart.delay_is_set = false;
	return r;
}

static int
options_property(struct unit *unit, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	char name[64];

	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
		(void)error_set(err, -EINVAL, "bad property '%.100s'", text);
		error_set_hint(err, "write -p Directive=Value, as in -p Restart=always");
		return -EINVAL;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	return directive_set(unit, name, equals + 1, err);
}

static int
options_log_format(const char *text, enum log_format *ret_format, struct error *err)
{
	static const char *const names[] = { [LOG_FORMAT_AUTO] = "auto",
		[LOG_FORMAT_TEXT] = "text",
		[LOG_FORMAT_JSON] = "json",
		[LOG_FORMAT_JOURNAL] = "journal" };

	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++)
		if (strcmp(names[i], text) == 0) {
			*ret_format = (enum log_format)i;
			return 0;
		}
	(void)error_set(err, -EINVAL, "unknown log format '%.40s'", text);
	error_set_hint(err, "--log-format takes auto, text, json or journal");
	return -EINVAL;
}

static int
options_take(int code, const char *argument, struct unit *unit,
	struct manager_options *options, struct error *err)
{
	switch ((enum options_code)code) {
	case OPTION_LISTEN:
		return unit_add_listen(unit, argument, SOCK_STREAM, err);
	case OPTION_PROPERTY:
		return options_property(unit, argument, err);
	case OPTION_WAIT:
		if (timespan_parse(argument, USEC_PER_SEC, &options->wait_usec) >= 0)
			return 0;
		(void)error_set(err, -EINVAL, "bad time '%.40s' for --wait", argument);
		error_set_hint(err, "write seconds, or a time like 500ms or 2min");
		return -EINVAL;
	case OPTION_PROCESS_GROUP:
		options->process_group = (pid_t)strtol(argument, NULL, 10);
		return 0;
	case OPTION_LOG_FORMAT:
		return options_log_format(argument, &options->log_format, err);
	case OPTION_LOG_LEVEL:
		options->log_level = (enum log_level)strtol(argument, NULL, 10);
		return 0;
	case OPTION_NAME:
	case OPTION_HELP:
	case OPTION_VERSION:
		return 0;
	}
	error_set_hint(err, "see portkeeperd --help");
	return error_set(err, -EINVAL, "unknown option");
}

/* What has to be known before the unit is made: its name, and whether RestartSec= is
 * given. */
static const char *
options_look_ahead(int argc, char **argv, bool *ret_delay_is_given)
{
	const char *name = NULL;
	int code;

	*ret_delay_is_given = false;
	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, "+", options_table, NULL)) != -1) {
		if (code == OPTION_NAME)
			name = optarg;
		if (code == OPTION_PROPERTY && strncmp(optarg, "RestartSec=", 11) == 0)
			*ret_delay_is_given = true;
	}
	return name;
}

static int
options_set_command(struct unit *unit, char **words, struct error *err)
{
	struct exec_command *command = &unit->exec.main;
	size_t n = 0;

	while (words[n])
		n++;
	command->argv = calloc(n + 1, sizeof(char *));
	for (size_t i = 0; command->argv && i < n; i++) {
		command->argv[i] = strdup(words[i]);
		if (!command->argv[i])
			return -ENOMEM;
	}
	if (!command->argv)
		return -ENOMEM;
	return command_line_resolve(words[0], &command->path, err);
}

static int
options_fill(int argc, char **argv, struct unit *unit, struct manager_options *options,
	struct error *err)
{
	int code, r = 0;

	optind = 0;
	while (r >= 0 && (code = getopt_long(argc, argv, "+", options_table, NULL)) != -1)
		r = options_take(code, optarg, unit, options, err);
	if (r >= 0)
		r = unit_finish(unit, err);
	if (r < 0)
		return r;
	if (optind >= argc) {
		(void)error_set(err, -EINVAL, "no command to run");
		error_set_hint(
			err, "write it behind two dashes: portkeeper run -- ./app");
		return -EINVAL;
	}
	return options_set_command(unit, argv + optind, err);
}

int
options_parse(int argc, char **argv, struct unit **ret_unit,
	struct manager_options *options, struct error *err)
{
	bool delay_is_given;
	const char *name = options_look_ahead(argc, argv, &delay_is_given);
	struct unit *unit;
	int r;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(options_help, stdout) < 0 ? -EIO : 1;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("portkeeperd " PACKAGE_VERSION) < 0 ? -EIO : 1;
	if (!name) {
		(void)error_set(err, -EINVAL, "--name is missing");
		error_set_hint(err, "portkeeperd is started by 'portkeeper run'");
		return -EINVAL;
	}
	r = unit_new(name, &unit);
	if (r < 0)
		return error_set_errno(err, r, "cannot make the unit");
	r = options_set_run_defaults(unit, delay_is_given);
	if (r >= 0)
		r = options_fill(argc, argv, unit, options, err);
	if (r < 0) {
		if (err->code == 0)
			(void)error_set_errno(err, r, "cannot read the arguments");
		(void)unit_free(unit);
		return r;
	}
	*ret_unit = unit;
	return 0;
}
