/* SPDX-License-Identifier: MIT */
/* unit: see unit.h. */
#include "config/unit.h"

#include <string.h>

#include "config/command-line.h"
#include "config/unit-directives.h"
#include "protocol/notify-message.h"
#include "protocol/timespan.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Everything that no directive sets is SPEC_UNSET; then the table's own defaults follow.
 */
static int
unit_set_defaults(struct unit *unit)
{
	struct socket_options *socket = &unit->socket;
	const struct directive *directive;
	int r;

	socket->socket_uid = (uid_t)-1;
	socket->socket_gid = (gid_t)-1;
	socket->keep_alive = socket->keep_alive_time_sec = SPEC_UNSET;
	socket->keep_alive_interval_sec = socket->keep_alive_probes = SPEC_UNSET;
	socket->user_timeout_msec = socket->linger_sec = SPEC_UNSET;
	socket->reuse_address = socket->reuse_port = socket->no_delay = SPEC_UNSET;
	socket->priority = socket->defer_accept_sec = SPEC_UNSET;
	socket->receive_buffer = socket->send_buffer = SPEC_UNSET;
	socket->ip_tos = socket->ip_ttl = socket->mark = SPEC_UNSET;
	socket->free_bind = socket->transparent = socket->broadcast = SPEC_UNSET;
	socket->pass_credentials = socket->pass_security = SPEC_UNSET;
	socket->pass_packet_info = SPEC_UNSET;
	unit->exec.umask = (mode_t)-1;
	for (size_t i = 0; (directive = directive_at(i)); i++) {
		if (!directive->initial)
			continue;
		r = directive->parse(directive, directive->initial, unit, NULL);
		if (r < 0)
			return r;
	}
	unit->restart.delay_is_set = unit->restart.immediate_is_set = false;
	return 0;
}

int
unit_new(const char *name, struct unit **ret_unit)
{
	struct unit *unit = calloc(1, sizeof(*unit));
	int r = -ENOMEM;

	if (unit) {
		unit->name = strdup(name);
		r = unit->name ? unit_set_defaults(unit) : -ENOMEM;
	}
	if (r < 0) {
		(void)unit_free(unit);
		return r;
	}
	*ret_unit = unit;
	return 0;
}

static void
unit_clear_command(struct exec_command *command)
{
	free(command->path);
	(void)command_line_free_words(command->argv);
}

void
unit_clear_commands(struct exec_command **commands, size_t *n_commands)
{
	while (*n_commands > 0)
		unit_clear_command(&(*commands)[--*n_commands]);
	free(*commands);
	*commands = NULL;
}

struct unit *
unit_free(struct unit *unit)
{
	if (!unit)
		return NULL;
	for (size_t i = 0; i < unit->n_listens; i++) {
		free(unit->listens[i].text);
		free(unit->listens[i].fd_name);
	}
	free(unit->listens);
	free(unit->socket.bind_to_device);
	free(unit->socket.tcp_congestion);
	free(unit->socket.fd_name);
	unit_clear_command(&unit->exec.main);
	unit_clear_commands(&unit->exec.stop, &unit->exec.n_stop);
	unit_clear_commands(&unit->exec.stop_post, &unit->exec.n_stop_post);
	(void)command_line_free_words(unit->exec.environment);
	free(unit->exec.working_directory);
	free(unit->name);
	free(unit->description);
	free(unit);
	return NULL;
}

/* fd:N or fd:N:NAME, an inherited descriptor: 3 to 65535 (0 to 2 are the child's own). */
static int
unit_parse_inherited(const char *text, struct listen_spec *listen, struct error *err)
{
	const char *digits = text + strlen("fd:");
	size_t n = strspn(digits, "0123456789");
	int number = 0;

	for (size_t i = 0; i < n && n <= 5; i++)
		number = number * 10 + (digits[i] - '0');
	if (number < 3 || number > 65535 || (digits[n] != '\0' && digits[n] != ':') ||
		(digits[n] == ':' && !notify_message_fd_name_is_valid(digits + n + 1))) {
		(void)error_set(err, -EINVAL, "bad address '%.60s'", text);
		error_set_hint(
			err, "fd:N or fd:N:NAME is an inherited descriptor from 3 up");
		return -EINVAL;
	}
	listen->inherited_fd = number;
	if (digits[n] == ':') {
		listen->fd_name = strdup(digits + n + 1);
		if (!listen->fd_name)
			return -ENOMEM;
	}
	return 0;
}

