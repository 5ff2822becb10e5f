/* SPDX-License-Identifier: MIT */
/*
 * cmd-doctor: walks a table of checks over the machine and, if one is named, a port. The
 * exit status is 1 if one of them says that something must be done. The manual page has a
 * paragraph for each id, and a test holds the two together.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/command.h"
#include "client/doctor.h"
#include "client/output.h"
#include "protocol/cleanup.h"
#include "protocol/timespan.h"

#define IP_SYSCTL "Documentation/networking/ip-sysctl.rst, "

/* clang-format off */
const struct doctor_check doctor_checks[] = {
	{
		.id = "ephemeral-range", .needs_port = true, .run = doctor_check_ephemeral_range,
		.why = "the kernel gives ports of that range to outgoing connections; one that gets "
		       "this port first keeps the service from starting",
		.source = "ip(7), ip_local_port_range; " IP_SYSCTL "ip_local_reserved_ports",
	}, {
		.id = "outgoing-use", .needs_port = true, .run = doctor_check_outgoing_use,
		.why = "neither SO_REUSEADDR nor waiting helps against a connection that lives",
		.source = "bind(2), EADDRINUSE; ip(7), ip_local_port_range",
	}, {
		.id = "self-connect", .needs_port = true, .run = doctor_check_self_connect,
		.why = "a client that retries while nobody listens can get its own target as source "
		       "port and meet itself (simultaneous open); then it owns the port",
		.source = "RFC 9293, 3.5, simultaneous open",
	}, {
		.id = "privileged-port", .needs_port = true, .run = doctor_check_privileged_port,
		.why = "bind() fails with EACCES without CAP_NET_BIND_SERVICE",
		.source = "ip(7), ip_unprivileged_port_start; capabilities(7)",
	}, {
		.id = "shared-traffic", .needs_port = true, .run = doctor_check_shared_traffic,
		.why = "connections go to the more specific address, and are spread over the "
		       "listeners that share one",
		.source = "socket(7), SO_REUSEPORT and SO_REUSEADDR",
	}, {
		.id = "held", .needs_port = true, .run = doctor_check_held,
		.why = "a listening socket lives as long as one process holds it",
		.source = "portkeeper-run(1)",
	}, {
		.id = "accept-queue", .needs_port = true, .run = doctor_check_accept_queue,
		.why = "clients of a full queue are not answered and try again after 1, 3, 7 s",
		.source = "listen(2), NOTES",
	}, {
		.id = "backlog", .needs_port = true, .run = doctor_check_backlog,
		.why = "while the program restarts, the queue must take all who come meanwhile: "
		       "arrival rate times restart time",
		.source = "listen(2); systemd.socket(5), Backlog=",
	}, {
		.id = "somaxconn", .run = doctor_check_somaxconn,
		.why = "listen() cuts every backlog to it, silently",
		.source = "listen(2), NOTES; " IP_SYSCTL "somaxconn",
	}, {
		.id = "overflows", .run = doctor_check_overflows,
		.why = "each one is a client whose connection a full accept queue has dropped",
		.source = "Documentation/networking/snmp_counter.rst, TcpExtListenOverflows",
	}, {
		.id = "tw-reuse", .run = doctor_check_tw_reuse,
		.why = "it lets connect() take the place of a TIME_WAIT socket; it does nothing for a "
		       "server whose port is in TIME_WAIT",
		.source = IP_SYSCTL "tcp_tw_reuse",
	}, {
		.id = "tw-recycle", .run = doctor_check_tw_recycle,
		.why = "it broke clients behind NAT and was removed in Linux 4.12; advice to set it is "
		       "out of date",
		.source = "tcp(7), tcp_tw_recycle",
	}, {
		.id = "fin-timeout", .run = doctor_check_fin_timeout,
		.why = "it bounds FIN_WAIT_2 of connections without a process; TIME_WAIT is a constant "
		       "of 60 s",
		.source = IP_SYSCTL "tcp_fin_timeout",
	}, {
		.id = "abort-on-overflow", .run = doctor_check_abort_on_overflow,
		.why = "a burst that a full queue would only delay becomes errors at the clients",
		.source = IP_SYSCTL "tcp_abort_on_overflow",
	}, {
		.id = "max-tw-buckets", .run = doctor_check_max_tw_buckets,
		.why = "a TIME_WAIT socket that is dropped early no longer guards its port against old "
		       "segments",
		.source = IP_SYSCTL "tcp_max_tw_buckets",
	}, {
		.id = "limits", .run = doctor_check_limits,
		.why = "a supervisor needs file descriptors for what it holds, and a service "
		       "processes",
		.source = "getrlimit(2), RLIMIT_NOFILE; systemd.resource-control(5), TasksMax=",
	}, {
		.id = "seccomp-notify", .run = doctor_check_seccomp_notify,
		.why = "'portkeeper run' answers a program's own bind() with it",
		.source = "seccomp_unotify(2)",
	}, {
		.id = "pidfd-getfd", .run = doctor_check_pidfd_getfd,
		.why = "'portkeeper run' adopts the listener that a program has made itself with it",
		.source = "pidfd_getfd(2)",
	}, {
		.id = "ptrace-scope", .run = doctor_check_ptrace_scope,
		.why = "adopting a listener and reading a bind() need the right to ptrace",
		.source = "ptrace(2), /proc/sys/kernel/yama/ptrace_scope",
	}, {
		.id = "pidfd-info", .run = doctor_check_pidfd_info,
		.why = "after portkeeperd itself was replaced, it learns with it how a program ended",
		.source = "include/uapi/linux/pidfd.h, PIDFD_GET_INFO",
	}, {
		.id = "sock-destroy", .run = doctor_check_sock_destroy,
		.why = "'portkeeper release' ends TIME_WAIT and other sockets with it",
		.source = "sock_diag(7); CONFIG_INET_DIAG_DESTROY",
	},
};
/* clang-format on */
const size_t doctor_n_checks = PK_ARRAY_SIZE(doctor_checks);

