/* SPDX-License-Identifier: MIT */
/*
 * connection-reap: see connection-reap.h.
 *
 * "Quiet" is the time since the last segment went either way, from TCP_INFO. A FIN_WAIT_2
 * whose program has closed is a small kernel-only socket, has no TCP_INFO, and ends by
 * tcp_fin_timeout: it is left alone.
 */
#include "mechanism/connection-reap.h"

#include <string.h>

#include "protocol/cleanup.h"
#include "protocol/sock-diag.h"
#include "protocol/socket-address.h"
#include "protocol/timespan.h"

#define CONNECTION_REAP_MANY 100
#define CONNECTION_REAP_LEAST_USEC USEC_PER_SEC

uint64_t
connection_reap_limit(uint64_t base_usec, size_t n)
{
	uint64_t least = base_usec < CONNECTION_REAP_LEAST_USEC
		? base_usec
		: CONNECTION_REAP_LEAST_USEC;
	uint64_t limit;

	if (n <= CONNECTION_REAP_MANY)
		return base_usec;
	/* divided first: a base of years must not overflow */
	limit = base_usec / n * CONNECTION_REAP_MANY;
	return limit < least ? least : limit;
}

/* Whether `socket` came in through `listener`: its local address, or any for a wildcard.
 */
static bool
connection_reap_is_of(
	const struct sock_diag_socket *socket, const struct socket_address *listener)
{
	struct in6_addr local = IN6ADDR_ANY_INIT;

	if (listener->storage.any.sa_family == AF_INET6) {
		local = listener->storage.in6.sin6_addr;
	} else if (listener->storage.in.sin_addr.s_addr != htonl(INADDR_ANY)) {
		local.s6_addr[10] = local.s6_addr[11] = 0xff;
		memcpy(&local.s6_addr[12], &listener->storage.in.sin_addr, 4);
	}
	return IN6_IS_ADDR_UNSPECIFIED(&local) ||
		IN6_ARE_ADDR_EQUAL(&local, &socket->local);
}

/* Picks those that are too old into `picked`; returns how many. */
static size_t
connection_reap_pick(const struct sock_diag_list *list,
	const struct socket_address *listener, uint64_t base_usec,
	const struct sock_diag_socket **picked, struct connection_reap_result *result)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_sockets; i++)
		if (connection_reap_is_of(&list->sockets[i], listener))
			result->n_found++;
	result->limit_usec = connection_reap_limit(base_usec, result->n_found);
	for (size_t i = 0; i < list->n_sockets; i++) {
		const struct sock_diag_socket *socket = &list->sockets[i];

		if (socket->has_info && connection_reap_is_of(socket, listener) &&
			(uint64_t)socket->quiet_msec * USEC_PER_MSEC >=
				result->limit_usec)
			picked[n++] = socket;
	}
	return n;
}

static int
connection_reap_end(struct sock_diag *diag, const struct sock_diag_list *list,
	const struct socket_address *listener, uint64_t base_usec,
	struct connection_reap_result *result)
{
	PK_FREE const struct sock_diag_socket **picked =
		calloc(list->n_sockets + 1, sizeof(*picked));
	PK_FREE int *results = calloc(list->n_sockets + 1, sizeof(*results));
	size_t n;
	int r = 0;

	if (!picked || !results)
		return -ENOMEM;
	n = connection_reap_pick(list, listener, base_usec, picked, result);
	if (n > 0)
		r = sock_diag_destroy_many(diag, picked, n, results);
	for (size_t i = 0; i < n; i++) {
		if (results[i] == 0)
			result->n_ended++;
		else if (r == 0 && results[i] != -ENOENT)
			r = results[i];
	}
	return r;
}

int
connection_reap(const struct socket_address *listener, uint64_t base_usec,
	struct connection_reap_result *ret_result)
{
	struct sock_diag_query query = { .protocol = IPPROTO_TCP,
		.local_port = socket_address_port(listener),
		.states = SOCK_DIAG_STATE_BIT(SOCK_DIAG_FIN_WAIT_1) |
			SOCK_DIAG_STATE_BIT(SOCK_DIAG_FIN_WAIT_2) |
			SOCK_DIAG_STATE_BIT(SOCK_DIAG_CLOSE_WAIT) |
			SOCK_DIAG_STATE_BIT(SOCK_DIAG_LAST_ACK) |
			SOCK_DIAG_STATE_BIT(SOCK_DIAG_CLOSING),
		.want_info = true };
	struct connection_reap_result result = { .n_found = 0 };
	struct sock_diag_list list = { .n_sockets = 0 };
	struct sock_diag *diag;
	int r = sock_diag_open(&diag);

	if (r < 0)
		return r;
	r = sock_diag_collect(diag, &query, &list);
	if (r >= 0)
		r = connection_reap_end(diag, &list, listener, base_usec, &result);
	sock_diag_list_done(&list);
	(void)sock_diag_close(diag);
	*ret_result = result;
	return r;
}
