/* SPDX-License-Identifier: MIT */
/*
 * test-bind-diagnosis: the rule against the kernel itself. In a network namespace of its
 * own each kind of existing socket (7 addresses, 5 states, 4 combinations of SO_REUSEADDR
 * and SO_REUSEPORT) meets each bind (7 addresses, 4 combinations), and
 * bind_diagnosis_ask() must say what bind() then does.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4(), unshare() */
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/bind-diagnosis.h"
#include "protocol/cleanup.h"

static const struct bind_port_range test_range = { 32768, 60999 };

/* clang-format off */
static const struct test_place {
	const char *text;
	int family;
	const char *address;
	bool v6only;
	const char *peer; /* where a client reaches it */
	int peer_family;
} test_places[] = {
	{ "0.0.0.0",            AF_INET,  "0.0.0.0",          false, "127.0.0.1", AF_INET },
	{ "127.0.0.1",          AF_INET,  "127.0.0.1",        false, "127.0.0.1", AF_INET },
	{ "127.0.0.2",          AF_INET,  "127.0.0.2",        false, "127.0.0.2", AF_INET },
	{ "[::] dual-stack",    AF_INET6, "::",               false, "127.0.0.1", AF_INET },
	{ "[::] v6only",        AF_INET6, "::",               true,  "::1",       AF_INET6 },
	{ "[::1]",              AF_INET6, "::1",              true,  "::1",       AF_INET6 },
	{ "[::ffff:127.0.0.1]", AF_INET6, "::ffff:127.0.0.1", false, "127.0.0.1", AF_INET },
};

enum test_state { TEST_BOUND, TEST_LISTEN, TEST_ACCEPTED, TEST_TIME_WAIT, TEST_OUTGOING, TEST_STATE_MAX };
static const char *const test_state_names[] = { "bound", "listening", "accepted, listener closed", "TIME_WAIT", "outgoing" };
/* clang-format on */

static struct socket_address
test_address(int family, const char *address, bool v6only, uint16_t port, int type)
{
	struct socket_address result = { .type = type, .dual_stack = !v6only };

	if (family == AF_INET) {
		result.length = sizeof(result.storage.in);
		result.storage.in.sin_family = AF_INET;
		result.storage.in.sin_port = htons(port);
		assert_int_equal(
			inet_pton(AF_INET, address, &result.storage.in.sin_addr), 1);
	} else {
		result.length = sizeof(result.storage.in6);
		result.storage.in6.sin6_family = AF_INET6;
		result.storage.in6.sin6_port = htons(port);
		assert_int_equal(
			inet_pton(AF_INET6, address, &result.storage.in6.sin6_addr), 1);
	}
	return result;
}

static struct socket_address
test_place_address(const struct test_place *place, uint16_t port, int type)
{
	return test_address(place->family, place->address, place->v6only, port, type);
}

static int
test_socket(const struct socket_address *address, bool reuse_address, bool reuse_port)
{
	int fd = socket(address->storage.any.sa_family, address->type | SOCK_CLOEXEC, 0);
	int on = 1;
	int v6only = !address->dual_stack;

	assert_true(fd >= 0);
	if (reuse_address)
		assert_int_equal(
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (reuse_port)
		assert_int_equal(
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	if (address->storage.any.sa_family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
					 sizeof(v6only)),
			0);
	return fd;
}

/* The sockets of one scene, to be closed at its end; -1 where there is none. */
struct test_scene {
	int fds[4];
};

static void
test_scene_end(struct test_scene *scene)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < PK_ARRAY_SIZE(scene->fds); i++) {
		if (scene->fds[i] < 0)
			continue;
		(void)setsockopt(
			scene->fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		scene->fds[i] = pk_close(scene->fds[i]);
	}
}

