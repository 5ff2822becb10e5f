/* SPDX-License-Identifier: MIT */
/*
 * sock-diag: see sock-diag.h.
 *
 * Three facts of the kernel shape this file (net/ipv4/inet_diag.c, net/core/sock_diag.c):
 * the old request TCPDIAG_GETSOCK dumps both families in one walk of the TCP table, while
 * SOCK_DIAG_BY_FAMILY needs one for each; id.idiag_sport is compared before a socket is
 * written into the reply, except in the walk of bound sockets that do not listen
 * (Linux 6.18 lists them all), so that the port is compared here once more; and MPTCP,
 * whose number does not fit the request's eight bits, is named in an attribute.
 */
#include "protocol/sock-diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SOCK_DIAG_BUFFER_SIZE 65536
#define SOCK_DIAG_TIMEOUT_SEC 5
#define SOCK_DIAG_BATCH 64
#define SOCK_DIAG_REQUEST_MAX 128

struct sock_diag {
	struct mnl_socket *netlink;
	uint32_t sequence;
	char buffer[SOCK_DIAG_BUFFER_SIZE];
};

/* ---- the handle */

/* Gives `diag` a fresh netlink socket in place of the one it has, if any. */
static int
sock_diag_connect(struct sock_diag *diag)
{
	struct timeval timeout = { .tv_sec = SOCK_DIAG_TIMEOUT_SEC };
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int saved;

	if (!netlink)
		return -errno;
	if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
		saved = errno;
		(void)mnl_socket_close(netlink);
		return -saved;
	}
	/* The kernel answers within the call that asks; this only bounds the impossible.
	 */
	(void)setsockopt(mnl_socket_get_fd(netlink), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		sizeof(timeout));
	if (diag->netlink)
		(void)mnl_socket_close(diag->netlink);
	diag->netlink = netlink;
	return 0;
}

int
sock_diag_open(struct sock_diag **ret_diag)
{
	struct sock_diag *diag = calloc(1, sizeof(*diag));
	int r;

	if (!diag)
		return -ENOMEM;
	r = sock_diag_connect(diag);
	if (r < 0) {
		free(diag);
		return r;
	}
	*ret_diag = diag;
	return 0;
}

struct sock_diag *
sock_diag_close(struct sock_diag *diag)
{
	if (diag) {
		if (diag->netlink)
			(void)mnl_socket_close(diag->netlink);
		free(diag);
	}
	return NULL;
}

/* ---- reading replies */

/* What is left of a buffer of messages. */
struct sock_diag_cursor {
	const char *at;
	size_t left;
};

/*
 * The next message that lies in the buffer as a whole, or NULL; the cursor stands behind
 * it then. libmnl's own test takes the length for signed, and lets 0xfffffff0 through.
 */
static const struct nlmsghdr *
sock_diag_next_message(struct sock_diag_cursor *cursor)
{
	const struct nlmsghdr *message = (const void *)cursor->at;
	size_t step;

	if (cursor->left < sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
		message->nlmsg_len > cursor->left)
		return NULL;
	step = NLMSG_ALIGN((size_t)message->nlmsg_len);
	if (step > cursor->left)
		step = cursor->left;
	cursor->at += step;
	cursor->left -= step;
	return message;
}

/* The attributes behind a header of `skip` bytes, a multiple of 4; no byte beyond them.
 */
static void
sock_diag_parse_attributes(
	const struct nlmsghdr *message, size_t skip, mnl_attr_cb_t fn, void *context)
{
	const char *payload = mnl_nlmsg_get_payload(message);
	size_t length = mnl_nlmsg_get_payload_len(message);

	if (length > skip)
		(void)mnl_attr_parse_payload(payload + skip, length - skip, fn, context);
}

static void
sock_diag_parse_address(struct in6_addr *ret_address, int family, const uint32_t words[4])
{
	if (family == AF_INET6) {
		memcpy(ret_address->s6_addr, words, 16);
		return;
	}
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->s6_addr[10] = 0xff;
	ret_address->s6_addr[11] = 0xff;
	memcpy(&ret_address->s6_addr[12], &words[0], 4);
}

