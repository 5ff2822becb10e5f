/* SPDX-License-Identifier: MIT */
/*
 * cmd-inspect: who has this port? One sentence (can a program bind it now, and if not,
 * why and how long), then every socket on it, grouped by protocol, state, local address
 * and owner.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/command.h"
#include "client/output.h"
#include "client/port-view.h"
#include "protocol/cleanup.h"
#include "protocol/timespan.h"

#define INSPECT_PEERS_MAX 3

struct inspect_options {
	bool json;
	bool watch;
	uint64_t interval_usec;
};

/* Sockets that differ in nothing a reader would look for. */
struct inspect_group {
	const struct sock_diag_socket *first;
	const struct socket_owner *owner;
	size_t n_owners;
	size_t n_sockets;
	struct in6_addr peers[INSPECT_PEERS_MAX];
	size_t n_peers; /* those in `peers` */
	bool more_peers;
	uint32_t timer_min_msec;
	uint32_t timer_max_msec;
	uint32_t quiet_max_msec;
};

struct inspect_groups {
	struct inspect_group *groups;
	size_t n_groups;
};

/* ---- grouping */

static bool
inspect_same_group(const struct inspect_group *group,
	const struct sock_diag_socket *socket, const struct socket_owner *owner)
{
	const struct sock_diag_socket *first = group->first;

	if (first->protocol != socket->protocol || first->state != socket->state ||
		first->local_port != socket->local_port ||
		first->family != socket->family ||
		memcmp(&first->local, &socket->local, sizeof(first->local)) != 0)
		return false;
	if ((group->owner ? group->owner->pid : 0) != (owner ? owner->pid : 0))
		return false;
	/* Each listener has a queue of its own, and each UDP socket is one. */
	return socket->state != SOCK_DIAG_LISTEN && socket->state != SOCK_DIAG_CLOSE;
}

static void
inspect_group_add_peer(struct inspect_group *group, const struct in6_addr *peer)
{
	for (size_t i = 0; i < group->n_peers; i++) {
		if (memcmp(&group->peers[i], peer, sizeof(*peer)) == 0)
			return;
	}
	if (group->n_peers < INSPECT_PEERS_MAX)
		group->peers[group->n_peers++] = *peer;
	else
		group->more_peers = true;
}

static void
inspect_group_add(struct inspect_group *group, const struct sock_diag_socket *socket)
{
	if (group->n_sockets == 0 || socket->timer_msec < group->timer_min_msec)
		group->timer_min_msec = socket->timer_msec;
	if (socket->timer_msec > group->timer_max_msec)
		group->timer_max_msec = socket->timer_msec;
	if (socket->quiet_msec > group->quiet_max_msec)
		group->quiet_max_msec = socket->quiet_msec;
	if (socket->remote_port)
		inspect_group_add_peer(group, &socket->remote);
	group->n_sockets++;
}

static int
inspect_group_all(const struct port_view *view, struct inspect_groups *groups)
{
	*groups = (struct inspect_groups){ 0 };
	for (size_t i = 0; i < view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &view->sockets.sockets[i];
		size_t n_owners = 0;
		const struct socket_owner *owner =
			socket_owner_of(&view->owners, socket->inode, &n_owners);
		struct inspect_group *group = NULL;

		for (size_t k = groups->n_groups; k-- > 0 && !group;) {
			if (inspect_same_group(&groups->groups[k], socket, owner))
				group = &groups->groups[k];
		}
		if (!group) {
			struct inspect_group *grown = reallocarray(
				groups->groups, groups->n_groups + 1, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			groups->groups = grown;
			group = &grown[groups->n_groups++];
			*group = (struct inspect_group){
				.first = socket, .owner = owner, .n_owners = n_owners
			};
		}
		inspect_group_add(group, socket);
	}
	return 0;
}

static int
inspect_compare_groups(const void *a, const void *b)
{
	const struct inspect_group *x = a;
	const struct inspect_group *y = b;
	bool x_listens = x->first->state == SOCK_DIAG_LISTEN;
	bool y_listens = y->first->state == SOCK_DIAG_LISTEN;

	if (x_listens != y_listens)
		return x_listens ? -1 : 1;
	if (x->first->protocol != y->first->protocol)
		return x->first->protocol < y->first->protocol ? -1 : 1;
	return (x->first->state > y->first->state) - (x->first->state < y->first->state);
}

/* ---- words */

static void
inspect_describe_peers(const struct inspect_group *group, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < group->n_peers && used < size; i++) {
		char text[SOCK_DIAG_ENDPOINT_MAX];
		char *colon;

		(void)sock_diag_format_endpoint(&group->peers[i],
			group->n_sockets == 1 ? group->first->remote_port : 0, text,
			sizeof(text));
		colon = strrchr(text, ':');
		if (group->n_sockets > 1 && colon)
			*colon = '\0';
		used += (size_t)snprintf(
			buffer + used, size - used, "%s%s", i ? " " : "", text);
	}
	if (group->more_peers && used < size)
		(void)snprintf(buffer + used, size - used, " ...");
	if (!group->n_peers)
		(void)snprintf(buffer, size, "-");
}