/* Makes one connection to the listener; the server's end closes first if `time_wait`. */
static void
test_scene_connect(struct test_scene *scene, const struct test_place *place,
	uint16_t port, bool time_wait)
{
	struct socket_address peer =
		test_address(place->peer_family, place->peer, true, port, SOCK_STREAM);
	char byte;

	scene->fds[1] = test_socket(&peer, false, false);
	assert_int_equal(connect(scene->fds[1], &peer.storage.any, peer.length), 0);
	scene->fds[2] = accept4(scene->fds[0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(scene->fds[2] >= 0);
	scene->fds[0] = pk_close(scene->fds[0]);
	if (time_wait) {
		scene->fds[2] = pk_close(scene->fds[2]);
		/* The end of file has come, so FIN is acknowledged: the rest is
		 * synchronous. */
		assert_int_equal(read(scene->fds[1], &byte, 1), 0);
		scene->fds[1] = pk_close(scene->fds[1]);
	}
}

/* A client whose own port is `port`, bound as connect() alone would have chosen it. */
static void
test_scene_outgoing(struct test_scene *scene, const struct test_place *place,
	uint16_t port, bool reuse_address, bool reuse_port)
{
	struct socket_address server =
		test_address(place->peer_family, place->peer, true, 8000, SOCK_STREAM);
	struct socket_address local =
		test_address(place->peer_family, place->peer, true, port, SOCK_STREAM);

	scene->fds[0] = test_socket(&server, true, false);
	assert_int_equal(bind(scene->fds[0], &server.storage.any, server.length), 0);
	assert_int_equal(listen(scene->fds[0], 8), 0);
	scene->fds[1] = test_socket(&local, reuse_address, reuse_port);
	assert_int_equal(bind(scene->fds[1], &local.storage.any, local.length), 0);
	assert_int_equal(connect(scene->fds[1], &server.storage.any, server.length), 0);
	scene->fds[2] = accept4(scene->fds[0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(scene->fds[2] >= 0);
}

static void
test_scene_begin(struct test_scene *scene, const struct test_place *place,
	enum test_state state, int flags, uint16_t port)
{
	struct socket_address address = test_place_address(place, port, SOCK_STREAM);

	*scene = (struct test_scene){ { -1, -1, -1, -1 } };
	if (state == TEST_OUTGOING) {
		test_scene_outgoing(scene, place, port, flags & 1, flags & 2);
		return;
	}
	scene->fds[0] = test_socket(&address, flags & 1, flags & 2);
	assert_int_equal(bind(scene->fds[0], &address.storage.any, address.length), 0);
	if (state == TEST_BOUND)
		return;
	assert_int_equal(listen(scene->fds[0], 8), 0);
	if (state == TEST_ACCEPTED || state == TEST_TIME_WAIT)
		test_scene_connect(scene, place, port, state == TEST_TIME_WAIT);
}

static void
test_collect(uint16_t port, struct sock_diag_list *list)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;

	assert_int_equal(sock_diag_open(&diag), 0);
	assert_int_equal(sock_diag_collect_port(diag, port, false, list), 0);
	assert_true(list->n_sockets > 0);
}

static int
test_bind(const struct socket_address *address, int flags)
{
	PK_CLOSE int fd = test_socket(address, flags & 1, flags & 2);

	return bind(fd, &address->storage.any, address->length) < 0 ? -errno : 0;
}

/* Counts the binds on which rule and kernel differ, and names them. */
static int
test_scene_compare(const char *what, int flags, const struct sock_diag_list *list,
	uint16_t port, int type)
{
	int n_wrong = 0;

	for (size_t i = 0; i < PK_ARRAY_SIZE(test_places) * 4; i++) {
		const struct test_place *place = &test_places[i / 4];
		struct socket_address address = test_place_address(place, port, type);
		struct bind_question question = {
			.address = &address,
			.reuse_address = i & 1,
			.reuse_port = i & 2,
			.uid = getuid(),
			.ephemeral = test_range,
		};
		struct bind_answer answer;
		int r;

		bind_diagnosis_ask(&question, list, &answer);
		r = test_bind(&address, (int)(i % 4));
		assert_true(r == 0 || r == -EADDRINUSE);
		if (answer.verdict == (r ? BIND_BLOCKED : BIND_POSSIBLE))
			continue;
		n_wrong++;
		print_error("%s (addr %d, port %d) then bind %s (addr %zu, port %zu): "
			    "kernel %d, "
			    "rule %d\n",
			what, flags & 1, (flags >> 1) & 1, place->text, i & 1,
			(i >> 1) & 1, r, (int)answer.verdict);
	}
	return n_wrong;
}

static void
test_set_flags(struct sock_diag_list *list, int flags)
{
	for (size_t i = 0; i < list->n_sockets; i++) {
		list->sockets[i].reuse_address = flags & 1;
		list->sockets[i].reuse_port = (flags >> 1) & 1;
	}
}

static void
the_rule_says_what_bind_does(void **state)
{
	uint16_t port = 33000;
	int n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_places); i++) {
		for (int s = 0; s < TEST_STATE_MAX; s++) {
			for (int flags = 0; flags < 4; flags++) {
				struct sock_diag_list list = { 0 };
				struct test_scene scene;
				char what[128];

				port++;
				test_scene_begin(&scene, &test_places[i],
					(enum test_state)s, flags, port);
				test_collect(port, &list);
				test_set_flags(&list, flags);
				(void)snprintf(what, sizeof(what), "%s %s",
					test_places[i].text, test_state_names[s]);
				n_wrong += test_scene_compare(
					what, flags, &list, port, SOCK_STREAM);
				sock_diag_list_done(&list);
				test_scene_end(&scene);
			}
		}
	}
	assert_int_equal(n_wrong, 0);
}

static void
the_rule_says_what_bind_does_with_udp(void **state)
{
	uint16_t port = 20000;
	int n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_places) * 4; i++) {
		const struct test_place *place = &test_places[i / 4];
		struct socket_address address =
			test_place_address(place, ++port, SOCK_DGRAM);
		PK_CLOSE int fd = test_socket(&address, i & 1, i & 2);
		struct sock_diag_list list = { 0 };

		assert_int_equal(bind(fd, &address.storage.any, address.length), 0);
		test_collect(port, &list);
		test_set_flags(&list, (int)(i % 4));
		n_wrong += test_scene_compare(
			place->text, (int)(i % 4), &list, port, SOCK_DGRAM);
		sock_diag_list_done(&list);
	}
	assert_int_equal(n_wrong, 0);
}