static void
sock_diag_parse_info(struct sock_diag_socket *socket, const struct nlattr *attribute)
{
	struct tcp_info info = { 0 };
	size_t length = mnl_attr_get_payload_len(attribute);

	/* Kernels know fewer or more fields than these headers: take what both have. */
	if (length < offsetof(struct tcp_info, tcpi_pmtu))
		return;
	memcpy(&info, mnl_attr_get_payload(attribute),
		length < sizeof(info) ? length : sizeof(info));
	socket->has_info = true;
	socket->listen_queue = info.tcpi_unacked;
	socket->listen_limit = info.tcpi_sacked;
	socket->quiet_msec = info.tcpi_last_data_sent;
	if (info.tcpi_last_data_recv < socket->quiet_msec)
		socket->quiet_msec = info.tcpi_last_data_recv;
	if (info.tcpi_last_ack_recv < socket->quiet_msec)
		socket->quiet_msec = info.tcpi_last_ack_recv;
}

static int
sock_diag_parse_attribute(const struct nlattr *attribute, void *context)
{
	struct sock_diag_socket *socket = context;
	size_t length = mnl_attr_get_payload_len(attribute);

	switch (mnl_attr_get_type(attribute)) {
	case INET_DIAG_SKV6ONLY:
		if (length >= 1)
			socket->v6only = mnl_attr_get_u8(attribute) != 0;
		break;
	case INET_DIAG_INFO:
		if (socket->protocol == IPPROTO_TCP)
			sock_diag_parse_info(socket, attribute);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* Fills `socket` from one reply; false if the message is too short or of another family.
 */
static bool
sock_diag_parse_socket(
	const struct nlmsghdr *message, int protocol, struct sock_diag_socket *socket)
{
	struct inet_diag_msg base;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(base))
		return false;
	memcpy(&base, mnl_nlmsg_get_payload(message), sizeof(base));
	if (base.idiag_family != AF_INET && base.idiag_family != AF_INET6)
		return false;
	if (base.idiag_state >= SOCK_DIAG_STATE_MAX)
		return false;
	*socket = (struct sock_diag_socket){
		.family = base.idiag_family,
		.protocol = protocol,
		.state = (enum sock_diag_state)base.idiag_state,
		.local_port = ntohs(base.id.idiag_sport),
		.remote_port = ntohs(base.id.idiag_dport),
		.ifindex = base.id.idiag_if,
		.cookie = { base.id.idiag_cookie[0], base.id.idiag_cookie[1] },
		.timer = base.idiag_timer <= SOCK_DIAG_TIMER_ZERO_WINDOW
			? (enum sock_diag_timer)base.idiag_timer
			: SOCK_DIAG_TIMER_NONE,
		.timer_msec = base.idiag_expires,
		.receive_queue = base.idiag_rqueue,
		.send_queue = base.idiag_wqueue,
		.uid = base.idiag_uid,
		.inode = base.idiag_inode,
		.v6only = -1,
		.reuse_address = -1,
		.reuse_port = -1,
	};
	sock_diag_parse_address(&socket->local, socket->family, base.id.idiag_src);
	sock_diag_parse_address(&socket->remote, socket->family, base.id.idiag_dst);
	/* The walk of bound sockets reports their state as CLOSE. */
	if (protocol != IPPROTO_UDP && socket->state == SOCK_DIAG_CLOSE)
		socket->state = SOCK_DIAG_BOUND_INACTIVE;
	sock_diag_parse_attributes(
		message, sizeof(base), sock_diag_parse_attribute, socket);
	return true;
}

/* The errno that NLMSG_ERROR or NLMSG_DONE carries, negative or 0; -EBADMSG if it has
 * none. */
static int
sock_diag_parse_errno(const struct nlmsghdr *message)
{
	int code;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(code))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	return code > 0 || code < -4095 ? -EBADMSG : code;
}