int
unit_add_listen(struct unit *unit, const char *text, int type, struct error *err)
{
	struct listen_spec listen = { .inherited_fd = SPEC_UNSET };
	struct listen_spec *grown;
	int r;

	if (strncmp(text, "fd:", 3) == 0)
		r = unit_parse_inherited(text, &listen, err);
	else
		r = socket_address_parse(text, type, &listen.address, err);
	if (r < 0)
		return r;
	grown = reallocarray(unit->listens, unit->n_listens + 1, sizeof(*grown));
	listen.text = strdup(text);
	if (grown)
		unit->listens = grown;
	if (!grown || !listen.text) {
		free(listen.text);
		free(listen.fd_name);
		return -ENOMEM;
	}
	unit->listens[unit->n_listens++] = listen;
	return 0;
}

/* SocketProtocol= and BindIPv6Only= are part of what an address is. */
static void
unit_finish_listen(struct unit *unit, struct listen_spec *listen)
{
	struct socket_address *address = &listen->address;
	int protocol = unit->socket.protocol;

	if (listen->inherited_fd >= 0 || address->storage.any.sa_family == AF_UNIX)
		return;
	if (address->type == (protocol == IPPROTO_UDPLITE ? SOCK_DGRAM : SOCK_STREAM))
		address->protocol = protocol;
	if (address->storage.any.sa_family != AF_INET6 ||
		!IN6_IS_ADDR_UNSPECIFIED(&address->storage.in6.sin6_addr))
		return;
	if (unit->socket.bind_ipv6_only != BIND_IPV6_ONLY_DEFAULT)
		address->dual_stack = unit->socket.bind_ipv6_only == BIND_IPV6_ONLY_BOTH;
}

int
unit_finish(struct unit *unit, struct error *err)
{
	struct restart_spec *restart = &unit->restart;

	for (size_t i = 0; i < unit->n_listens; i++) {
		unit_finish_listen(unit, &unit->listens[i]);
		for (size_t j = 0; j < i; j++)
			if (unit->listens[i].inherited_fd < 0 &&
				unit->listens[j].inherited_fd < 0 &&
				socket_address_equal(&unit->listens[i].address,
					&unit->listens[j].address))
				return error_set(err, -EINVAL,
					"the address '%s' is given twice",
					unit->listens[i].text);
	}
	/* systemd.service(5) keeps an old custom: zero is no time-out at all */
	if (unit->kill.timeout_stop_usec == 0)
		unit->kill.timeout_stop_usec = USEC_INFINITY;
	/* without SO_REUSEADDR its own closed connections would keep it from listening
	 * again */
	if (unit->socket.while_down == WHILE_DOWN_REFUSE &&
		unit->socket.reuse_address == 0)
		return error_set(err, -EINVAL,
			"WhileDown=refuse does not go with ReuseAddress=no");
	/* who sets RestartSec= wants that delay, systemd's meaning, from the first
	 * restart on */
	if (restart->delay_is_set && !restart->immediate_is_set)
		restart->immediate = 0;
	if (restart->steps > 0 && restart->max_delay_usec == USEC_INFINITY)
		return error_set(err, -EINVAL, "RestartSteps= needs RestartMaxDelaySec=");
	if (restart->max_delay_usec < restart->delay_usec)
		return error_set(
			err, -EINVAL, "RestartMaxDelaySec= is shorter than RestartSec=");
	return 0;
}