struct doctor_options {
	bool fix;
	bool json;
	bool verbose;
	const char *root;
	uint64_t backlog;
	uint64_t rate;
	bool has_rate;
	uint64_t restart_usec;
	uint64_t sample_usec;
};

/* ---- printing */

static const char *const doctor_marks[DOCTOR_STATUS_MAX] = { "✓", "!", "✗", "-" };
static const char *const doctor_words[DOCTOR_STATUS_MAX] = { "ok", "note", "bad",
	"unknown" };
static const enum output_style doctor_styles[DOCTOR_STATUS_MAX] = { OUTPUT_GOOD,
	OUTPUT_WARNING, OUTPUT_BAD, OUTPUT_DIM };

static void
doctor_print(const struct doctor_check *check, const struct doctor_result *result,
	bool verbose)
{
	(void)printf("%s%s%s %-18s %s\n", output_style(doctor_styles[result->status]),
		doctor_marks[result->status], output_style(OUTPUT_PLAIN), check->id,
		result->value);
	if (!verbose && (result->status == DOCTOR_OK || result->status == DOCTOR_UNKNOWN))
		return;
	(void)printf("    why  %s\n", check->why);
	if (result->todo[0])
		(void)printf("    do   %s%s%s\n", output_style(OUTPUT_BOLD), result->todo,
			output_style(OUTPUT_PLAIN));
	(void)printf("    see  %s\n", check->source);
}

static json_t *
doctor_json(const struct doctor_check *check, const struct doctor_result *result)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", check->id, "status",
		doctor_words[result->status], "value", result->value, "why", check->why,
		"todo", result->todo, "source", check->source);
}

/* Runs the checks that concern a port, or those that do not; counts the bad ones. */
static void
doctor_walk(const struct doctor *doctor, const struct doctor_options *options,
	bool port_checks, json_t *results, size_t counts[DOCTOR_STATUS_MAX])
{
	for (size_t i = 0; i < doctor_n_checks; i++) {
		const struct doctor_check *check = &doctor_checks[i];
		struct doctor_result result = { .status = DOCTOR_UNKNOWN };
		/* With a port, the listener's own backlog counts. */
		bool is_port_check =
			check->needs_port || check->run == doctor_check_somaxconn;

		if (doctor->target ? is_port_check != port_checks : check->needs_port)
			continue;
		check->run(doctor, &result);
		counts[result.status]++;
		if (options->json)
			(void)json_array_append_new(results, doctor_json(check, &result));
		else
			doctor_print(check, &result, options->verbose);
	}
}

