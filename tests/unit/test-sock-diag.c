/* SPDX-License-Identifier: MIT */
/*
 * test-sock-diag: replies as the kernel never sends them (cut short, interrupted, with
 * impossible lengths), and the kernel itself with sockets of this process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/cleanup.h"
#include "protocol/sock-diag.h"

#define TEST_SEQUENCE 7
#define TEST_MANY 600

/* ---- the kernel's replies, spoilt on their way: takes the place of libmnl's function */

enum test_spoil { TEST_WHOLE, TEST_INTERRUPT, TEST_CUT, TEST_REFUSE };

static struct {
	enum test_spoil how;
	int n_left; /* how many more replies to spoil */
	int n_replies;
} test_wire;

ssize_t mnl_socket_recvfrom(const struct mnl_socket *netlink, void *buffer, size_t size);

ssize_t
mnl_socket_recvfrom(const struct mnl_socket *netlink, void *buffer, size_t size)
{
	ssize_t length = recv(mnl_socket_get_fd(netlink), buffer, size, 0);
	struct nlmsghdr *first = buffer;
	const int refusal = -EOPNOTSUPP;

	test_wire.n_replies++;
	if (length < (ssize_t)sizeof(*first) || test_wire.n_left <= 0)
		return length;
	test_wire.n_left--;
	if (test_wire.how == TEST_INTERRUPT)
		first->nlmsg_flags |= NLM_F_DUMP_INTR;
	if (test_wire.how == TEST_CUT)
		length -= 3;
	if (test_wire.how == TEST_REFUSE && first->nlmsg_type == NLMSG_ERROR)
		memcpy(NLMSG_DATA(first), &refusal, sizeof(refusal));
	return length;
}

static void
test_spoil(enum test_spoil how, int n_replies)
{
	test_wire.how = how;
	test_wire.n_left = n_replies;
	test_wire.n_replies = 0;
}

/* ---- made-up replies */

struct test_reply {
	char bytes[4096] __attribute__((aligned(8)));
	size_t length;
};

static void
test_put(struct test_reply *reply, uint16_t type, uint16_t flags, uint32_t sequence,
	const void *body, size_t length)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + length),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = sequence,
	};

	memcpy(reply->bytes + reply->length, &header, sizeof(header));
	memcpy(reply->bytes + reply->length + NLMSG_HDRLEN, body, length);
	reply->length += NLMSG_ALIGN(header.nlmsg_len);
}

static struct inet_diag_msg
test_message(uint8_t family, uint8_t state)
{
	struct inet_diag_msg message = {
		.idiag_family = family,
		.idiag_state = state,
		.idiag_timer = 3,
		.idiag_expires = 42000,
		.id = { .idiag_sport = htons(49200), .idiag_dport = htons(40000) },
	};

	message.id.idiag_src[0] = htonl(0x7f000001);
	message.id.idiag_dst[0] = htonl(0x0a000001);
	return message;
}

static void
test_put_socket(struct test_reply *reply, uint8_t state, uint16_t flags)
{
	struct inet_diag_msg message = test_message(AF_INET, state);

	test_put(reply, SOCK_DIAG_BY_FAMILY, flags, TEST_SEQUENCE, &message,
		sizeof(message));
}

static void
test_put_number(struct test_reply *reply, uint16_t type, int number)
{
	test_put(reply, type, 0, TEST_SEQUENCE, &number, sizeof(number));
}

static int
test_take(const struct sock_diag_socket *socket, void *context)
{
	return sock_diag_list_add(context, socket);
}

static int
test_parse_bytes(const void *bytes, size_t length, struct sock_diag_list *list,
	bool *ret_interrupted)
{
	struct sock_diag_parse parse = {
		.sequence = TEST_SEQUENCE,
		.protocol = IPPROTO_TCP,
		.fn = test_take,
		.context = list,
	};
	int r = sock_diag_parse(&parse, bytes, length);

	*ret_interrupted = parse.interrupted;
	return r;
}