static void __attribute__((format(printf, 3, 4)))
inspect_append(char *buffer, size_t size, const char *format, ...)
{
	size_t used = strlen(buffer);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(buffer + used, size - used, format, arguments);
	va_end(arguments);
}

static void
inspect_append_options(const struct sock_diag_socket *socket, char *buffer, size_t size)
{
	bool any_six =
		socket->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&socket->local);

	if (socket->reuse_address >= 0)
		inspect_append(buffer, size, ", %sSO_REUSEADDR",
			socket->reuse_address ? "" : "no ");
	if (socket->reuse_port == 1)
		inspect_append(buffer, size, ", SO_REUSEPORT");
	if (any_six && socket->v6only >= 0)
		inspect_append(
			buffer, size, ", IPv6 %s", socket->v6only ? "only" : "and IPv4");
	if (socket->ifindex)
		inspect_append(buffer, size, ", bound to an interface");
}

static void
inspect_append_timer(const struct inspect_group *group, char *buffer, size_t size)
{
	unsigned first = group->timer_min_msec / 1000;
	unsigned last = (unsigned)((group->timer_max_msec + UINT64_C(999)) / 1000);

	if (group->n_sockets == 1)
		inspect_append(buffer, size, ", gone in %u s", last);
	else
		inspect_append(buffer, size, ", the first gone in %u s, the last in %u s",
			first, last);
}

/* Each part begins with ", "; the caller passes over the first. */
static void
inspect_describe_details(const struct port_view *view, const struct inspect_group *group,
	char *buffer, size_t size)
{
	const struct sock_diag_socket *socket = group->first;
	char span[64];

	buffer[0] = '\0';
	if (socket->state == SOCK_DIAG_LISTEN)
		inspect_append(buffer, size, ", queue %u of %u%s", socket->receive_queue,
			socket->send_queue,
			socket->receive_queue > socket->send_queue ? " (full)" : "");
	if (sock_diag_is_self_connected(socket))
		inspect_append(buffer, size, ", connected to itself");
	else if (bind_diagnosis_is_outgoing(socket, &view->sockets, view->ephemeral))
		inspect_append(buffer, size, ", outgoing");
	if (sock_diag_is_kernel_only(socket))
		inspect_append_timer(group, buffer, size);
	if (socket->has_info && socket->state == SOCK_DIAG_CLOSE_WAIT)
		inspect_append(buffer, size, ", quiet for up to %s",
			timespan_format(group->quiet_max_msec * USEC_PER_MSEC, span,
				sizeof(span)));
	inspect_append_options(socket, buffer, size);
}

/* Who a socket belongs to: a name, a number, or "-" for one that only the kernel has. */
static void
inspect_describe_user(const struct sock_diag_socket *socket, char *buffer, size_t size)
{
	const struct passwd *user = socket->inode ? getpwuid(socket->uid) : NULL;

	if (user)
		(void)snprintf(buffer, size, "%s", user->pw_name);
	else if (socket->inode)
		(void)snprintf(buffer, size, "%u", (unsigned)socket->uid);
	else
		(void)snprintf(buffer, size, "-");
}