static void
unknown_flags_give_an_uncertain_answer_and_never_a_wrong_one(void **state)
{
	const struct test_place *place = &test_places[1];
	struct sock_diag_list list = { 0 };
	struct test_scene scene;
	struct socket_address address = test_place_address(place, 34999, SOCK_STREAM);
	struct bind_question question = { .address = &address, .ephemeral = test_range };
	struct bind_answer answer;

	(void)state;
	test_scene_begin(&scene, place, TEST_TIME_WAIT, 1, 34999);
	test_collect(34999, &list);
	bind_diagnosis_ask(&question, &list, &answer);
	assert_int_equal(answer.verdict, BIND_BLOCKED);
	assert_int_equal(answer.n_blockers[BIND_BLOCKER_TIME_WAIT], 1);
	assert_in_range(answer.free_in_msec, 1, 60000);
	question.reuse_address = true;
	bind_diagnosis_ask(&question, &list, &answer);
	assert_int_equal(answer.verdict, BIND_UNCERTAIN);
	assert_int_equal(bind_diagnosis_try(&address, true), 0);
	assert_int_equal(bind_diagnosis_try(&address, false), -EADDRINUSE);
	sock_diag_list_done(&list);
	test_scene_end(&scene);
}

/* ---- words, with sockets that were never there */

static struct sock_diag_socket
test_made_up(
	enum sock_diag_state state, uint32_t inode, uint16_t remote_port, uint32_t msec)
{
	struct sock_diag_socket made = {
		.family = AF_INET,
		.protocol = IPPROTO_TCP,
		.state = state,
		.local_port = 49200,
		.remote_port = remote_port,
		.timer = msec ? SOCK_DIAG_TIMER_TIME_WAIT : SOCK_DIAG_TIMER_NONE,
		.timer_msec = msec,
		.inode = inode,
		.uid = 1000,
		.reuse_address = -1,
		.reuse_port = -1,
	};

	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &made.local), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.2", &made.remote), 1);
	return made;
}

static struct socket_owner test_owner = {
	.inode = 77, .pid = 12, .fd = 3, .comm = "nginx", .unit = "nginx.service"
};