static int
test_parse(const struct test_reply *reply, struct sock_diag_list *list,
	bool *ret_interrupted)
{
	return test_parse_bytes(reply->bytes, reply->length, list, ret_interrupted);
}

static void
a_whole_reply_gives_its_sockets(void **state)
{
	struct test_reply reply = { .length = 0 };
	struct sock_diag_list list = { 0 };
	char text[SOCK_DIAG_ENDPOINT_MAX];
	bool interrupted;

	(void)state;
	test_put_socket(&reply, SOCK_DIAG_TIME_WAIT, NLM_F_MULTI);
	test_put_socket(&reply, SOCK_DIAG_ESTABLISHED, NLM_F_MULTI);
	assert_int_equal(test_parse(&reply, &list, &interrupted), SOCK_DIAG_PARSE_MORE);
	assert_false(interrupted);
	test_put_number(&reply, NLMSG_DONE, 0);
	assert_int_equal(test_parse(&reply, &list, &interrupted), SOCK_DIAG_PARSE_DONE);
	assert_int_equal(list.n_sockets, 4);
	assert_int_equal(list.sockets[0].state, SOCK_DIAG_TIME_WAIT);
	assert_int_equal(list.sockets[0].timer_msec, 42000);
	assert_int_equal(list.sockets[0].local_port, 49200);
	assert_true(sock_diag_is_kernel_only(&list.sockets[0]));
	assert_string_equal(sock_diag_format_endpoint(
				    &list.sockets[0].remote, 80, text, sizeof(text)),
		"10.0.0.1:80");
	sock_diag_list_done(&list);
}

static void
every_cut_of_a_reply_is_more_or_bad_and_never_a_crash(void **state)
{
	struct test_reply reply = { .length = 0 };
	bool interrupted;

	(void)state;
	test_put_socket(&reply, SOCK_DIAG_TIME_WAIT, NLM_F_MULTI);
	test_put_socket(&reply, SOCK_DIAG_TIME_WAIT, NLM_F_MULTI);
	for (size_t length = 0; length <= reply.length; length++) {
		struct sock_diag_list list = { 0 };
		bool whole = length % (reply.length / 2) == 0;
		/* Of its own size, so that a sanitizer sees one byte too many. */
		char *copy = malloc(length ? length : 1);
		int r;

		assert_non_null(copy);
		memcpy(copy, reply.bytes, length);
		r = test_parse_bytes(copy, length, &list, &interrupted);
		assert_int_equal(r, whole ? SOCK_DIAG_PARSE_MORE : -EBADMSG);
		assert_int_equal(list.n_sockets, length / (reply.length / 2));
		sock_diag_list_done(&list);
		free(copy);
	}
}

static void
an_interrupted_dump_is_reported(void **state)
{
	struct test_reply reply = { .length = 0 };
	struct sock_diag_list list = { 0 };
	bool interrupted;

	(void)state;
	test_put_socket(&reply, SOCK_DIAG_TIME_WAIT, NLM_F_MULTI | NLM_F_DUMP_INTR);
	test_put_number(&reply, NLMSG_DONE, 0);
	assert_int_equal(test_parse(&reply, &list, &interrupted), SOCK_DIAG_PARSE_DONE);
	assert_true(interrupted);
	sock_diag_list_done(&list);
}

/* clang-format off */
static const struct test_code {
	uint16_t type;
	int code;
	int wanted;
} test_codes[] = {
	{ NLMSG_ERROR, -EPERM,  -EPERM },
	{ NLMSG_ERROR, 0,       0 },
	{ NLMSG_ERROR, 5,       -EBADMSG },
	{ NLMSG_ERROR, INT32_MIN, -EBADMSG },
	{ NLMSG_DONE,  -ENOENT, -ENOENT },
	{ NLMSG_DONE,  1,       -EBADMSG },
};
/* clang-format on */

static void
errors_of_the_kernel_are_passed_on_and_nonsense_is_not(void **state)
{
	bool interrupted;

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_codes); i++) {
		struct test_reply reply = { .length = 0 };
		struct sock_diag_list list = { 0 };

		test_put_number(&reply, test_codes[i].type, test_codes[i].code);
		assert_int_equal(
			test_parse(&reply, &list, &interrupted), test_codes[i].wanted);
	}
}