/* Returns 0, or a negative errno that ends the walk. */
typedef int (*sock_diag_message_fn)(const struct nlmsghdr *message, void *context);

/* Calls `fn` for each message of the wanted sequence that is a socket, up to DONE or
 * ERROR; returns as sock_diag_parse() does. */
static int
sock_diag_walk(const void *buffer, size_t length, uint32_t sequence, bool *interrupted,
	sock_diag_message_fn fn, void *context)
{
	struct sock_diag_cursor cursor = { .at = buffer, .left = length };
	const struct nlmsghdr *message;
	int r;

	while ((message = sock_diag_next_message(&cursor))) {
		if (message->nlmsg_seq != sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*interrupted = true;
		if (message->nlmsg_type == NLMSG_ERROR ||
			message->nlmsg_type == NLMSG_DONE)
			return sock_diag_parse_errno(message);
		if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY &&
			message->nlmsg_type != TCPDIAG_GETSOCK)
			continue;
		r = fn(message, context);
		if (r < 0)
			return r;
	}
	return cursor.left > 0 ? -EBADMSG : SOCK_DIAG_PARSE_MORE;
}

static int
sock_diag_parse_message(const struct nlmsghdr *message, void *context)
{
	struct sock_diag_parse *parse = context;
	struct sock_diag_socket socket;

	if (!sock_diag_parse_socket(message, parse->protocol, &socket))
		return -EBADMSG;
	if (parse->fn_result == 0)
		parse->fn_result = parse->fn(&socket, parse->context);
	return 0;
}

int
sock_diag_parse(struct sock_diag_parse *parse, const void *buffer, size_t length)
{
	return sock_diag_walk(buffer, length, parse->sequence, &parse->interrupted,
		sock_diag_parse_message, parse);
}

/* ---- asking */