/* clang-format off */
static const struct test_reason {
	enum sock_diag_state state;
	uint32_t inode;
	uint16_t remote_port;
	uint32_t msec;
	size_t count;
	const char *wanted;
} test_reasons[] = {
	{ SOCK_DIAG_LISTEN, 77, 0, 0, 1, "nginx (pid 12, nginx.service) listens on 10.0.0.1:49200" },
	{ SOCK_DIAG_LISTEN, 78, 0, 0, 1, "a process that may not be seen (uid 1000) listens on 10.0.0.1:49200" },
	{ SOCK_DIAG_BOUND_INACTIVE, 77, 0, 0, 1, "nginx (pid 12, nginx.service) has bound 10.0.0.1:49200" },
	{ SOCK_DIAG_TIME_WAIT, 0, 40000, 42100, 1, "1 connection of a dead process is in TIME_WAIT, gone in 43 s" },
	{ SOCK_DIAG_TIME_WAIT, 0, 40000, 42100, 12, "12 connections of a dead process are in TIME_WAIT, the last one gone in 43 s" },
	{ SOCK_DIAG_LAST_ACK, 0, 40000, 0, 2, "2 connections of a dead process are still closing (LAST_ACK)" },
	{ SOCK_DIAG_FIN_WAIT_2, 0, 40000, 59000, 1, "1 connection of a dead process is still closing (FIN_WAIT_2), gone in 59 s" },
	{ SOCK_DIAG_TIME_WAIT, 0, 80, 42100, 2, "2 outgoing connections that ended are in TIME_WAIT, the last one gone in 43 s" },
	{ SOCK_DIAG_ESTABLISHED, 77, 80, 0, 1, "an outgoing connection of nginx (pid 12, nginx.service) to 10.0.0.2:80 uses the port from the ephemeral range 32768-60999" },
	{ SOCK_DIAG_ESTABLISHED, 77, 40000, 0, 3, "nginx (pid 12, nginx.service) has a live connection from 10.0.0.2:40000 (and 2 more)" },
	{ SOCK_DIAG_ESTABLISHED, 0, 40000, 0, 1, "a connection from 10.0.0.2:40000 waits in the accept queue of 10.0.0.1:49200" },
	{ SOCK_DIAG_SYN_RECV, 0, 40000, 0, 1, "" },
};
/* clang-format on */

static void
the_reason_names_who_has_the_port(void **state)
{
	const struct socket_owner_list owners = { .owners = &test_owner, .n_owners = 1 };
	struct socket_address address =
		test_address(AF_INET, "0.0.0.0", true, 49200, SOCK_STREAM);
	const struct bind_question question = { .address = &address,
		.ephemeral = test_range };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_reasons); i++) {
		const struct test_reason *row = &test_reasons[i];
		struct sock_diag_socket made =
			test_made_up(row->state, row->inode, row->remote_port, row->msec);
		struct sock_diag_list list = { 0 };
		struct bind_answer answer;
		char reason[512];

		for (size_t n = 0; n < row->count; n++)
			assert_int_equal(sock_diag_list_add(&list, &made), 0);
		bind_diagnosis_ask(&question, &list, &answer);
		assert_string_equal(bind_diagnosis_reason(&answer, &owners, test_range,
					    reason, sizeof(reason)),
			row->wanted);
		sock_diag_list_done(&list);
	}
}

static void
a_long_reason_is_cut_at_the_end_of_its_buffer(void **state)
{
	const struct socket_owner_list owners = { 0 };
	struct sock_diag_socket made = test_made_up(SOCK_DIAG_LISTEN, 78, 0, 0);
	struct sock_diag_list list = { .sockets = &made, .n_sockets = 1, .capacity = 1 };
	struct socket_address address =
		test_address(AF_INET, "0.0.0.0", true, 49200, SOCK_STREAM);
	const struct bind_question question = { .address = &address,
		.ephemeral = test_range };
	struct bind_answer answer;
	char reason[16];

	(void)state;
	bind_diagnosis_ask(&question, &list, &answer);
	(void)bind_diagnosis_reason(&answer, &owners, test_range, reason, sizeof(reason));
	assert_int_equal(strlen(reason), sizeof(reason) - 1);
}

