/* SPDX-License-Identifier: MIT */
/*
 * release-select: which sockets of a port `release` ends. Pure but for the parsing of its
 * options: a socket, its owners and the wishes in, yes or no out.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/port-view.h"

struct release_wish {
	uint32_t states; /* SOCK_DIAG_STATE_BIT()s of connections; TIME_WAIT by default */
	uint64_t older_than_usec;
	bool has_peer;
	struct in6_addr peer; /* IPv4 as ::ffff:a.b.c.d */
	unsigned peer_bits;   /* how many of its 128 bits count */
	uint16_t peer_port;   /* 0: any */
	const char
		*listener; /* the name or pid whose listeners may be ended; NULL: none */
};

#define RELEASE_STATES_DEFAULT SOCK_DIAG_STATE_BIT(SOCK_DIAG_TIME_WAIT)
/* Every state of a connection; listeners and bound sockets are not connections. */
#define RELEASE_STATES_CONNECTIONS \
	(SOCK_DIAG_STATES_ALL & ~SOCK_DIAG_STATE_BIT(SOCK_DIAG_LISTEN) & \
		~SOCK_DIAG_STATE_BIT(SOCK_DIAG_CLOSE) & \
		~SOCK_DIAG_STATE_BIT(SOCK_DIAG_BOUND_INACTIVE))

/* "fin-wait-2,close-wait"; 0, or -EINVAL and the word that is no state in `ret_bad`. */
int release_parse_states(const char *text, uint32_t *ret_states, char ret_bad[32]);
/* "10.0.0.1", "10.0.0.1:80", "10.0.0.0/8", "fe80::1", "[fe80::1]:80"; 0 or -EINVAL. */
int release_parse_peer(const char *text, struct release_wish *wish);

/*
 * How long the socket has been as it is: TIME_WAIT since it began (60 s in every Linux),
 * a FIN_WAIT_2 without a process since then (tcp_fin_timeout), else since anything was
 * last sent or received. False if the kernel does not tell.
 */
bool release_age(const struct sock_diag_socket *socket, uint64_t fin_timeout_usec,
	uint64_t *ret_age_usec);

/* Whether ending it would be noticed by anybody: a process, or a peer whose data is on
 * its way. */
bool release_is_alive(const struct sock_diag_socket *socket);

bool release_wants(const struct release_wish *wish, const struct port_view *view,
	const struct sock_diag_socket *socket, uint64_t fin_timeout_usec);