static const char *
inspect_describe_state(const struct sock_diag_socket *socket)
{
	if (socket->protocol != IPPROTO_UDP && socket->state == SOCK_DIAG_SYN_RECV)
		return "SYN_RECV (half-open)";
	if (socket->inode == 0 &&
		(socket->state == SOCK_DIAG_ESTABLISHED ||
			socket->state == SOCK_DIAG_CLOSE_WAIT))
		return socket->state == SOCK_DIAG_ESTABLISHED
			? "ESTABLISHED (not accepted)"
			: "CLOSE_WAIT (not accepted)";
	return sock_diag_state_name(socket);
}

static void
inspect_print_groups(const struct port_view *view, const struct inspect_groups *groups)
{
	static const char *const header[] = { "PROTO", "STATE", "COUNT", "LOCAL", "PEER",
		"USER", "OWNER", "DETAILS" };
	struct output_table table;

	output_table_init(&table, PK_ARRAY_SIZE(header));
	for (size_t i = 0; i < PK_ARRAY_SIZE(header); i++)
		(void)output_table_cell(&table, "%s", header[i]);
	for (size_t i = 0; i < groups->n_groups; i++) {
		const struct inspect_group *group = &groups->groups[i];
		const struct sock_diag_socket *socket = group->first;
		char text[512];

		(void)output_table_cell(
			&table, "%s", sock_diag_protocol_name(socket->protocol));
		(void)output_table_cell(&table, "%s", inspect_describe_state(socket));
		(void)output_table_cell(&table, "%zu", group->n_sockets);
		(void)output_table_cell(&table, "%s",
			sock_diag_format_endpoint(
				&socket->local, socket->local_port, text, sizeof(text)));
		inspect_describe_peers(group, text, sizeof(text));
		(void)output_table_cell(&table, "%s", text);
		inspect_describe_user(socket, text, sizeof(text));
		(void)output_table_cell(&table, "%s", text);
		(void)output_table_cell(&table, "%s",
			socket->inode == 0 ? "-"
					   : bind_diagnosis_owner(socket, &view->owners,
						     text, sizeof(text)));
		inspect_describe_details(view, group, text, sizeof(text));
		(void)output_table_cell(&table, "%s", text[0] ? text + 2 : "-");
	}
	output_table_print(&table);
	output_table_done(&table);
}

/* ---- JSON */

static json_t *
inspect_owner_json(const struct socket_owner *owner)
{
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:i, s:b}", "pid", (int)owner->pid,
		"comm", owner->comm, "uid", (int)owner->uid, "unit", owner->unit,
		"container", owner->container, "fd", owner->fd, "other_netns",
		owner->other_netns);
}

static json_t *
inspect_flag_json(int flag)
{
	return flag < 0 ? json_null() : json_boolean(flag);
}

static json_t *
inspect_socket_json(const struct port_view *view, const struct sock_diag_socket *socket)
{
	char local[SOCK_DIAG_ENDPOINT_MAX];
	char remote[SOCK_DIAG_ENDPOINT_MAX];
	size_t n = 0;
	const struct socket_owner *owner =
		socket_owner_of(&view->owners, socket->inode, &n);
	json_t *owners = json_array();
	json_t *object;

	(void)sock_diag_format_endpoint(
		&socket->local, socket->local_port, local, sizeof(local));
	(void)sock_diag_format_endpoint(
		&socket->remote, socket->remote_port, remote, sizeof(remote));
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(owners, inspect_owner_json(&owner[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:o, s:o, s:o}",
		"protocol", sock_diag_protocol_name(socket->protocol), "state",
		sock_diag_state_name(socket), "local", local, "remote", remote, "uid",
		(int)socket->uid, "inode", (json_int_t)socket->inode, "reuse_address",
		inspect_flag_json(socket->reuse_address), "reuse_port",
		inspect_flag_json(socket->reuse_port), "v6only",
		inspect_flag_json(socket->v6only), "owners", owners);
	if (!object)
		return NULL;
	if (socket->state == SOCK_DIAG_LISTEN) {
		(void)json_object_set_new(
			object, "queue", json_integer((json_int_t)socket->receive_queue));
		(void)json_object_set_new(object, "queue_limit",
			json_integer((json_int_t)socket->send_queue));
	}
	if (sock_diag_is_kernel_only(socket))
		(void)json_object_set_new(object, "gone_in_msec",
			json_integer((json_int_t)socket->timer_msec));
	if (socket->protocol == IPPROTO_TCP && socket->remote_port)
		(void)json_object_set_new(object, "outgoing",
			json_boolean(bind_diagnosis_is_outgoing(
				socket, &view->sockets, view->ephemeral)));
	return object;
}

static json_t *
inspect_groups_json(const struct inspect_groups *groups)
{
	json_t *array = json_array();

	for (size_t i = 0; i < groups->n_groups; i++) {
		const struct inspect_group *group = &groups->groups[i];
		char local[SOCK_DIAG_ENDPOINT_MAX];

		(void)sock_diag_format_endpoint(&group->first->local,
			group->first->local_port, local, sizeof(local));
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:I, s:s, s:i}", "protocol",
				sock_diag_protocol_name(group->first->protocol), "state",
				sock_diag_state_name(group->first), "count",
				(json_int_t)group->n_sockets, "local", local, "pid",
				group->owner ? (int)group->owner->pid : 0));
	}
	return array;
}

