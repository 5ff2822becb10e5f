/* SPDX-License-Identifier: MIT */
/*
 * cmd-release: ends what blocks a port, with SOCK_DESTROY for exactly the sockets that
 * were asked for, and verifies with a bind() that the port is free now.
 *
 * TIME_WAIT sockets go without a question: no process has them, and their connection is
 * over. Whatever a process or a peer would notice is shown first and needs a yes.
 * Listeners are left alone unless their process is named.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/output.h"
#include "client/port-view.h"
#include "client/release-select.h"
#include "protocol/cleanup.h"
#include "protocol/timespan.h"

#define RELEASE_LIST_MAX 10

struct release_options {
	struct release_wish wish;
	bool dry_run;
	bool yes;
	bool json;
};

/* One port being released. */
struct release {
	const struct release_options *options;
	const struct port_target *target;
	struct port_view view;
	const struct sock_diag_socket **chosen; /* point into the view */
	int *results;
	size_t n_chosen;
	size_t n_alive;
	size_t n_ended;
	size_t n_gone; /* ended by themselves meanwhile */
	size_t n_failed;
	int first_failure;
	bool bindable;
	bool held; /* not bindable because a living listener has the port */
	char reason[512];
};

/* ---- choosing */

static uint64_t
release_fin_timeout(void)
{
	PK_CLOSE int fd =
		open("/proc/sys/net/ipv4/tcp_fin_timeout", O_RDONLY | O_CLOEXEC);
	char text[32] = "60";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) <= 0)
		(void)snprintf(text, sizeof(text), "60");
	return strtoull(text, NULL, 10) * USEC_PER_SEC;
}

static int
release_choose(struct release *release)
{
	const struct sock_diag_list *sockets = &release->view.sockets;
	uint64_t fin_timeout_usec = release_fin_timeout();
	size_t n = sockets->n_sockets ? sockets->n_sockets : 1;

	release->chosen = calloc(n, sizeof(*release->chosen));
	release->results = calloc(n, sizeof(*release->results));
	if (!release->chosen || !release->results)
		return -ENOMEM;
	for (size_t i = 0; i < sockets->n_sockets; i++) {
		const struct sock_diag_socket *socket = &sockets->sockets[i];

		if (!release_wants(&release->options->wish, &release->view, socket,
			    fin_timeout_usec))
			continue;
		release->chosen[release->n_chosen++] = socket;
		release->n_alive += release_is_alive(socket);
	}
	return 0;
}

/* ---- showing */

static void
release_print_socket(const struct release *release, const struct sock_diag_socket *socket)
{
	char local[SOCK_DIAG_ENDPOINT_MAX];
	char remote[SOCK_DIAG_ENDPOINT_MAX];
	char owner[256];

	(void)sock_diag_format_endpoint(
		&socket->local, socket->local_port, local, sizeof(local));
	(void)sock_diag_format_endpoint(
		&socket->remote, socket->remote_port, remote, sizeof(remote));
	(void)bind_diagnosis_owner(socket, &release->view.owners, owner, sizeof(owner));
	(void)printf("  %s %s %s", sock_diag_protocol_name(socket->protocol),
		sock_diag_state_name(socket), local);
	if (socket->remote_port)
		(void)printf(" - %s", remote);
	if (socket->inode)
		(void)printf(", %s", owner);
	(void)putchar('\n');
}

/* How many of each state, then the living ones by name, as many as fit a screen. */
static void
release_print_preview(const struct release *release)
{
	size_t counts[SOCK_DIAG_STATE_MAX] = { 0 };
	size_t n_listed = 0;
	const char *separator = "";

	for (size_t i = 0; i < release->n_chosen; i++)
		counts[release->chosen[i]->state]++;
	(void)printf("%s %u: ", release->options->dry_run ? "Would end on port" : "Port",
		socket_address_port(&release->target->address));
	for (size_t i = 0; i < release->n_chosen; i++) {
		const struct sock_diag_socket *socket = release->chosen[i];

		if (!counts[socket->state])
			continue;
		(void)printf("%s%zu %s", separator, counts[socket->state],
			sock_diag_state_name(socket));
		counts[socket->state] = 0;
		separator = ", ";
	}
	(void)printf("%s\n", release->n_chosen ? "" : "nothing");
	for (size_t i = 0; i < release->n_chosen && n_listed < RELEASE_LIST_MAX; i++) {
		if (release_is_alive(release->chosen[i])) {
			release_print_socket(release, release->chosen[i]);
			n_listed++;
		}
	}
	if (release->n_alive > n_listed)
		(void)printf(
			"  and %zu more that are alive\n", release->n_alive - n_listed);
}

