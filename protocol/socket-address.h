/* SPDX-License-Identifier: MIT */
/*
 * socket-address: an address to listen on, as text and as the kernel wants it.
 *
 * What a user types: PORT, ADDRESS:PORT, [ADDRESS]:PORT, each with an optional "tcp:" or
 * "udp:" before it; /path or unix:/path, unix-dgram:/path, unix-seqpacket:/path, and the
 * same with @name for abstract ones. A bare PORT is dual-stack: [::] with IPV6_V6ONLY
 * off, as BindIPv6Only=default in systemd.socket(5). fd:N is no address; who allows it
 * handles it first. No name service is asked: only numbers are addresses.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "protocol/error.h"

union socket_address_storage {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

struct socket_address {
	union socket_address_storage storage;
	socklen_t length;
	int type;	 /* SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET */
	int protocol;	 /* 0, or IPPROTO_MPTCP, ... */
	bool dual_stack; /* [::] that takes IPv4 as well (IPV6_V6ONLY off) */
};

/* Long enough for every formatted address, with its prefix and NUL. */
#define SOCKET_ADDRESS_TEXT_MAX 160

/*
 * Parses what a user typed. Without a prefix an address has `default_type` (SOCK_STREAM
 * for -l, SOCK_DGRAM for ListenDatagram=, ...). Returns 0, or -EINVAL with `err` filled.
 */
int socket_address_parse(const char *text, int default_type,
	struct socket_address *ret_address, struct error *err);

/* The text that socket_address_parse() would read back to the same address. Returns
 * `buffer`. */
const char *socket_address_format(
	const struct socket_address *address, char *buffer, size_t size);

/* getsockname() and SO_TYPE, SO_PROTOCOL, IPV6_V6ONLY of `fd` (borrowed); 0 or -errno. */
int socket_address_from_fd(int fd, struct socket_address *ret_address);

/* The same family, type, address, port and dual-stack-ness; the protocol TCP is 0 or
 * MPTCP. */
bool socket_address_equal(const struct socket_address *a, const struct socket_address *b);

/* The port in host byte order, 0 for AF_UNIX. */
uint16_t socket_address_port(const struct socket_address *address);
