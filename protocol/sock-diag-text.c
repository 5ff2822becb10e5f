/* SPDX-License-Identifier: MIT */
/*
 * sock-diag-text: the words for what sock-diag finds: states, protocols, endpoints, and
 * two questions about a socket that need no kernel. See sock-diag.h.
 */
#include "protocol/sock-diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/cleanup.h"

/* A dump that comes back interrupted is asked for again so many times in all. */
#define SOCK_DIAG_TRIES 5

/* ---- lists */

int
sock_diag_list_add(struct sock_diag_list *list, const struct sock_diag_socket *socket)
{
	if (list->n_sockets == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 32;
		struct sock_diag_socket *sockets =
			reallocarray(list->sockets, capacity, sizeof(*sockets));

		if (!sockets)
			return -ENOMEM;
		list->sockets = sockets;
		list->capacity = capacity;
	}
	list->sockets[list->n_sockets++] = *socket;
	return 0;
}

void
sock_diag_list_done(struct sock_diag_list *list)
{
	free(list->sockets);
	*list = (struct sock_diag_list){ 0 };
}

static int
sock_diag_list_add_fn(const struct sock_diag_socket *socket, void *context)
{
	return sock_diag_list_add(context, socket);
}

int
sock_diag_collect(struct sock_diag *diag, const struct sock_diag_query *query,
	struct sock_diag_list *list)
{
	size_t n_before = list->n_sockets;
	int r = -EINTR;

	for (int i = 0; i < SOCK_DIAG_TRIES && r == -EINTR; i++) {
		list->n_sockets = n_before;
		r = sock_diag_dump(diag, query, sock_diag_list_add_fn, list);
	}
	if (r < 0)
		list->n_sockets = n_before;
	return r;
}

int
sock_diag_collect_port(struct sock_diag *diag, uint16_t port, bool want_info,
	struct sock_diag_list *list)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_MPTCP };
	size_t n_before = list->n_sockets;

	for (size_t i = 0; i < PK_ARRAY_SIZE(protocols); i++) {
		const struct sock_diag_query query = {
			.protocol = protocols[i],
			.local_port = port,
			.want_info = want_info && protocols[i] == IPPROTO_TCP,
		};
		int r = sock_diag_collect(diag, &query, list);

		/* udp_diag and mptcp_diag may be missing: then nobody can see those. */
		if (r < 0 && !(protocols[i] != IPPROTO_TCP && r != -ENOMEM)) {
			list->n_sockets = n_before;
			return r;
		}
	}
	return 0;
}

int
sock_diag_destroy(struct sock_diag *diag, const struct sock_diag_socket *socket)
{
	int result = -EIO;
	int r = sock_diag_destroy_many(diag, &socket, 1, &result);

	return r < 0 ? r : result;
}

void
sock_diag_cleanup(struct sock_diag **diag)
{
	*diag = sock_diag_close(*diag);
}

/* ---- words */

static const char *const sock_diag_state_names[SOCK_DIAG_STATE_MAX] = {
	[SOCK_DIAG_UNKNOWN] = "UNKNOWN",
	[SOCK_DIAG_ESTABLISHED] = "ESTABLISHED",
	[SOCK_DIAG_SYN_SENT] = "SYN_SENT",
	[SOCK_DIAG_SYN_RECV] = "SYN_RECV",
	[SOCK_DIAG_FIN_WAIT_1] = "FIN_WAIT_1",
	[SOCK_DIAG_FIN_WAIT_2] = "FIN_WAIT_2",
	[SOCK_DIAG_TIME_WAIT] = "TIME_WAIT",
	[SOCK_DIAG_CLOSE] = "CLOSE",
	[SOCK_DIAG_CLOSE_WAIT] = "CLOSE_WAIT",
	[SOCK_DIAG_LAST_ACK] = "LAST_ACK",
	[SOCK_DIAG_LISTEN] = "LISTEN",
	[SOCK_DIAG_CLOSING] = "CLOSING",
	[SOCK_DIAG_NEW_SYN_RECV] = "SYN_RECV",
	[SOCK_DIAG_BOUND_INACTIVE] = "BOUND",
};

const char *
sock_diag_state_name(const struct sock_diag_socket *socket)
{
	if (socket->protocol == IPPROTO_UDP)
		return socket->state == SOCK_DIAG_ESTABLISHED ? "CONNECTED" : "UNCONN";
	if ((size_t)socket->state >= SOCK_DIAG_STATE_MAX)
		return sock_diag_state_names[SOCK_DIAG_UNKNOWN];
	return sock_diag_state_names[socket->state];
}

enum sock_diag_state
sock_diag_state_from_name(const char *name)
{
	for (int state = 1; state < SOCK_DIAG_STATE_MAX; state++) {
		const char *a = name;
		const char *b = sock_diag_state_names[state];

		for (;;) {
			while (*a == '-' || *a == '_')
				a++;
			while (*b == '_')
				b++;
			if (!*a || !*b || strncasecmp(a, b, 1) != 0)
				break;
			a++;
			b++;
		}
		if (!*a && !*b)
			return (enum sock_diag_state)state;
	}
	return SOCK_DIAG_UNKNOWN;
}

const char *
sock_diag_protocol_name(int protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_MPTCP:
		return "mptcp";
	default:
		return "?";
	}
}

const char *
sock_diag_format_endpoint(
	const struct in6_addr *address, uint16_t port, char *buffer, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		(void)inet_ntop(AF_INET, &address->s6_addr[12], text, sizeof(text));
		(void)snprintf(buffer, size, "%s:%u", text, port);
	} else {
		(void)inet_ntop(AF_INET6, address, text, sizeof(text));
		(void)snprintf(buffer, size, "[%s]:%u", text, port);
	}
	return buffer;
}

bool
sock_diag_is_kernel_only(const struct sock_diag_socket *socket)
{
	return socket->protocol != IPPROTO_UDP && socket->inode == 0 &&
		(socket->state == SOCK_DIAG_TIME_WAIT ||
			(socket->state == SOCK_DIAG_FIN_WAIT_2 &&
				socket->timer == SOCK_DIAG_TIMER_TIME_WAIT));
}

bool
sock_diag_is_self_connected(const struct sock_diag_socket *socket)
{
	return socket->protocol == IPPROTO_TCP &&
		socket->remote_port == socket->local_port && socket->remote_port != 0 &&
		memcmp(&socket->local, &socket->remote, sizeof(socket->local)) == 0;
}