/* ---- the verb */

static void
doctor_sample(struct doctor *doctor, const struct doctor_options *options)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(options->sample_usec / USEC_PER_SEC),
		.tv_nsec = (long)(options->sample_usec % USEC_PER_SEC) * 1000,
	};

	doctor->before = doctor_read_counters();
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	doctor->after = doctor_read_counters();
	doctor->sample_usec = options->sample_usec;
	if (options->has_rate) {
		doctor->rate = (double)options->rate;
	} else if (doctor->before.known && doctor->after.known && options->sample_usec) {
		doctor->rate = (double)(doctor->after.passive_opens -
				       doctor->before.passive_opens) *
			(double)USEC_PER_SEC / (double)options->sample_usec;
		doctor->rate_measured = true;
	}
}

/* Fixes and checks one port. Returns 0 or -errno after printing the error. */
static int
doctor_one_port(struct doctor *doctor, const struct port_target *target,
	const struct doctor_options *options, json_t *results,
	size_t counts[DOCTOR_STATUS_MAX])
{
	struct port_view view __attribute__((cleanup(port_view_cleanup))) = { 0 };
	uint16_t port = socket_address_port(&target->address);
	struct error err = ERROR_NONE;
	int r = 0;

	if (options->fix)
		r = doctor_reserve_port(port, options->json, &err);
	if (r == 0)
		r = port_view_load(&view, target, &err);
	if (r < 0) {
		output_error(&err);
		return r;
	}
	doctor->target = target;
	doctor->view = &view;
	if (!options->json)
		(void)printf("%sPort %u%s\n", output_style(OUTPUT_BOLD), port,
			output_style(OUTPUT_PLAIN));
	doctor_walk(doctor, options, true, results, counts);
	doctor->view = NULL;
	if (!options->json)
		(void)putchar('\n');
	return 0;
}

static int
doctor_finish(const struct doctor_options *options, json_t *results,
	const size_t counts[DOCTOR_STATUS_MAX])
{
	bool bad = counts[DOCTOR_BAD] > 0;
	int status = bad ? COMMAND_FAILED : COMMAND_OK;

	if (options->json) {
		if (output_json_consume(json_pack(
			    "{s:b, s:o}", "action_needed", bad, "checks", results)) < 0)
			status = COMMAND_FAILED;
	} else if (bad) {
		(void)printf("\n%zu thing%s must be done (✗), %zu worth knowing (!).\n",
			counts[DOCTOR_BAD], counts[DOCTOR_BAD] == 1 ? "" : "s",
			counts[DOCTOR_NOTE]);
	} else {
		(void)printf("\nNothing must be done; %zu worth knowing (!).\n",
			counts[DOCTOR_NOTE]);
	}
	return output_finish(status);
}

static int
doctor_all(const struct port_target_list *targets, const struct doctor_options *options)
{
	json_t *results = options->json ? json_array() : NULL;
	size_t counts[DOCTOR_STATUS_MAX] = { 0 };
	struct doctor doctor = {
		.root = options->root,
		.backlog = options->backlog,
		.rate = -1,
		.restart_usec = options->restart_usec,
	};

	doctor_sample(&doctor, options);
	for (size_t i = 0; i < targets->n_targets; i++) {
		if (doctor_one_port(&doctor, &targets->targets[i], options, results,
			    counts) < 0) {
			json_decref(results);
			return output_finish(COMMAND_FAILED);
		}
	}
	if (!options->json)
		(void)printf("%sThis machine%s\n", output_style(OUTPUT_BOLD),
			output_style(OUTPUT_PLAIN));
	doctor_walk(&doctor, options, false, results, counts);
	return doctor_finish(options, results, counts);
}

static bool
doctor_parse_count(const char *text, uint64_t *ret_count)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > 9 || text[length])
		return false;
	*ret_count = strtoull(text, NULL, 10);
	return true;
}

