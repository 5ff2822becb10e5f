/* SPDX-License-Identifier: MIT */
/*
 * sock-diag: which sockets there are, asked of the kernel over netlink (sock_diag(7)).
 *
 * One struct sock_diag is one netlink socket, bound to the network namespace of the
 * thread that opened it. A dump calls back once per socket; a port named in the query is
 * compared inside the kernel, so that one port among 100,000 TIME_WAIT sockets costs one
 * walk of the kernel's table and a handful of replies. sock_diag_destroy() ends exactly
 * one socket, which is recognised by its cookie: if the same addresses belong to a newer
 * socket by then, nothing happens to it.
 *
 * Nothing here logs, keeps state between calls or needs an event loop. Replies are not
 * trusted: sock_diag_parse() takes any bytes, which is what its fuzzer gives it.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* The kernel's numbers (include/net/tcp_states.h), which are not in its user headers. */
enum sock_diag_state {
	SOCK_DIAG_UNKNOWN = 0,
	SOCK_DIAG_ESTABLISHED = 1,
	SOCK_DIAG_SYN_SENT = 2,
	SOCK_DIAG_SYN_RECV = 3,
	SOCK_DIAG_FIN_WAIT_1 = 4,
	SOCK_DIAG_FIN_WAIT_2 = 5,
	SOCK_DIAG_TIME_WAIT = 6,
	SOCK_DIAG_CLOSE = 7, /* an unconnected UDP socket has it */
	SOCK_DIAG_CLOSE_WAIT = 8,
	SOCK_DIAG_LAST_ACK = 9,
	SOCK_DIAG_LISTEN = 10,
	SOCK_DIAG_CLOSING = 11,
	SOCK_DIAG_NEW_SYN_RECV = 12, /* the kernel reports it as SYN_RECV */
	SOCK_DIAG_BOUND_INACTIVE =
		13, /* TCP: bound, not listening; told since Linux 6.8 */
	SOCK_DIAG_STATE_MAX,
};

#define SOCK_DIAG_STATE_BIT(state) (UINT32_C(1) << (state))
#define SOCK_DIAG_STATES_ALL ((UINT32_C(1) << SOCK_DIAG_STATE_MAX) - 1)

enum sock_diag_timer {
	SOCK_DIAG_TIMER_NONE = 0,
	SOCK_DIAG_TIMER_RETRANSMIT = 1,
	SOCK_DIAG_TIMER_KEEPALIVE = 2, /* also: an orphan that is about to be dropped */
	SOCK_DIAG_TIMER_TIME_WAIT = 3, /* a small kernel-only socket, no process has it */
	SOCK_DIAG_TIMER_ZERO_WINDOW = 4,
};

/* Long enough for "[address%if]:port" and its NUL. */
#define SOCK_DIAG_ENDPOINT_MAX 80

struct sock_diag_socket {
	int family;   /* AF_INET or AF_INET6, of the socket itself */
	int protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_MPTCP */
	enum sock_diag_state state;
	struct in6_addr local; /* IPv4 stands here as ::ffff:a.b.c.d */
	struct in6_addr remote;
	uint16_t local_port; /* host byte order */
	uint16_t remote_port;
	uint32_t ifindex; /* SO_BINDTODEVICE, 0: none */
	uint32_t cookie[2];
	enum sock_diag_timer timer;
	uint32_t timer_msec;	/* until `timer` fires */
	uint32_t receive_queue; /* a listener: connections that wait; else bytes */
	uint32_t send_queue;	/* a listener: the limit of its queue; else bytes */
	uid_t uid;
	uint32_t inode; /* 0: no process holds it */
	int v6only;	/* IPV6_V6ONLY: 1, 0, or -1 where the kernel does not tell */
	/* SO_REUSEADDR and SO_REUSEPORT: 1, 0, -1 unknown. The kernel never tells them
	 * here; socket_owner_read_options() does, where it may look. */
	int reuse_address;
	int reuse_port;
	bool has_info;	     /* the next three come from TCP_INFO */
	uint32_t quiet_msec; /* since the last byte or ACK went either way */
	uint32_t listen_queue;
	uint32_t listen_limit;
};

/* Returns non-zero to end a dump early; that value is what the dump returns. */
typedef int (*sock_diag_fn)(const struct sock_diag_socket *socket, void *context);

struct sock_diag_query {
	int protocol;	     /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_MPTCP */
	uint32_t states;     /* SOCK_DIAG_STATE_BIT()s; 0: all */
	uint16_t local_port; /* 0: any */
	bool want_info;	     /* ask for TCP_INFO */
};

struct sock_diag_list {
	struct sock_diag_socket *sockets;
	size_t n_sockets;
	size_t capacity;
};

struct sock_diag;

/* Opens a netlink socket (CLOEXEC). Returns 0 and a handle for sock_diag_close(), or
 * -errno; -EPROTONOSUPPORT or -ENOENT: this kernel has no sock_diag. */