static void
test_explain(const char *text, int code, const char *in_text, const char *in_hint)
{
	struct socket_address address;
	struct error err = ERROR_NONE;

	assert_int_equal(socket_address_parse(text, SOCK_STREAM, &address, &err), 0);
	bind_diagnosis_explain(&address, code, &err);
	assert_int_equal(err.code, code);
	assert_null(strchr(err.text, '\n'));
	if (!strstr(err.text, in_text) || !strstr(err.hint, in_hint))
		fail_msg("%s: \"%s\" / \"%s\"", text, err.text, err.hint);
}

static void
every_errno_of_bind_is_explained_with_a_way_out(void **state)
{
	(void)state;
	test_explain("0.0.0.0:80", -EACCES, "CAP_NET_BIND_SERVICE",
		"ip_unprivileged_port_start");
	test_explain("0.0.0.0:49200", -EACCES, "security module", "journalctl");
	test_explain("/nowhere/x.sock", -EACCES, "no right to create", "directory");
	test_explain("192.0.2.1:80", -EADDRNOTAVAIL, "no such address", "FreeBind=yes");
	test_explain("[::1]:80", -EAFNOSUPPORT, "address family", "0.0.0.0:80");
	test_explain("0.0.0.0:80", -ENOBUFS, "No buffer space", "");
	test_explain("127.0.0.1:9", -EADDRINUSE, "any more", "try again");
	bind_diagnosis_explain(&(struct socket_address){ 0 }, -EADDRINUSE, NULL);
}

static void
a_listener_of_this_process_is_named_by_explain(void **state)
{
	struct socket_address address =
		test_address(AF_INET, "127.0.0.1", true, 32001, SOCK_STREAM);
	PK_CLOSE int fd = test_socket(&address, false, false);
	char wanted[64];

	(void)state;
	assert_int_equal(bind(fd, &address.storage.any, address.length), 0);
	(void)snprintf(wanted, sizeof(wanted), "(pid %d", (int)getpid());
	test_explain("127.0.0.1:32001", -EADDRINUSE, wanted, "");
	assert_int_equal(listen(fd, 1), 0);
	test_explain("127.0.0.1:32001", -EADDRINUSE, "listens on 127.0.0.1:32001",
		"stop it with");
}

/* A namespace of one's own, with lo up. Needs root or user namespaces; else false. */
static bool
test_enter_namespace(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	PK_CLOSE int fd = -1;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return false;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return false;
	/* Else a late segment now and then draws a RST that ends a TIME_WAIT (RFC 1337).
	 */
	fd = pk_close(fd);
	fd = open("/proc/sys/net/ipv4/tcp_rfc1337", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "1", 1) == 1;
}

int
main(void)
{
	const struct CMUnitTest with_kernel[] = {
		cmocka_unit_test(the_rule_says_what_bind_does),
		cmocka_unit_test(the_rule_says_what_bind_does_with_udp),
		cmocka_unit_test(
			unknown_flags_give_an_uncertain_answer_and_never_a_wrong_one),
		cmocka_unit_test(the_reason_names_who_has_the_port),
		cmocka_unit_test(a_long_reason_is_cut_at_the_end_of_its_buffer),
		cmocka_unit_test(every_errno_of_bind_is_explained_with_a_way_out),
		cmocka_unit_test(a_listener_of_this_process_is_named_by_explain),
	};
	const struct CMUnitTest without[] = {
		cmocka_unit_test(the_reason_names_who_has_the_port),
		cmocka_unit_test(a_long_reason_is_cut_at_the_end_of_its_buffer),
		cmocka_unit_test(every_errno_of_bind_is_explained_with_a_way_out),
	};

	/* cmocka 1.1.5 counts a skipped test as failed, so the choice is made before. */
	if (test_enter_namespace())
		return cmocka_run_group_tests_name(
			"bind-diagnosis", with_kernel, NULL, NULL);
	return cmocka_run_group_tests_name(
		"bind-diagnosis, no namespace allowed here", without, NULL, NULL);
}