/* Whether to go on: nothing alive among them, --yes, or a person who says y. */
static int
release_confirm(const struct release *release)
{
	char answer[16] = "";
	struct error err = ERROR_NONE;

	if (release->n_alive == 0 || release->options->yes)
		return 0;
	if (release->options->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		error_set(&err, -ECANCELED,
			"nothing was ended on port %u: %zu of the %zu sockets are alive",
			socket_address_port(&release->target->address), release->n_alive,
			release->n_chosen);
		error_set_hint(
			&err, "look at them with --dry-run, and say --yes to cut them");
		output_error(&err);
		return err.code;
	}
	release_print_preview(release);
	(void)printf("Cut %zu living socket%s? Their data in flight is lost. [y/N] ",
		release->n_alive, release->n_alive == 1 ? "" : "s");
	(void)fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin) ||
		(answer[0] != 'y' && answer[0] != 'Y')) {
		(void)printf("Nothing was ended.\n");
		return -ECANCELED;
	}
	return 0;
}

/* ---- ending */

static int
release_end(struct release *release)
{
	int r = sock_diag_destroy_many(
		release->view.diag, release->chosen, release->n_chosen, release->results);

	for (size_t i = 0; i < release->n_chosen; i++) {
		if (release->results[i] == 0) {
			release->n_ended++;
		} else if (release->results[i] == -ENOENT) {
			release->n_gone++;
		} else {
			if (!release->n_failed)
				release->first_failure = release->results[i];
			release->n_failed++;
		}
	}
	return r;
}

/* Says what could not be ended, why, and what helps without that right. */
static void
release_explain_failure(const struct release *release)
{
	uint16_t port = socket_address_port(&release->target->address);
	struct error err = ERROR_NONE;

	if (release->first_failure == -EPERM) {
		error_set(&err, -EPERM,
			"cannot end %zu socket%s on port %u: that needs CAP_NET_ADMIN in "
			"this "
			"network namespace",
			release->n_failed, release->n_failed == 1 ? "" : "s", port);
		error_set_hint(&err,
			"'sudo portkeeper release %u'. Without that right: wait for them "
			"to go "
			"(inspect says how long), set SO_REUSEADDR in the program, or "
			"let "
			"'portkeeper run -l %u' hold the port, which no restart can lose",
			port, port);
	} else if (release->first_failure == -EOPNOTSUPP) {
		error_set(&err, -EOPNOTSUPP,
			"cannot end %zu socket%s on port %u: this kernel cannot do it "
			"(TIME_WAIT needs Linux 6.0, all need CONFIG_INET_DIAG_DESTROY)",
			release->n_failed, release->n_failed == 1 ? "" : "s", port);
		error_set_hint(&err,
			"wait for them to go (inspect says how long), set SO_REUSEADDR "
			"in the "
			"program, or let 'portkeeper run -l %u' hold the port",
			port);
	} else {
		error_set_errno(&err, release->first_failure,
			"cannot end %zu socket%s on port %u (netlink SOCK_DESTROY)",
			release->n_failed, release->n_failed == 1 ? "" : "s", port);
		error_set_hint(&err, "'portkeeper inspect %u' shows what is left", port);
	}
	output_error(&err);
}

/*
 * Binds: only that proves it, and it saves a second walk of the kernel's table. Where it
 * fails the table is looked at again, to say why. EACCES is about the right of who asks;
 * there the rule has to answer.
 */
static void
release_verify(struct release *release)
{
	struct port_view after __attribute__((cleanup(port_view_cleanup))) = { 0 };
	struct port_verdict verdict;
	struct error err = ERROR_NONE;
	int r = port_target_try(release->target);

	release->bindable = r == 0;
	if (r == 0)
		return;
	if (port_view_load(&after, release->target, &err) < 0) {
		(void)snprintf(
			release->reason, sizeof(release->reason), "%.500s", err.text);
		return;
	}
	port_verdict_ask(
		&after, release->target, release->target->address.type, &verdict);
	release->held = verdict.plain.n_blockers[BIND_BLOCKER_LISTENER] > 0;
	release->bindable = r == -EACCES && verdict.plain.verdict == BIND_POSSIBLE;
	if (verdict.plain.verdict == BIND_POSSIBLE)
		(void)snprintf(release->reason, sizeof(release->reason),
			"bind() says: %s", strerror(-r));
	else
		(void)snprintf(
			release->reason, sizeof(release->reason), "%s", verdict.reason);
}