/* ---- the verb */

static bool
inspect_has_udp(const struct port_view *view)
{
	for (size_t i = 0; i < view->sockets.n_sockets; i++) {
		if (view->sockets.sockets[i].protocol == IPPROTO_UDP)
			return true;
	}
	return false;
}

static json_t *
inspect_json(const struct port_view *view, const struct port_target *target,
	const struct inspect_groups *groups, const struct port_verdict *verdicts,
	const int *types, size_t n_types)
{
	json_t *binds = json_array();
	json_t *sockets = json_array();
	uint16_t port = socket_address_port(&target->address);

	for (size_t i = 0; i < n_types; i++)
		(void)json_array_append_new(
			binds, port_verdict_json(&verdicts[i], types[i]));
	for (size_t i = 0; i < view->sockets.n_sockets; i++)
		(void)json_array_append_new(
			sockets, inspect_socket_json(view, &view->sockets.sockets[i]));
	return json_pack("{s:i, s:b, s:o, s:o, s:o, s:I}", "port", (int)port,
		"in_ephemeral_range",
		port >= view->ephemeral.low && port <= view->ephemeral.high, "bind",
		binds, "groups", inspect_groups_json(groups), "sockets", sockets,
		"hidden_processes", (json_int_t)view->owners.n_hidden);
}

static void
inspect_print(const struct port_view *view, const struct inspect_groups *groups,
	const struct port_verdict *verdicts, size_t n_types)
{
	bool hidden = false;

	for (size_t i = 0; i < n_types; i++)
		(void)printf("%s%s%s\n", output_style(OUTPUT_BOLD), verdicts[i].sentence,
			output_style(OUTPUT_PLAIN));
	if (groups->n_groups) {
		(void)putchar('\n');
		inspect_print_groups(view, groups);
	}
	for (size_t i = 0; i < groups->n_groups; i++)
		hidden = hidden ||
			(groups->groups[i].first->inode && !groups->groups[i].owner);
	if (hidden && view->owners.n_hidden)
		(void)printf(
			"\n%zu processes may not be looked into: as root, inspect names "
			"every owner.\n",
			view->owners.n_hidden);
}

/* Looks at one target once. Returns 0, or -errno after printing the error. */
static int
inspect_once(const struct port_target *target, const struct inspect_options *options,
	json_t *results)
{
	struct port_view view __attribute__((cleanup(port_view_cleanup))) = { 0 };
	int types[2] = { target->address.type, SOCK_DGRAM };
	struct inspect_groups groups = { 0 };
	struct port_verdict verdicts[2];
	struct error err = ERROR_NONE;
	size_t n_types = 1;
	int r = port_view_load(&view, target, &err);

	if (r < 0) {
		output_error(&err);
		return r;
	}
	if (target->any_protocol && inspect_has_udp(&view))
		n_types = 2;
	for (size_t i = 0; i < n_types; i++)
		port_verdict_ask(&view, target, types[i], &verdicts[i]);
	r = inspect_group_all(&view, &groups);
	if (r == 0 && groups.n_groups)
		qsort(groups.groups, groups.n_groups, sizeof(*groups.groups),
			inspect_compare_groups);
	if (r == 0 && options->json)
		(void)json_array_append_new(results,
			inspect_json(&view, target, &groups, verdicts, types, n_types));
	else if (r == 0)
		inspect_print(&view, &groups, verdicts, n_types);
	free(groups.groups);
	return r;
}

