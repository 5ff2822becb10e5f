/* SPDX-License-Identifier: MIT */
/* listener-options: see listener-options.h. */
#include "mechanism/listener-options.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "protocol/socket-address.h"

enum listener_option_scope {
	SCOPE_ANY = 0,
	SCOPE_INET = 1 << 0,  /* AF_INET, and AF_INET6 where it takes IPv4 as well */
	SCOPE_INET6 = 1 << 1, /* AF_INET6 */
	SCOPE_UNIX = 1 << 2,
	SCOPE_TCP = 1 << 3,
	SCOPE_UDP = 1 << 4,
};

/* clang-format off */
static const struct listener_option {
	const char *directive;
	size_t offset;
	int level;
	int name;
	unsigned scope; /* all of these must hold */
} listener_options[] = {
#define FIELD(field) offsetof(struct socket_options, field)
	{ "KeepAlive",            FIELD(keep_alive),              SOL_SOCKET,   SO_KEEPALIVE,     SCOPE_TCP },
	{ "KeepAliveTimeSec",     FIELD(keep_alive_time_sec),     IPPROTO_TCP,  TCP_KEEPIDLE,     SCOPE_TCP },
	{ "KeepAliveIntervalSec", FIELD(keep_alive_interval_sec), IPPROTO_TCP,  TCP_KEEPINTVL,    SCOPE_TCP },
	{ "KeepAliveProbes",      FIELD(keep_alive_probes),       IPPROTO_TCP,  TCP_KEEPCNT,      SCOPE_TCP },
	{ "UserTimeoutSec",       FIELD(user_timeout_msec),       IPPROTO_TCP,  TCP_USER_TIMEOUT, SCOPE_TCP },
	{ "NoDelay",              FIELD(no_delay),                IPPROTO_TCP,  TCP_NODELAY,      SCOPE_TCP },
	{ "DeferAcceptSec",       FIELD(defer_accept_sec),        IPPROTO_TCP,  TCP_DEFER_ACCEPT, SCOPE_TCP },
	{ "ReceiveBuffer",        FIELD(receive_buffer),          SOL_SOCKET,   SO_RCVBUF,        SCOPE_ANY },
	{ "SendBuffer",           FIELD(send_buffer),             SOL_SOCKET,   SO_SNDBUF,        SCOPE_ANY },
	{ "Mark",                 FIELD(mark),                    SOL_SOCKET,   SO_MARK,          SCOPE_ANY },
	{ "Broadcast",            FIELD(broadcast),               SOL_SOCKET,   SO_BROADCAST,     SCOPE_UDP },
	{ "PassCredentials",      FIELD(pass_credentials),        SOL_SOCKET,   SO_PASSCRED,      SCOPE_UNIX },
	{ "PassSecurity",         FIELD(pass_security),           SOL_SOCKET,   SO_PASSSEC,       SCOPE_UNIX },
	{ "IPTOS",                FIELD(ip_tos),                  IPPROTO_IP,   IP_TOS,           SCOPE_INET },
	{ "IPTOS",                FIELD(ip_tos),                  IPPROTO_IPV6, IPV6_TCLASS,      SCOPE_INET6 },
	/* behind IPTOS, which sets a priority of its own: ip(7), IP_TOS */
	{ "Priority",             FIELD(priority),                SOL_SOCKET,   SO_PRIORITY,      SCOPE_ANY },
	{ "IPTTL",                FIELD(ip_ttl),                  IPPROTO_IP,   IP_TTL,           SCOPE_INET },
	{ "IPTTL",                FIELD(ip_ttl),                  IPPROTO_IPV6, IPV6_UNICAST_HOPS, SCOPE_INET6 },
	{ "FreeBind",             FIELD(free_bind),               IPPROTO_IP,   IP_FREEBIND,      SCOPE_INET },
	{ "FreeBind",             FIELD(free_bind),               IPPROTO_IPV6, IPV6_FREEBIND,    SCOPE_INET6 },
	{ "Transparent",          FIELD(transparent),             IPPROTO_IP,   IP_TRANSPARENT,   SCOPE_INET },
	{ "Transparent",          FIELD(transparent),             IPPROTO_IPV6, IPV6_TRANSPARENT, SCOPE_INET6 },
	{ "PassPacketInfo",       FIELD(pass_packet_info),        IPPROTO_IP,   IP_PKTINFO,       SCOPE_UDP | SCOPE_INET },
	{ "PassPacketInfo",       FIELD(pass_packet_info),        IPPROTO_IPV6, IPV6_RECVPKTINFO, SCOPE_UDP | SCOPE_INET6 },
	{ "ReusePort",            FIELD(reuse_port),              SOL_SOCKET,   SO_REUSEPORT,     SCOPE_ANY },
#undef FIELD
};
/* clang-format on */