static void
release_print_result(const struct release *release)
{
	uint16_t port = socket_address_port(&release->target->address);

	if (release->n_ended)
		(void)printf("Ended %zu socket%s on port %u.\n", release->n_ended,
			release->n_ended == 1 ? "" : "s", port);
	else if (release->n_chosen == 0)
		(void)printf("There is nothing of that kind to end on port %u.\n", port);
	if (release->n_gone)
		(void)printf("%zu went by themselves meanwhile.\n", release->n_gone);
	if (release->bindable)
		(void)printf(
			"%sA program can bind it now%s, with or without SO_REUSEADDR.\n",
			output_style(OUTPUT_GOOD), output_style(OUTPUT_PLAIN));
	else
		(void)printf("%sIt cannot be bound%s: %s.\n", output_style(OUTPUT_BAD),
			output_style(OUTPUT_PLAIN), release->reason);
}

/* What the user could say to get further. */
static void
release_print_way_on(const struct release *release)
{
	uint16_t port = socket_address_port(&release->target->address);

	if (release->bindable || release->n_failed)
		return;
	if (release->held)
		(void)printf("  A living listener is ended with its process, not here; "
			     "'--listener "
			     "NAME' insists.\n");
	else if (release->options->wish.states != RELEASE_STATES_CONNECTIONS)
		(void)printf("  'portkeeper release %u --all' takes the other "
			     "connections too.\n",
			port);
}

static json_t *
release_json(const struct release *release)
{
	json_t *sockets = json_array();

	for (size_t i = 0; i < release->n_chosen; i++) {
		const struct sock_diag_socket *socket = release->chosen[i];
		char local[SOCK_DIAG_ENDPOINT_MAX];
		char remote[SOCK_DIAG_ENDPOINT_MAX];
		int result = release->results[i];

		(void)sock_diag_format_endpoint(
			&socket->local, socket->local_port, local, sizeof(local));
		(void)sock_diag_format_endpoint(
			&socket->remote, socket->remote_port, remote, sizeof(remote));
		(void)json_array_append_new(sockets,
			json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "protocol",
				sock_diag_protocol_name(socket->protocol), "state",
				sock_diag_state_name(socket), "local", local, "remote",
				remote, "alive", release_is_alive(socket), "result",
				release->options->dry_run   ? "not tried"
					: result == 0	    ? "ended"
					: result == -ENOENT ? "gone"
							    : strerror(-result)));
	}
	return json_pack("{s:i, s:b, s:I, s:I, s:I, s:b, s:s, s:o}", "port",
		(int)socket_address_port(&release->target->address), "dry_run",
		release->options->dry_run, "ended", (json_int_t)release->n_ended, "gone",
		(json_int_t)release->n_gone, "failed", (json_int_t)release->n_failed,
		"bindable", release->bindable, "reason",
		release->bindable ? "" : release->reason, "sockets", sockets);
}

/* ---- the verb */

static void
release_done(struct release *release)
{
	free(release->chosen);
	free(release->results);
	port_view_done(&release->view);
}

static int
release_status(const struct release *release)
{
	if (release->n_failed)
		return COMMAND_FAILED;
	if (release->bindable || release->options->dry_run)
		return COMMAND_OK;
	/* Half-closed connections of a port that is held were ended: that was the wish.
	 */
	return release->held && release->n_ended ? COMMAND_OK : COMMAND_FAILED;
}

static int
release_one(struct release *release, json_t *results)
{
	struct error err = ERROR_NONE;
	int r = port_view_load(&release->view, release->target, &err);

	if (r < 0) {
		output_error(&err);
		return COMMAND_FAILED;
	}
	if (release_choose(release) < 0)
		return COMMAND_FAILED;
	if (release->options->dry_run) {
		if (!release->options->json)
			release_print_preview(release);
	} else {
		if (release_confirm(release) < 0)
			return COMMAND_FAILED;
		(void)release_end(release);
	}
	release_verify(release);
	if (release->options->json)
		(void)json_array_append_new(results, release_json(release));
	else if (!release->options->dry_run)
		release_print_result(release);
	if (release->n_failed)
		release_explain_failure(release);
	else if (!release->options->json && !release->options->dry_run)
		release_print_way_on(release);
	return release_status(release);
}