static int
doctor_parse_option(const struct command *command, int c, struct doctor_options *options)
{
	switch (c) {
	case 'f':
		options->fix = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case 'R':
		options->root = optarg;
		return 0;
	case 'b':
		if (!doctor_parse_count(optarg, &options->backlog))
			return command_usage_error(command,
				"--backlog=%s is no number of connections", optarg);
		return 0;
	case 'r':
		options->has_rate = doctor_parse_count(optarg, &options->rate);
		if (!options->has_rate)
			return command_usage_error(command,
				"--rate=%s is no number of connections a second", optarg);
		return 0;
	case 't':
		if (timespan_parse(optarg, USEC_PER_SEC, &options->restart_usec) < 0)
			return command_usage_error(command,
				"--restart=%s is no time, such as '400ms'", optarg);
		return 0;
	case 's':
		if (timespan_parse(optarg, USEC_PER_SEC, &options->sample_usec) < 0 ||
			options->sample_usec > 3600 * USEC_PER_SEC)
			return command_usage_error(
				command, "--sample=%s is no time up to 1 h", optarg);
		return 0;
	case 'c':
		if (output_set_color(optarg) < 0)
			return command_usage_error(
				command, "--color=%s: say auto, always or never", optarg);
		return 0;
	default:
		return 0;
	}
}

static int
doctor_run(const struct command *command, int argc, char **argv)
{
	/* clang-format off */
	static const struct option long_options[] = {
		{ "fix",     no_argument,       NULL, 'f' },
		{ "verbose", no_argument,       NULL, 'v' },
		{ "json",    no_argument,       NULL, 'j' },
		{ "backlog", required_argument, NULL, 'b' },
		{ "rate",    required_argument, NULL, 'r' },
		{ "restart", required_argument, NULL, 't' },
		{ "sample",  required_argument, NULL, 's' },
		{ "root",    required_argument, NULL, 'R' },
		{ "color",   required_argument, NULL, 'c' },
		{ "help",    no_argument,       NULL, 'h' },
		{ 0 },
	};
	/* clang-format on */
	struct doctor_options options = {
		.root = "",
		.restart_usec = USEC_PER_SEC,
		.sample_usec = 500 * USEC_PER_MSEC,
	};
	struct port_target_list targets = { .n_targets = 0 };
	struct error err = ERROR_NONE;
	int c;
	int r;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "fvjh", long_options, NULL)) != -1) {
		if (c == 'h') {
			command_print_help(command);
			return COMMAND_OK;
		}
		if (c == '?')
			return command_usage_error(command,
				"unknown or incomplete option '%s'", argv[optind - 1]);
		r = doctor_parse_option(command, c, &options);
		if (r)
			return r;
	}
	if (argc - optind > 1)
		return command_usage_error(
			command, "doctor takes one PORT or NAME at the most");
	if (options.fix && (optind == argc || options.root[0]))
		return command_usage_error(command, "--fix needs a PORT, and no --root");
	if (optind < argc && port_targets_find(argv[optind], &targets, &err) < 0) {
		output_error(&err);
		return err.code == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
	}
	return doctor_all(&targets, &options);
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[OPTION]... [PORT|ADDRESS:PORT|NAME]",
	.summary = "check this machine, and a port, for what makes ports get lost",
	.options = "  -f, --fix            reserve the port: no outgoing connection gets "
		   "it any more\n"
		   "  -v, --verbose        say why and where it stands for the good "
		   "ones, too\n"
		   "      --backlog=N      the backlog that the service asks for\n"
		   "      --rate=N         connections a second (measured otherwise)\n"
		   "      --restart=TIME   how long a restart takes (1 s otherwise)\n"
		   "      --sample=TIME    how long to watch the counters (500 ms "
		   "otherwise)\n"
		   "      --root=DIR       read /etc and /proc/sys below DIR\n"
		   "  -j, --json           print JSON\n"
		   "      --color=WHEN     auto (the default), always, never\n"
		   "  -h, --help           show this help\n",
	.run = doctor_run,
};