static int
inspect_all(const struct port_target_list *targets, const struct inspect_options *options)
{
	json_t *results = options->json ? json_array() : NULL;
	int r = 0;

	for (size_t i = 0; i < targets->n_targets && r == 0; i++) {
		if (i && !options->json)
			(void)putchar('\n');
		r = inspect_once(&targets->targets[i], options, results);
	}
	if (r == 0 && options->json) {
		/* One port is one object; a name is an array of them. */
		json_t *printed = results;

		if (targets->n_targets == 1) {
			printed = json_incref(json_array_get(results, 0));
			json_decref(results);
		}
		r = output_json_consume(printed);
	} else {
		json_decref(results);
	}
	return r;
}

static int
inspect_watch(const char *text, const struct inspect_options *options)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(options->interval_usec / USEC_PER_SEC),
		.tv_nsec = (long)(options->interval_usec % USEC_PER_SEC) * 1000,
	};

	for (;;) {
		struct port_target_list targets;
		struct error err = ERROR_NONE;

		/* The ports of a name may change while one watches. */
		if (port_targets_find(text, &targets, &err) < 0) {
			output_error(&err);
			return COMMAND_FAILED;
		}
		if (isatty(STDOUT_FILENO) && !options->json)
			(void)fputs("\033[H\033[2J", stdout);
		if (inspect_all(&targets, options) < 0)
			return COMMAND_FAILED;
		if (!options->json)
			(void)putchar('\n');
		if (fflush(stdout) != 0)
			return output_finish(COMMAND_FAILED);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
}

static int
inspect_run(const struct command *command, int argc, char **argv)
{
	/* clang-format off */
	static const struct option long_options[] = {
		{ "watch", optional_argument, NULL, 'w' },
		{ "json",  no_argument,       NULL, 'j' },
		{ "color", required_argument, NULL, 'c' },
		{ "help",  no_argument,       NULL, 'h' },
		{ 0 },
	};
	/* clang-format on */
	struct inspect_options options = { .interval_usec = USEC_PER_SEC };
	struct port_target_list targets;
	struct error err = ERROR_NONE;
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "w::jh", long_options, NULL)) != -1) {
		switch (c) {
		case 'w':
			options.watch = true;
			if (optarg &&
				(timespan_parse(optarg, USEC_PER_SEC,
					 &options.interval_usec) < 0 ||
					options.interval_usec < 10 * USEC_PER_MSEC ||
					options.interval_usec > 86400 * USEC_PER_SEC))
				return command_usage_error(command,
					"--watch=%s is no time from 10 ms to 1 day",
					optarg);
			break;
		case 'j':
			options.json = true;
			break;
		case 'c':
			if (output_set_color(optarg) < 0)
				return command_usage_error(command,
					"--color=%s: say auto, always or never", optarg);
			break;
		case 'h':
			command_print_help(command);
			return COMMAND_OK;
		default:
			return command_usage_error(
				command, "unknown or incomplete option");
		}
	}
	if (argc - optind != 1)
		return command_usage_error(
			command, "inspect takes one PORT, ADDRESS:PORT or NAME");
	if (options.watch)
		return inspect_watch(argv[optind], &options);
	if (port_targets_find(argv[optind], &targets, &err) < 0) {
		output_error(&err);
		return err.code == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
	}
	return output_finish(
		inspect_all(&targets, &options) < 0 ? COMMAND_FAILED : COMMAND_OK);
}

const struct command command_inspect = {
	.name = "inspect",
	.arguments = "[OPTION]... PORT|ADDRESS:PORT|NAME",
	.summary = "show who has a port, and whether it can be bound now",
	.options = "  -w, --watch[=TIME]   look again every second, or every TIME\n"
		   "  -j, --json           print JSON\n"
		   "      --color=WHEN     auto (the default), always, never\n"
		   "  -h, --help           show this help\n",
	.run = inspect_run,
};