static int
sock_diag_receive(struct sock_diag *diag, ssize_t *ret_length)
{
	*ret_length =
		mnl_socket_recvfrom(diag->netlink, diag->buffer, sizeof(diag->buffer));
	if (*ret_length >= 0)
		return 0;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int
sock_diag_run_dump(struct sock_diag *diag, const struct nlmsghdr *request,
	struct sock_diag_parse *parse)
{
	ssize_t length;
	int r;

	if (mnl_socket_sendto(diag->netlink, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		r = sock_diag_receive(diag, &length);
		if (r == 0)
			r = sock_diag_parse(parse, diag->buffer, (size_t)length);
	} while (r == SOCK_DIAG_PARSE_MORE);
	if (r < 0) {
		/* The kernel may not have come to its end: the next dump would be -EBUSY.
		 */
		(void)sock_diag_connect(diag);
		return r;
	}
	if (parse->fn_result)
		return parse->fn_result;
	return parse->interrupted ? -EINTR : 0;
}

struct sock_diag_filter {
	const struct sock_diag_query *query;
	sock_diag_fn fn;
	void *context;
};

static int
sock_diag_filter_fn(const struct sock_diag_socket *socket, void *context)
{
	const struct sock_diag_filter *filter = context;

	if (filter->query->local_port && socket->local_port != filter->query->local_port)
		return 0;
	return filter->fn(socket, filter->context);
}

static struct nlmsghdr *
sock_diag_put_request(struct sock_diag *diag, char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = ++diag->sequence;
	return request;
}

static int
sock_diag_dump_family(struct sock_diag *diag, const struct sock_diag_query *query,
	int family, struct sock_diag_parse *parse)
{
	char buffer[SOCK_DIAG_REQUEST_MAX] __attribute__((aligned(8))) = { 0 };
	uint32_t states = query->states ? query->states : SOCK_DIAG_STATES_ALL;
	struct nlmsghdr *request;
	uint8_t extensions = query->want_info ? 1 << (INET_DIAG_INFO - 1) : 0;

	if (family == AF_UNSPEC) {
		struct inet_diag_req *body;

		request =
			sock_diag_put_request(diag, buffer, TCPDIAG_GETSOCK, NLM_F_DUMP);
		body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
		body->idiag_ext = extensions;
		body->idiag_states = states;
		body->id.idiag_sport = htons(query->local_port);
	} else {
		struct inet_diag_req_v2 *body;

		request = sock_diag_put_request(
			diag, buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
		body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
		body->sdiag_family = (uint8_t)family;
		body->sdiag_protocol = (uint8_t)(query->protocol & 0xff);
		body->idiag_ext = extensions;
		body->idiag_states = states;
		body->id.idiag_sport = htons(query->local_port);
		if (query->protocol > 0xff) {
			body->sdiag_protocol = IPPROTO_RAW;
			mnl_attr_put_u32(request, INET_DIAG_REQ_PROTOCOL,
				(uint32_t)query->protocol);
		}
	}
	parse->sequence = request->nlmsg_seq;
	return sock_diag_run_dump(diag, request, parse);
}

int
sock_diag_dump(struct sock_diag *diag, const struct sock_diag_query *query,
	sock_diag_fn fn, void *context)
{
	struct sock_diag_filter filter = { .query = query, .fn = fn, .context = context };
	struct sock_diag_parse parse = {
		.protocol = query->protocol,
		.fn = sock_diag_filter_fn,
		.context = &filter,
	};
	int r;

	if (query->protocol == IPPROTO_TCP)
		return sock_diag_dump_family(diag, query, AF_UNSPEC, &parse);
	r = sock_diag_dump_family(diag, query, AF_INET, &parse);
	if (r)
		return r;
	r = sock_diag_dump_family(diag, query, AF_INET6, &parse);
	/* A kernel without IPv6 (ipv6.disable=1, or the module absent) has none to tell.
	 */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* ---- ending */

static void
sock_diag_put_words(uint32_t words[4], int family, const struct in6_addr *address)
{
	if (family == AF_INET6)
		memcpy(words, address->s6_addr, 16);
	else
		memcpy(&words[0], &address->s6_addr[12], 4);
}

static size_t
sock_diag_put_destroy(struct sock_diag *diag, char *buffer,
	const struct sock_diag_socket *socket, uint16_t flags)
{
	struct nlmsghdr *request =
		sock_diag_put_request(diag, buffer, SOCK_DESTROY, flags);
	struct inet_diag_req_v2 *body =
		mnl_nlmsg_put_extra_header(request, sizeof(*body));

	body->sdiag_family = (uint8_t)socket->family;
	body->sdiag_protocol = (uint8_t)(socket->protocol & 0xff);
	body->idiag_states = UINT32_MAX;
	body->id.idiag_sport = htons(socket->local_port);
	body->id.idiag_dport = htons(socket->remote_port);
	sock_diag_put_words(body->id.idiag_src, socket->family, &socket->local);
	sock_diag_put_words(body->id.idiag_dst, socket->family, &socket->remote);
	body->id.idiag_if = socket->ifindex;
	body->id.idiag_cookie[0] = socket->cookie[0];
	body->id.idiag_cookie[1] = socket->cookie[1];
	if (socket->protocol > 0xff) {
		body->sdiag_protocol = IPPROTO_RAW;
		mnl_attr_put_u32(
			request, INET_DIAG_REQ_PROTOCOL, (uint32_t)socket->protocol);
	}
	return request->nlmsg_len;
}

/*
 * Reads acknowledgements until that of the last message. Only failures and the last
 * message are acknowledged, and the kernel works through a batch in its order
 * (netlink_rcv_skb()).
 */
static int
sock_diag_read_acks(
	struct sock_diag *diag, uint32_t first, size_t n_messages, int *results)
{
	uint32_t last = first + (uint32_t)n_messages - 1;

	for (;;) {
		struct sock_diag_cursor cursor = { .at = diag->buffer };
		const struct nlmsghdr *message;
		ssize_t length;
		int r = sock_diag_receive(diag, &length);

		if (r < 0)
			return r;
		cursor.left = (size_t)length;
		while ((message = sock_diag_next_message(&cursor))) {
			uint32_t index = message->nlmsg_seq - first;

			if (message->nlmsg_type != NLMSG_ERROR || index >= n_messages)
				continue;
			results[index] = sock_diag_parse_errno(message);
			if (message->nlmsg_seq == last)
				return 0;
		}
	}
}

int
sock_diag_destroy_many(struct sock_diag *diag,
	const struct sock_diag_socket *const *sockets, size_t n_sockets, int *results)
{
	char batch[SOCK_DIAG_BATCH * SOCK_DIAG_REQUEST_MAX] __attribute__((aligned(8)));
	size_t done = 0;

	while (done < n_sockets) {
		size_t n = n_sockets - done < SOCK_DIAG_BATCH ? n_sockets - done
							      : SOCK_DIAG_BATCH;
		uint32_t first = diag->sequence + 1;
		size_t used = 0;
		int r;

		for (size_t i = 0; i < n; i++) {
			memset(batch + used, 0, SOCK_DIAG_REQUEST_MAX);
			used += sock_diag_put_destroy(diag, batch + used,
				sockets[done + i], i == n - 1 ? NLM_F_ACK : 0);
			results[done + i] = 0;
		}
		r = mnl_socket_sendto(diag->netlink, batch, used) < 0 ? -errno : 0;
		if (r == 0)
			r = sock_diag_read_acks(diag, first, n, results + done);
		if (r < 0) {
			for (size_t i = done; i < n_sockets; i++)
				results[i] = -EIO;
			return r;
		}
		done += n;
	}
	return 0;
}

/* ---- AF_UNIX */

struct sock_diag_unix_name {
	const char *name;
	size_t length;
	bool matches;	/* the message at hand has that name */
	uint32_t inode; /* 0 until found */
};

/* The kernel's name of a path has no NUL at its end, an abstract one keeps its first. */
static int
sock_diag_unix_attribute(const struct nlattr *attribute, void *context)
{
	struct sock_diag_unix_name *wanted = context;

	if (mnl_attr_get_type(attribute) == UNIX_DIAG_NAME &&
		mnl_attr_get_payload_len(attribute) == wanted->length &&
		memcmp(mnl_attr_get_payload(attribute), wanted->name, wanted->length) ==
			0)
		wanted->matches = true;
	return MNL_CB_OK;
}

static int
sock_diag_unix_message(const struct nlmsghdr *message, void *context)
{
	struct sock_diag_unix_name *wanted = context;
	struct unix_diag_msg base;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(base))
		return -EBADMSG;
	memcpy(&base, mnl_nlmsg_get_payload(message), sizeof(base));
	wanted->matches = false;
	sock_diag_parse_attributes(
		message, sizeof(base), sock_diag_unix_attribute, wanted);
	if (wanted->matches && base.udiag_state != SOCK_DIAG_ESTABLISHED)
		wanted->inode = base.udiag_ino;
	return 0;
}

int
sock_diag_find_unix(
	struct sock_diag *diag, const char *name, size_t length, uint32_t *ret_inode)
{
	struct sock_diag_unix_name wanted = { .name = name, .length = length };
	char buffer[SOCK_DIAG_REQUEST_MAX] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *request =
		sock_diag_put_request(diag, buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct unix_diag_req *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	bool interrupted = false; /* by others' sockets: this one was seen or not */
	ssize_t received;
	int r;

	body->sdiag_family = AF_UNIX;
	body->udiag_states = UINT32_MAX;
	body->udiag_show = UDIAG_SHOW_NAME;
	if (mnl_socket_sendto(diag->netlink, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		r = sock_diag_receive(diag, &received);
		if (r < 0)
			return r;
		r = sock_diag_walk(diag->buffer, (size_t)received, diag->sequence,
			&interrupted, sock_diag_unix_message, &wanted);
	} while (r == SOCK_DIAG_PARSE_MORE);
	if (r < 0)
		return r;
	if (!wanted.inode)
		return -ENOENT;
	*ret_inode = wanted.inode;
	return 0;
}
