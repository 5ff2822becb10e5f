/* SPDX-License-Identifier: MIT */
/*
 * run: see run.h. This file: the arguments of `portkeeper run`, which become those of
 * portkeeperd, and the descriptors that were inherited.
 */
#include "config.h"

#include "client/run.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "client/command.h"
#include "protocol/error.h"
#include "protocol/notify-message.h"

/* The first number of the protocol of sd_listen_fds(3). */
#define RUN_LISTEN_FDS_START 3
#define RUN_LISTEN_FDS_MAX 65535
enum run_option {
	OPTION_WAIT = 256,
	OPTION_LOG_FORMAT,
};

/* clang-format off */
static const struct option run_table[] = {
	{ "listen",     required_argument, NULL, 'l' },
	{ "name",       required_argument, NULL, 'n' },
	{ "property",   required_argument, NULL, 'p' },
	{ "verbose",    no_argument,       NULL, 'v' },
	{ "quiet",      no_argument,       NULL, 'q' },
	{ "wait",       required_argument, NULL, OPTION_WAIT },
	{ "log-format", required_argument, NULL, OPTION_LOG_FORMAT },
	{ "help",       no_argument,       NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

struct run_arguments {
	char **strings; /* NULL-terminated; they and the array are owned */
	size_t n;
	size_t room;
	const char *name;
	const char *log_format;
	int log_level;
};

static int
run_add(struct run_arguments *arguments, const char *format, const char *value)
{
	char *text = NULL;

	if (arguments->n + 1 >= arguments->room) {
		size_t room = 2 * arguments->room + 16;
		char **grown = reallocarray(arguments->strings, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		arguments->strings = grown;
		arguments->room = room;
	}
	if (asprintf(&text, "%s%s", format, value) < 0)
		return -ENOMEM;
	arguments->strings[arguments->n++] = text;
	arguments->strings[arguments->n] = NULL;
	return 0;
}

/* ---- inherited descriptors */

static int
run_inherit(struct run_settings *settings, int number)
{
	char name[32];
	int fd = fcntl(number, F_DUPFD_CLOEXEC, RUN_LISTEN_FDS_START);

	if (fd < 0)
		return -errno;
	/* portkeeperd gets it by its name; under its number it would leak down to the
	 * program */
	(void)fcntl(number, F_SETFD, FD_CLOEXEC);
	(void)snprintf(name, sizeof(name), "fd%d", number);
	return run_store_add_consume(&settings->store, name, fd);
}

/* -l fd:N: kept under that name; portkeeperd says what is wrong with any other text. */
static int
run_listen(
	struct run_settings *settings, struct run_arguments *arguments, const char *text)
{
	char *end;
	long number;

	if (strncmp(text, "fd:", 3) == 0) {
		number = strtol(text + 3, &end, 10);
		if (end > text + 3 && (*end == '\0' || *end == ':') &&
			number >= RUN_LISTEN_FDS_START && number <= INT_MAX)
			(void)run_inherit(settings, (int)number);
	}
	return run_add(arguments, "--listen=", text);
}

/*
 * Started by socket activation itself, `run` passes on what it got, with the names:
 * sd_listen_fds(3). LISTEN_PID says whether the descriptors are meant for this process.
 */
static int
run_take_activation(struct run_settings *settings, struct run_arguments *arguments)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	PK_FREE char *copy = names ? strdup(names) : NULL;
	char *rest = copy;
	long n;
	int r = 0;

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return 0;
	n = strtol(fds, NULL, 10);
	for (int i = 0; i < n && i < RUN_LISTEN_FDS_MAX && r >= 0; i++) {
		const char *name = rest ? strsep(&rest, ":") : NULL;
		char text[NOTIFY_FD_NAME_MAX + 32];

		(void)snprintf(text, sizeof(text), "fd:%d%s%s", RUN_LISTEN_FDS_START + i,
			name && notify_message_fd_name_is_valid(name) ? ":" : "",
			name && notify_message_fd_name_is_valid(name) ? name : "");
		r = run_listen(settings, arguments, text);
		(void)pk_close(RUN_LISTEN_FDS_START + i);
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

/* ---- arguments */

static int
run_take_option(struct run_settings *settings, struct run_arguments *arguments, int code)
{
	switch (code) {
	case 'l':
		return run_listen(settings, arguments, optarg);
	case 'n':
		arguments->name = optarg;
		return 0;
	case 'p':
		return run_add(arguments, "--property=", optarg);
	case 'v':
		arguments->log_level = 7;
		return 0;
	case 'q':
		arguments->log_level = 4;
		settings->is_quiet = true;
		return 0;
	case OPTION_WAIT:
		return run_add(arguments, "--wait=", optarg);
	case OPTION_LOG_FORMAT:
		arguments->log_format = optarg;
		settings->is_json = strcmp(optarg, "json") == 0;
		return run_add(arguments, "--log-format=", optarg);
	default:
		return -EINVAL;
	}
}

static const char *
run_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The name is part of log lines, of LISTEN_FDNAMES and, later, of file names. */
static bool
run_name_is_valid(const char *name)
{
	return notify_message_fd_name_is_valid(name) && !strchr(name, '/') &&
		name[0] != '.' && strlen(name) < 128;
}

static int
run_finish_arguments(
	struct run_settings *settings, struct run_arguments *arguments, char **words)
{
	char number[16];
	int r = 0;

	(void)snprintf(number, sizeof(number), "%d", arguments->log_level);
	if (arguments->log_level != 6)
		r = run_add(arguments, "--log-level=", number);
	if (r >= 0 && settings->has_terminal) {
		(void)snprintf(number, sizeof(number), "%d", (int)getpgrp());
		r = run_add(arguments, "--process-group=", number);
	}
	if (r >= 0)
		r = run_add(arguments, "--name=", arguments->name);
	if (r >= 0)
		r = run_add(arguments, "--", "");
	for (; *words && r >= 0; words++)
		r = run_add(arguments, "", *words);
	return r;
}

/* portkeeperd lies beside this program (a build folder), or where it was installed. */
static const char *
run_find_daemon(char *path, size_t size)
{
	static const char installed[] = SBINDIR "/portkeeperd";
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash && (size_t)(slash - path) + sizeof("/portkeeperd") < size) {
			(void)strcpy(slash, "/portkeeperd");
			if (access(path, X_OK) == 0)
				return path;
		}
	}
	return installed;
}

static bool
run_has_terminal(void)
{
	PK_CLOSE int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd >= 0;
}

static int
run_parse(struct run_settings *settings, struct run_arguments *arguments,
	const struct command *command, int argc, char **argv)
{
	int code, r = 0;

	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, "+:hl:n:p:vq", run_table, NULL)) != -1) {
		if (code == 'h') {
			command_print_help(command);
			return 1;
		}
		if (code == ':' || code == '?') {
			(void)command_usage_error(command,
				code == ':' ? "'%s' needs an argument"
					    : "unknown option '%s'",
				argv[optind - 1]);
			return -EINVAL;
		}
		r = run_take_option(settings, arguments, code);
		if (r < 0)
			return r;
	}
	if (optind >= argc) {
		(void)command_usage_error(command,
			"no command to run; write it behind two dashes: -- ./app");
		return -EINVAL;
	}
	if (!arguments->name)
		arguments->name = run_base_name(argv[optind]);
	if (!run_name_is_valid(arguments->name)) {
		(void)command_usage_error(command,
			"bad name '%s': -n takes up to 127 printable characters "
			"without blank, colon or slash",
			arguments->name);
		return -EINVAL;
	}
	r = run_take_activation(settings, arguments);
	return r < 0 ? r : run_finish_arguments(settings, arguments, argv + optind);
}