static unsigned
listener_scope_of(const struct socket_address *address)
{
	bool is_stream = address->type == SOCK_STREAM;

	switch (address->storage.any.sa_family) {
	case AF_INET:
		return SCOPE_INET | (is_stream ? SCOPE_TCP : SCOPE_UDP);
	case AF_INET6:
		return SCOPE_INET6 | (address->dual_stack ? SCOPE_INET : 0u) |
			(is_stream ? SCOPE_TCP : SCOPE_UDP);
	default:
		return SCOPE_UNIX;
	}
}

static int
listener_option_fail(const char *directive, int code, struct error *err)
{
	(void)error_set_errno(err, code, "cannot set %s= on the socket", directive);
	if (code == -EPERM)
		error_set_hint(err, "it needs CAP_NET_ADMIN, that is: root");
	return code;
}

static int
listener_option_set(
	int fd, const char *directive, int level, int name, int value, struct error *err)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		return listener_option_fail(directive, -errno, err);
	return 0;
}

/* The options whose value is no int, or whose default is ours and not the kernel's. */
static int
listener_options_apply_special(int fd, const struct socket_address *address,
	const struct socket_options *options, unsigned scope, struct error *err)
{
	const char *congestion = options->tcp_congestion,
		   *device = options->bind_to_device;
	struct linger linger = { .l_onoff = 1, .l_linger = options->linger_sec };
	int r = 0;

	if (address->storage.any.sa_family == AF_INET6)
		r = listener_option_set(fd, "BindIPv6Only", IPPROTO_IPV6, IPV6_V6ONLY,
			!address->dual_stack, err);
	/*
	 * Without it a bind() fails while accepted connections of an earlier listener are
	 * in TIME_WAIT: socket(7). Never on UDP, where anybody with the same option could
	 * bind the same port and take over the datagrams: inet_rcv_saddr_equal() in
	 * net/ipv4/udp.c asks for nothing more than the option on both.
	 */
	if (r >= 0 && (scope & SCOPE_TCP) && options->reuse_address != 0)
		r = listener_option_set(
			fd, "ReuseAddress", SOL_SOCKET, SO_REUSEADDR, 1, err);
	if (r < 0)
		return r;
	if (options->linger_sec != LINGER_UNSET && (scope & SCOPE_TCP) &&
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return listener_option_fail("Linger", -errno, err);
	if (congestion && (scope & SCOPE_TCP) &&
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
			(socklen_t)strlen(congestion)) < 0)
		return listener_option_fail("TCPCongestion", -errno, err);
	if (device && !(scope & SCOPE_UNIX) &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
			(socklen_t)strlen(device) + 1) < 0)
		return listener_option_fail("BindToDevice", -errno, err);
	return 0;
}

int
listener_options_apply(int fd, const struct socket_address *address,
	const struct socket_options *options, struct error *err)
{
	unsigned scope = listener_scope_of(address);
	int r = listener_options_apply_special(fd, address, options, scope, err);

	for (size_t i = 0; r >= 0 && i < PK_ARRAY_SIZE(listener_options); i++) {
		const struct listener_option *option = &listener_options[i];
		int value;

		memcpy(&value, (const char *)options + option->offset, sizeof(value));
		if (value == SPEC_UNSET || (option->scope & scope) != option->scope)
			continue;
		r = listener_option_set(
			fd, option->directive, option->level, option->name, value, err);
	}
	return r;
}