static void
foreign_messages_are_passed_over(void **state)
{
	struct test_reply reply = { .length = 0 };
	struct sock_diag_list list = { 0 };
	struct inet_diag_msg message = test_message(AF_INET, SOCK_DIAG_LISTEN);
	int error = -EPERM;
	bool interrupted;

	(void)state;
	test_put(&reply, SOCK_DIAG_BY_FAMILY, 0, TEST_SEQUENCE + 1, &message,
		sizeof(message));
	test_put(&reply, NLMSG_ERROR, 0, TEST_SEQUENCE - 1, &error, sizeof(error));
	test_put(&reply, NLMSG_NOOP, 0, TEST_SEQUENCE, &error, sizeof(error));
	assert_int_equal(test_parse(&reply, &list, &interrupted), SOCK_DIAG_PARSE_MORE);
	assert_int_equal(list.n_sockets, 0);
}

static void
a_socket_of_an_unknown_family_or_state_is_bad(void **state)
{
	const struct inet_diag_msg messages[] = {
		test_message(AF_UNIX, SOCK_DIAG_LISTEN),
		test_message(AF_INET, SOCK_DIAG_STATE_MAX),
		test_message(AF_INET6, 255),
	};
	bool interrupted;

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(messages); i++) {
		struct test_reply reply = { .length = 0 };
		struct sock_diag_list list = { 0 };

		test_put(&reply, SOCK_DIAG_BY_FAMILY, 0, TEST_SEQUENCE, &messages[i],
			sizeof(messages[i]));
		assert_int_equal(test_parse(&reply, &list, &interrupted), -EBADMSG);
	}
}

static void
attributes_that_are_too_short_change_nothing(void **state)
{
	struct {
		struct inet_diag_msg message;
		struct nlattr info;
		uint32_t too_short;
		struct nlattr v6only; /* says four bytes, has none */
	} body = {
		.message = test_message(AF_INET6, SOCK_DIAG_LISTEN),
		.info = { .nla_len = sizeof(struct nlattr) + 4,
			.nla_type = INET_DIAG_INFO },
		.v6only = { .nla_len = 8, .nla_type = INET_DIAG_SKV6ONLY },
	};
	struct test_reply reply = { .length = 0 };
	struct sock_diag_list list = { 0 };
	bool interrupted;

	(void)state;
	test_put(&reply, SOCK_DIAG_BY_FAMILY, 0, TEST_SEQUENCE, &body, sizeof(body));
	assert_int_equal(test_parse(&reply, &list, &interrupted), SOCK_DIAG_PARSE_MORE);
	assert_int_equal(list.n_sockets, 1);
	assert_false(list.sockets[0].has_info);
	assert_int_equal(list.sockets[0].v6only, -1);
	sock_diag_list_done(&list);
}

/* ---- the kernel */

static uint16_t
test_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int
test_bound(int family, int type)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(bind(fd, (struct sockaddr *)&six, sizeof(six)), 0);
	else
		assert_int_equal(bind(fd, (struct sockaddr *)&four, sizeof(four)), 0);
	return fd;
}

static void
a_listener_is_found_with_its_queue_and_limit(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int listener = test_bound(AF_INET, SOCK_STREAM);
	PK_CLOSE int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(test_port(listener)),
	};
	const struct sock_diag_query query = {
		.protocol = IPPROTO_TCP,
		.states = SOCK_DIAG_STATE_BIT(SOCK_DIAG_LISTEN),
		.local_port = test_port(listener),
		.want_info = true,
	};
	struct sock_diag_list list = { 0 };

	(void)state;
	assert_int_equal(listen(listener, 9), 0);
	assert_int_equal(
		connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_collect(diag, &query, &list), 0);
	assert_int_equal(list.n_sockets, 1);
	assert_int_equal(list.sockets[0].state, SOCK_DIAG_LISTEN);
	assert_int_equal(list.sockets[0].receive_queue, 1);
	assert_int_equal(list.sockets[0].send_queue, 9);
	assert_true(list.sockets[0].has_info);
	assert_int_equal(list.sockets[0].listen_queue, 1);
	assert_int_equal(list.sockets[0].listen_limit, 9);
	assert_int_equal(list.sockets[0].uid, geteuid());
	assert_int_not_equal(list.sockets[0].inode, 0);
	sock_diag_list_done(&list);
}

