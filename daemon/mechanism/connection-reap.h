/* SPDX-License-Identifier: MIT */
/*
 * connection-reap: ends the half-closed connections of a held port that nobody finishes:
 * those in CLOSE_WAIT, whose client has gone and whose program does not close, and those
 * that wait for a client that will not (FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK). The
 * more there are, the less time they get.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct socket_address;

struct connection_reap_result {
	size_t n_found; /* half-closed connections of the port */
	size_t n_ended;
	uint64_t limit_usec; /* what they were allowed to be quiet for this time */
};

/*
 * How long each of `n` half-closed connections may be quiet: `base_usec` up to 100 of
 * them, then in inverse proportion, but never less than a second (or `base_usec`, if that
 * is less).
 */
uint64_t connection_reap_limit(uint64_t base_usec, size_t n);

/*
 * One pass over the connections to `listener` (a TCP address): asks the kernel for them
 * and ends those that have been quiet for too long. Returns 0; -EPERM without
 * CAP_NET_ADMIN, -EOPNOTSUPP on a kernel without SOCK_DESTROY, or another -errno of
 * sock_diag.
 */
int connection_reap(const struct socket_address *listener, uint64_t base_usec,
	struct connection_reap_result *ret_result);