int sock_diag_open(struct sock_diag **ret_diag);
/* Takes NULL; returns NULL. */
struct sock_diag *sock_diag_close(struct sock_diag *diag);
void sock_diag_cleanup(struct sock_diag **diag);

/*
 * Calls `fn` for each socket that the query names. Returns 0; what `fn` returned if it
 * was not 0; -EINTR when the table changed under the kernel's walk (NLM_F_DUMP_INTR: what
 * was called back is incomplete or has doubles, ask again); -ENOENT: the kernel cannot
 * dump this protocol; -EBADMSG: a reply made no sense; -ETIMEDOUT after 5 s of silence;
 * else -errno.
 */
int sock_diag_dump(struct sock_diag *diag, const struct sock_diag_query *query,
	sock_diag_fn fn, void *context);

/*
 * A dump into `list` (appended; start with {0}), asked again up to five times while it
 * comes back interrupted. Returns 0, or -errno with `list` as it was.
 */
int sock_diag_collect(struct sock_diag *diag, const struct sock_diag_query *query,
	struct sock_diag_list *list);

/*
 * All sockets on `port` (0: on every port): TCP, UDP and MPTCP, whatever of the three
 * this kernel can dump. Returns 0, or -errno with `list` as it was.
 */
int sock_diag_collect_port(struct sock_diag *diag, uint16_t port, bool want_info,
	struct sock_diag_list *list);

int sock_diag_list_add(
	struct sock_diag_list *list, const struct sock_diag_socket *socket);
void sock_diag_list_done(struct sock_diag_list *list);

/*
 * Ends `n_sockets` sockets with SOCK_DESTROY, each recognised by its cookie; a
 * connection's peer gets a RST, and its owner ECONNABORTED. Sets results[i] to 0 or
 * -errno: -ENOENT it is gone already, -EPERM CAP_NET_ADMIN (over the network namespace)
 * is missing, -EOPNOTSUPP the kernel cannot (before Linux 6.0 for TIME_WAIT, or without
 * CONFIG_INET_DIAG_DESTROY). Returns 0 if every one was asked and answered, or -errno
 * when netlink itself failed; then the results not known are -EIO.
 */
int sock_diag_destroy_many(struct sock_diag *diag,
	const struct sock_diag_socket *const *sockets, size_t n_sockets, int *results);
/* The same for one: 0 or -errno. */
int sock_diag_destroy(struct sock_diag *diag, const struct sock_diag_socket *socket);

/*
 * The listening or bound AF_UNIX socket of that name (path, or the name of an abstract
 * one with its leading NUL byte). Returns 0 and its inode, -ENOENT: none, else -errno.
 */
int sock_diag_find_unix(
	struct sock_diag *diag, const char *name, size_t length, uint32_t *ret_inode);

/* ---- reading replies */

enum sock_diag_parse_result {
	SOCK_DIAG_PARSE_MORE = 1, /* the buffer is used up, the dump goes on */
	SOCK_DIAG_PARSE_DONE = 0,
};

struct sock_diag_parse {
	uint32_t sequence; /* messages with another one are passed over */
	int protocol;	   /* what was asked for */
	bool interrupted;  /* out: some message had NLM_F_DUMP_INTR */
	sock_diag_fn fn;
	void *context;
	int fn_result; /* out: the first result of `fn` that was not 0 */
};

/*
 * Reads one buffer of netlink replies, whatever it contains; calls `fn` for each socket
 * until that returns non-zero (the rest is still read up to its end). Returns DONE at
 * NLMSG_DONE, MORE, the negative errno of an NLMSG_ERROR or of NLMSG_DONE, or -EBADMSG
 * when a length is impossible or the buffer ends inside of a message.
 */
int sock_diag_parse(struct sock_diag_parse *parse, const void *buffer, size_t length);

/* ---- words */

/* "TIME_WAIT", "LISTEN", ...; "UDP" sockets are "UNCONN" and "CONNECTED". */
const char *sock_diag_state_name(const struct sock_diag_socket *socket);
/* Takes "time-wait", "TIME_WAIT", "fin-wait-2", "fin_wait2"; SOCK_DIAG_UNKNOWN if it is
 * none. */
enum sock_diag_state sock_diag_state_from_name(const char *name);
/* "tcp", "udp", "mptcp". */
const char *sock_diag_protocol_name(int protocol);
/* "1.2.3.4:80", "[::1]:80". Returns `buffer`. */
const char *sock_diag_format_endpoint(
	const struct in6_addr *address, uint16_t port, char *buffer, size_t size);
/* A small kernel-only socket (TIME_WAIT, or FIN_WAIT_2 after the process is gone). */
bool sock_diag_is_kernel_only(const struct sock_diag_socket *socket);
/* A client that connected to itself: both ends are the same. */
bool sock_diag_is_self_connected(const struct sock_diag_socket *socket);