static void
udp_is_found_and_other_ports_are_not(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int one = test_bound(AF_INET, SOCK_DGRAM);
	PK_CLOSE int two = test_bound(AF_INET, SOCK_DGRAM);
	struct sock_diag_list list = { 0 };
	size_t n_udp = 0;

	(void)state;
	assert_int_not_equal(test_port(one), test_port(two));
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_collect_port(diag, test_port(one), true, &list), 0);
	for (size_t i = 0; i < list.n_sockets; i++) {
		assert_int_equal(list.sockets[i].local_port, test_port(one));
		n_udp += list.sockets[i].protocol == IPPROTO_UDP;
	}
	assert_int_equal(n_udp, 1);
	sock_diag_list_done(&list);
}

static int
test_stop(const struct sock_diag_socket *socket, void *context)
{
	(void)socket;
	return ++*(int *)context == 1 ? 42 : -1;
}

static void
a_callback_can_stop_a_dump_and_the_next_one_works(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int one = test_bound(AF_INET, SOCK_STREAM);
	PK_CLOSE int two = test_bound(AF_INET, SOCK_STREAM);
	const struct sock_diag_query query = { .protocol = IPPROTO_TCP };
	struct sock_diag_list list = { 0 };
	int n_calls = 0;

	(void)state;
	assert_int_equal(listen(one, 1), 0);
	assert_int_equal(listen(two, 1), 0);
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_dump(diag, &query, test_stop, &n_calls), 42);
	assert_int_equal(n_calls, 1);
	assert_int_equal(sock_diag_collect(diag, &query, &list), 0);
	assert_true(list.n_sockets >= 2);
	sock_diag_list_done(&list);
}

static void
a_stale_cookie_protects_the_next_socket(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int listener = test_bound(AF_INET, SOCK_STREAM);
	const struct sock_diag_query query = {
		.protocol = IPPROTO_TCP,
		.local_port = test_port(listener),
	};
	const struct sock_diag_socket *pointers[3];
	struct sock_diag_list list = { 0 };
	int results[3];

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_collect(diag, &query, &list), 0);
	assert_int_equal(list.n_sockets, 1);
	list.sockets[0].cookie[0]++;
	for (size_t i = 0; i < 3; i++)
		pointers[i] = &list.sockets[0];
	assert_int_equal(sock_diag_destroy_many(diag, pointers, 3, results), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(results[i], -ENOENT);
	assert_int_equal(sock_diag_destroy_many(diag, pointers, 0, results), 0);
	sock_diag_list_done(&list);
	assert_int_equal(sock_diag_collect(diag, &query, &list), 0);
	assert_int_equal(list.n_sockets, 1);
	sock_diag_list_done(&list);
}

/* One listener, so that each dump is one reply with it, or two with the end apart. */
static int
test_count_listeners(struct sock_diag *diag, uint16_t port, size_t *ret_n)
{
	const struct sock_diag_query query = { .protocol = IPPROTO_TCP,
		.local_port = port };
	struct sock_diag_list list = { 0 };
	int r = sock_diag_collect(diag, &query, &list);

	*ret_n = list.n_sockets;
	sock_diag_list_done(&list);
	return r;
}