/* Where one of 0, 1 and 2 is closed, a socket would get its number, and what is said. */
static void
run_fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null",
			O_RDWR); /* no O_CLOEXEC: portkeeperd needs it as well */
	while (fd >= 0 && fd <= STDERR_FILENO);
	(void)pk_close(fd);
}

static int
run_main(const struct command *command, int argc, char **argv)
{
	struct run_arguments arguments = { .log_level = 6 };
	struct run_settings settings = { .has_terminal = run_has_terminal() };
	char path[PATH_MAX];
	int r, status = RUN_EXIT_FAILED;

	run_fill_standard_fds();
	r = run_add(&arguments, "", "portkeeperd");
	if (r >= 0)
		r = run_parse(&settings, &arguments, command, argc, argv);
	if (r == 0) {
		settings.daemon_path = run_find_daemon(path, sizeof(path));
		settings.daemon_argv = arguments.strings;
		status = run_manager_main(&settings);
	} else if (r > 0) {
		status = 0;
	} else if (r != -EINVAL) {
		(void)fprintf(stderr, "portkeeper run: cannot read the arguments: %s\n",
			strerror(-r));
	}
	for (size_t i = 0; i < arguments.n; i++)
		free(arguments.strings[i]);
	free(arguments.strings);
	run_store_done(&settings.store);
	return status;
}

/* clang-format off: the text is laid out for a terminal */
const struct command command_run = {
	.name = "run",
	.arguments = "[-l ADDRESS]... [OPTION]... -- COMMAND [ARGUMENT]...",
	.summary = "hold ports, hand them to a command, and restart it when it fails",
	.options =
		"  -l, --listen=ADDRESS       hold this: PORT, ADDRESS:PORT, [ADDRESS]:PORT, udp:...,\n"
		"                             /path, @name, unix-dgram:..., unix-seqpacket:..., fd:N\n"
		"  -n, --name=NAME            name of the service (default: the command's)\n"
		"  -p, --property=NAME=VALUE  a directive of portkeeper.unit(5), as Restart=always\n"
		"      --wait=SECONDS         wait so long for a port that is taken\n"
		"  -v, --verbose              say more\n"
		"  -q, --quiet                say only what went wrong\n"
		"      --log-format=FORMAT    text, json or journal (default: auto)\n"
		"  -h, --help                 show this\n\n"
		"The command gets the sockets by socket activation: LISTEN_FDS, from descriptor 3\n"
		"up. The exit status is the command's (128+N when signal N ended it), or 125, 126,\n"
		"127 as with env(1).\n",
	.run = run_main,
};
/* clang-format on */
