/* SPDX-License-Identifier: MIT */
/* release-select: see release-select.h. */
#include "client/release-select.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/timespan.h"

/* TCP_TIMEWAIT_LEN (include/net/tcp.h): a constant, whatever the sysctls say. */
#define RELEASE_TIME_WAIT_USEC (60 * USEC_PER_SEC)

int
release_parse_states(const char *text, uint32_t *ret_states, char ret_bad[32])
{
	uint32_t states = 0;

	for (;;) {
		size_t length = strcspn(text, ",");
		enum sock_diag_state state;

		(void)snprintf(
			ret_bad, 32, "%.*s", (int)(length < 31 ? length : 31), text);
		state = sock_diag_state_from_name(ret_bad);
		if (state == SOCK_DIAG_UNKNOWN ||
			!(RELEASE_STATES_CONNECTIONS & SOCK_DIAG_STATE_BIT(state)))
			return -EINVAL;
		states |= SOCK_DIAG_STATE_BIT(state);
		if (!text[length])
			break;
		text += length + 1;
	}
	*ret_states = states;
	return 0;
}

static bool
release_parse_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > 5 || text[length])
		return false;
	*ret_number = strtoul(text, NULL, 10);
	return *ret_number <= max;
}

/* Splits "[host]:port", "v4:port", "host/bits" in place; `port` and `bits` may become
 * NULL. */
static bool
release_split_peer(char *text, char **host, char **port, char **bits)
{
	char *end;

	*host = text;
	*port = NULL;
	*bits = NULL;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*host = text + 1;
		*port = end[1] ? end + 2 : NULL;
		*end = '\0';
		return true;
	}
	end = strchr(text, '/');
	if (end) {
		*end = '\0';
		*bits = end + 1;
		return true;
	}
	end = strchr(text, ':');
	if (end && !strchr(end + 1, ':')) {
		*end = '\0';
		*port = end + 1;
	}
	return true;
}

int
release_parse_peer(const char *text, struct release_wish *wish)
{
	char copy[SOCK_DIAG_ENDPOINT_MAX];
	char mapped[SOCK_DIAG_ENDPOINT_MAX + 8];
	char *host;
	char *port;
	char *bits;
	unsigned long number = 0;
	bool v4;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	if (!release_split_peer(copy, &host, &port, &bits))
		return -EINVAL;
	v4 = !strchr(host, ':');
	(void)snprintf(mapped, sizeof(mapped), "%s%s", v4 ? "::ffff:" : "", host);
	if (inet_pton(AF_INET6, mapped, &wish->peer) != 1)
		return -EINVAL;
	wish->peer_bits = 128;
	if (bits) {
		if (!release_parse_number(bits, v4 ? 32 : 128, &number))
			return -EINVAL;
		wish->peer_bits = (unsigned)number + (v4 ? 96 : 0);
	}
	if (port) {
		if (!release_parse_number(port, UINT16_MAX, &number) || number == 0)
			return -EINVAL;
		wish->peer_port = (uint16_t)number;
	}
	wish->has_peer = true;
	return 0;
}

bool
release_age(const struct sock_diag_socket *socket, uint64_t fin_timeout_usec,
	uint64_t *ret_age_usec)
{
	uint64_t left = socket->timer_msec * USEC_PER_MSEC;
	uint64_t whole = socket->state == SOCK_DIAG_TIME_WAIT ? RELEASE_TIME_WAIT_USEC
							      : fin_timeout_usec;

	if (sock_diag_is_kernel_only(socket)) {
		*ret_age_usec = left < whole ? whole - left : 0;
		return true;
	}
	if (!socket->has_info)
		return false;
	*ret_age_usec = socket->quiet_msec * USEC_PER_MSEC;
	return true;
}

bool
release_is_alive(const struct sock_diag_socket *socket)
{
	if (sock_diag_is_kernel_only(socket))
		return false;
	/* A FIN that waits for its ACK counts as one byte. */
	return socket->inode != 0 || socket->state == SOCK_DIAG_ESTABLISHED ||
		socket->state == SOCK_DIAG_CLOSE_WAIT ||
		socket->state == SOCK_DIAG_SYN_RECV || socket->send_queue > 1;
}

static bool
release_peer_matches(
	const struct release_wish *wish, const struct sock_diag_socket *socket)
{
	unsigned bytes = wish->peer_bits / 8;
	unsigned rest = wish->peer_bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	if (wish->peer_port && wish->peer_port != socket->remote_port)
		return false;
	if (memcmp(&wish->peer, &socket->remote, bytes) != 0)
		return false;
	return rest == 0 ||
		((wish->peer.s6_addr[bytes] ^ socket->remote.s6_addr[bytes]) & mask) == 0;
}

static bool
release_listener_is_named(const struct release_wish *wish, const struct port_view *view,
	const struct sock_diag_socket *socket)
{
	size_t n = 0;
	const struct socket_owner *owner =
		socket_owner_of(&view->owners, socket->inode, &n);

	for (size_t i = 0; wish->listener && i < n; i++) {
		char pid[16];

		(void)snprintf(pid, sizeof(pid), "%d", (int)owner[i].pid);
		if (strcmp(owner[i].comm, wish->listener) == 0 ||
			strcmp(pid, wish->listener) == 0)
			return true;
	}
	return false;
}

bool
release_wants(const struct release_wish *wish, const struct port_view *view,
	const struct sock_diag_socket *socket, uint64_t fin_timeout_usec)
{
	uint64_t age;

	/* A MPTCP connection ends with its TCP subflows, which are rows of their own. */
	if (socket->protocol == IPPROTO_MPTCP)
		return false;
	if (socket->protocol == IPPROTO_UDP || socket->state == SOCK_DIAG_LISTEN ||
		socket->state == SOCK_DIAG_BOUND_INACTIVE)
		return release_listener_is_named(wish, view, socket);
	if (!(wish->states & SOCK_DIAG_STATE_BIT(socket->state)))
		return false;
	if (wish->has_peer && !release_peer_matches(wish, socket))
		return false;
	if (wish->older_than_usec == 0)
		return true;
	return release_age(socket, fin_timeout_usec, &age) &&
		age >= wish->older_than_usec;
}