static void
an_interrupted_dump_is_asked_for_again_but_not_for_ever(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int listener = test_bound(AF_INET, SOCK_STREAM);
	size_t n = 0;

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(sock_diag_open(&diag), 0);
	test_spoil(TEST_INTERRUPT, 1);
	assert_int_equal(test_count_listeners(diag, test_port(listener), &n), 0);
	assert_int_equal(n, 1); /* what the first one gave is not counted twice */
	test_spoil(TEST_INTERRUPT, INT32_MAX);
	assert_int_equal(test_count_listeners(diag, test_port(listener), &n), -EINTR);
	assert_int_equal(n, 0);
	assert_in_range(test_wire.n_replies, 5, 10);
	test_spoil(TEST_WHOLE, 0);
	assert_int_equal(test_count_listeners(diag, test_port(listener), &n), 0);
	assert_int_equal(n, 1);
}

/* A dump of many replies, so that the kernel is not at its end when the first one is bad.
 */
static void
after_a_reply_cut_short_the_handle_is_as_new(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	int listeners[TEST_MANY];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < TEST_MANY; i++) {
		listeners[i] = test_bound(AF_INET, SOCK_STREAM);
		assert_int_equal(listen(listeners[i], 1), 0);
	}
	assert_int_equal(sock_diag_open(&diag), 0);
	for (int i = 0; i < 3; i++) {
		test_spoil(TEST_CUT, 1);
		assert_int_equal(test_count_listeners(diag, 0, &n), -EBADMSG);
		assert_int_equal(n, 0);
		test_spoil(TEST_WHOLE, 0);
		assert_int_equal(test_count_listeners(diag, 0, &n), 0);
		assert_true(n >= TEST_MANY);
		assert_true(test_wire.n_replies > 2);
	}
	for (size_t i = 0; i < TEST_MANY; i++)
		(void)close(listeners[i]);
}

static void
a_kernel_that_cannot_end_sockets_is_told_apart(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	/* No such socket: on its own the kernel would say -ENOENT. */
	const struct sock_diag_socket nothing = {
		.family = AF_INET,
		.protocol = IPPROTO_TCP,
		.cookie = { 1, 1 },
	};

	(void)state;
	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_destroy(diag, &nothing), -ENOENT);
	test_spoil(TEST_REFUSE, 1);
	assert_int_equal(sock_diag_destroy(diag, &nothing), -EOPNOTSUPP);
	test_spoil(TEST_WHOLE, 0);
}

static void
an_abstract_unix_socket_is_found_by_its_name(void **state)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	PK_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint32_t inode = 0;
	int n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "pk-test-%d",
		(int)getpid());

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					 (size_t)n)),
		0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(sock_diag_open(&diag), 0);
	if (sock_diag_find_unix(diag, address.sun_path, (size_t)n + 1, &inode) == -ENOENT)
		fail_msg("not found (is unix_diag missing?)");
	assert_int_not_equal(inode, 0);
	assert_int_equal(
		sock_diag_find_unix(diag, address.sun_path, (size_t)n, &inode), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_reply_gives_its_sockets),
		cmocka_unit_test(every_cut_of_a_reply_is_more_or_bad_and_never_a_crash),
		cmocka_unit_test(an_interrupted_dump_is_reported),
		cmocka_unit_test(errors_of_the_kernel_are_passed_on_and_nonsense_is_not),
		cmocka_unit_test(foreign_messages_are_passed_over),
		cmocka_unit_test(a_socket_of_an_unknown_family_or_state_is_bad),
		cmocka_unit_test(attributes_that_are_too_short_change_nothing),
		cmocka_unit_test(a_listener_is_found_with_its_queue_and_limit),
		cmocka_unit_test(udp_is_found_and_other_ports_are_not),
		cmocka_unit_test(a_callback_can_stop_a_dump_and_the_next_one_works),
		cmocka_unit_test(a_stale_cookie_protects_the_next_socket),
		cmocka_unit_test(an_interrupted_dump_is_asked_for_again_but_not_for_ever),
		cmocka_unit_test(after_a_reply_cut_short_the_handle_is_as_new),
		cmocka_unit_test(a_kernel_that_cannot_end_sockets_is_told_apart),
		cmocka_unit_test(an_abstract_unix_socket_is_found_by_its_name),
	};

	return cmocka_run_group_tests_name("sock-diag", tests, NULL, NULL);
}