static int
release_all(const struct port_target_list *targets, const struct release_options *options)
{
	json_t *results = options->json ? json_array() : NULL;
	int status = COMMAND_OK;

	for (size_t i = 0; i < targets->n_targets; i++) {
		struct release release = { .options = options,
			.target = &targets->targets[i] };
		int one = release_one(&release, results);

		release_done(&release);
		if (one > status)
			status = one;
	}
	if (options->json && json_array_size(results) == 1) {
		json_t *only = json_incref(json_array_get(results, 0));

		json_decref(results);
		results = only;
	}
	if (options->json && json_is_array(results) && json_array_size(results) == 0)
		json_decref(results);
	else if (options->json && output_json_consume(results) < 0)
		status = COMMAND_FAILED;
	return output_finish(status);
}

static int
release_parse_option(
	const struct command *command, int c, struct release_options *options)
{
	struct release_wish *wish = &options->wish;
	char bad[32];

	switch (c) {
	case 's':
		if (release_parse_states(optarg, &wish->states, bad) < 0)
			return command_usage_error(command,
				"'%s' is no state of a connection (established, "
				"syn-sent, "
				"syn-recv, fin-wait-1, fin-wait-2, time-wait, "
				"close-wait, "
				"last-ack, closing)",
				bad);
		return 0;
	case 'o':
		if (timespan_parse(optarg, USEC_PER_SEC, &wish->older_than_usec) < 0)
			return command_usage_error(command,
				"--older-than=%s is no time, such as '30s' or '5min'",
				optarg);
		return 0;
	case 'p':
		if (release_parse_peer(optarg, wish) < 0)
			return command_usage_error(command,
				"--peer=%s is no address, such as 10.0.0.1, 10.0.0.1:80 "
				"or "
				"10.0.0.0/8",
				optarg);
		return 0;
	case 'a':
		wish->states = RELEASE_STATES_CONNECTIONS;
		return 0;
	case 'L':
		wish->listener = optarg;
		return 0;
	case 'n':
		options->dry_run = true;
		return 0;
	case 'y':
		options->yes = true;
		return 0;
	case 'j':
		options->json = true;
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
release_run(const struct command *command, int argc, char **argv)
{
	/* clang-format off */
	static const struct option long_options[] = {
		{ "state",      required_argument, NULL, 's' },
		{ "older-than", required_argument, NULL, 'o' },
		{ "peer",       required_argument, NULL, 'p' },
		{ "all",        no_argument,       NULL, 'a' },
		{ "listener",   required_argument, NULL, 'L' },
		{ "dry-run",    no_argument,       NULL, 'n' },
		{ "yes",        no_argument,       NULL, 'y' },
		{ "json",       no_argument,       NULL, 'j' },
		{ "color",      required_argument, NULL, 'c' },
		{ "help",       no_argument,       NULL, 'h' },
		{ 0 },
	};
	/* clang-format on */
	struct release_options options = { .wish.states = RELEASE_STATES_DEFAULT };
	struct port_target_list targets;
	struct error err = ERROR_NONE;
	int c;
	int r;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "s:anyjh", long_options, NULL)) != -1) {
		if (c == 'h') {
			command_print_help(command);
			return COMMAND_OK;
		}
		if (c == '?')
			return command_usage_error(command,
				"unknown or incomplete option '%s'", argv[optind - 1]);
		r = release_parse_option(command, c, &options);
		if (r)
			return r;
	}
	if (argc - optind != 1)
		return command_usage_error(
			command, "release takes one PORT, ADDRESS:PORT or NAME");
	if (port_targets_find(argv[optind], &targets, &err) < 0) {
		output_error(&err);
		return err.code == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
	}
	return release_all(&targets, &options);
}

const struct command command_release = {
	.name = "release",
	.arguments = "[OPTION]... PORT|ADDRESS:PORT|NAME",
	.summary = "end the sockets that block a port (TIME_WAIT, unless told otherwise)",
	.options = "  -s, --state=LIST      end connections in these states: time-wait, "
		   "fin-wait-2,\n"
		   "                        close-wait, last-ack, established, ...\n"
		   "  -a, --all             end connections in every state\n"
		   "      --older-than=TIME only those that old, or quiet for that long\n"
		   "      --peer=ADDRESS    only those to ADDRESS, ADDRESS:PORT or "
		   "NETWORK/BITS\n"
		   "      --listener=NAME   also the listening sockets of the process "
		   "NAME or pid\n"
		   "  -n, --dry-run         show what would be ended\n"
		   "  -y, --yes             do not ask before something alive is cut\n"
		   "  -j, --json            print JSON\n"
		   "      --color=WHEN      auto (the default), always, never\n"
		   "  -h, --help            show this help\n",
	.run = release_run,
};
