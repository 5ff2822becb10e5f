/* SPDX-License-Identifier: MIT */
/* test-release-select: which sockets `release` ends, by table; no kernel is asked. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "client/release-select.h"
#include "protocol/cleanup.h"
#include "protocol/timespan.h"

#define FIN_TIMEOUT (60 * USEC_PER_SEC)

static struct sock_diag_socket
test_socket(enum sock_diag_state state, uint32_t inode, const char *remote, uint16_t port)
{
	struct sock_diag_socket made = {
		.family = AF_INET6,
		.protocol = IPPROTO_TCP,
		.state = state,
		.inode = inode,
		.local_port = 49200,
		.remote_port = port,
	};

	assert_int_equal(inet_pton(AF_INET6, remote, &made.remote), 1);
	return made;
}

/* clang-format off */
static const struct test_peer {
	const char *text;
	bool valid;
	const char *remote; /* a connection from here, port 5000 */
	bool wanted;
} test_peers[] = {
	{ "10.0.0.1",         true,  "::ffff:10.0.0.1", true },
	{ "10.0.0.1",         true,  "::ffff:10.0.0.2", false },
	{ "10.0.0.1:5000",    true,  "::ffff:10.0.0.1", true },
	{ "10.0.0.1:5001",    true,  "::ffff:10.0.0.1", false },
	{ "10.0.0.0/8",       true,  "::ffff:10.9.8.7", true },
	{ "10.0.0.0/8",       true,  "::ffff:11.9.8.7", false },
	{ "10.128.0.0/9",     true,  "::ffff:10.200.0.1", true },
	{ "10.128.0.0/9",     true,  "::ffff:10.100.0.1", false },
	{ "0.0.0.0/0",        true,  "::ffff:1.2.3.4",  true },
	{ "0.0.0.0/0",        true,  "2001:db8::1",     false },
	{ "::/0",             true,  "2001:db8::1",     true },
	{ "2001:db8::/32",    true,  "2001:db8:1::2",   true },
	{ "2001:db8::/32",    true,  "2001:db9::2",     false },
	{ "[2001:db8::1]",    true,  "2001:db8::1",     true },
	{ "[2001:db8::1]:5000", true, "2001:db8::1",    true },
	{ "[2001:db8::1]:80", true,  "2001:db8::1",     false },
	{ "2001:db8::1",      true,  "2001:db8::1",     true },
	{ "",                 false, NULL, false },
	{ "host",             false, NULL, false },
	{ "10.0.0.1:",        false, NULL, false },
	{ "10.0.0.1:0",       false, NULL, false },
	{ "10.0.0.1:99999",   false, NULL, false },
	{ "10.0.0.0/33",      false, NULL, false },
	{ "10.0.0.0/",        false, NULL, false },
	{ "::1/129",          false, NULL, false },
	{ "[::1",             false, NULL, false },
	{ "[::1]x",           false, NULL, false },
	{ "[::1]:",           false, NULL, false },
};
/* clang-format on */

static void
a_peer_is_an_address_a_port_or_a_network(void **state)
{
	const struct port_view view = { .diag = NULL };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_peers); i++) {
		const struct test_peer *row = &test_peers[i];
		struct release_wish wish = { .states = RELEASE_STATES_CONNECTIONS };
		struct sock_diag_socket made;

		if (release_parse_peer(row->text, &wish) != (row->valid ? 0 : -EINVAL))
			fail_msg("%s", row->text);
		if (!row->valid)
			continue;
		made = test_socket(SOCK_DIAG_ESTABLISHED, 1, row->remote, 5000);
		if (release_wants(&wish, &view, &made, FIN_TIMEOUT) != row->wanted)
			fail_msg("%s %s", row->text, row->remote);
	}
}

/* clang-format off */
static const struct test_name {
	const char *name;
	enum sock_diag_state wanted;
} test_names[] = {
	{ "time-wait", SOCK_DIAG_TIME_WAIT }, { "TIME_WAIT", SOCK_DIAG_TIME_WAIT },
	{ "timewait", SOCK_DIAG_TIME_WAIT }, { "fin-wait-2", SOCK_DIAG_FIN_WAIT_2 },
	{ "FIN_WAIT2", SOCK_DIAG_FIN_WAIT_2 }, { "fin-wait", SOCK_DIAG_UNKNOWN },
	{ "close", SOCK_DIAG_CLOSE }, { "close-wait", SOCK_DIAG_CLOSE_WAIT },
	{ "established", SOCK_DIAG_ESTABLISHED }, { "", SOCK_DIAG_UNKNOWN },
	{ "established ", SOCK_DIAG_UNKNOWN }, { "bound", SOCK_DIAG_BOUND_INACTIVE },
};
/* clang-format on */

static void
states_are_read_as_people_write_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_names); i++)
		assert_int_equal(sock_diag_state_from_name(test_names[i].name),
			test_names[i].wanted);
}

/* clang-format off */
static const struct test_states {
	const char *text;
	uint32_t wanted; /* 0: refused */
	const char *bad;
} test_states[] = {
	{ "time-wait", SOCK_DIAG_STATE_BIT(SOCK_DIAG_TIME_WAIT), "" },
	{ "fin-wait-2,close-wait", SOCK_DIAG_STATE_BIT(SOCK_DIAG_FIN_WAIT_2) |
				   SOCK_DIAG_STATE_BIT(SOCK_DIAG_CLOSE_WAIT), "" },
	{ "listen", 0, "listen" },
	{ "bound", 0, "bound" },
	{ "close", 0, "close" },
	{ "time-wait,bogus", 0, "bogus" },
	{ "", 0, "" },
	{ "time-wait,", 0, "" },
	{ "a-word-that-is-much-longer-than-any-state-has-a-right-to-be", 0,
	  "a-word-that-is-much-longer-than" },
};
/* clang-format on */

static void
only_states_of_connections_can_be_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_states); i++) {
		uint32_t states = 0;
		char bad[32];
		int r = release_parse_states(test_states[i].text, &states, bad);

		assert_int_equal(r, test_states[i].wanted ? 0 : -EINVAL);
		assert_int_equal(states, test_states[i].wanted);
		if (r < 0)
			assert_string_equal(bad, test_states[i].bad);
	}
}

static void
a_listener_goes_only_by_the_name_or_pid_of_an_owner(void **state)
{
	struct socket_owner owners[] = {
		{ .inode = 7, .pid = 12, .comm = "nginx" },
		{ .inode = 7, .pid = 13, .comm = "worker" },
	};
	const struct port_view view = { .owners = { .owners = owners, .n_owners = 2 } };
	static const struct {
		const char *name;
		bool wanted;
	} rows[] = { { NULL, false }, { "nginx", true }, { "worker", true },
		{ "13", true }, { "1", false }, { "ngin", false }, { "", false } };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		const struct release_wish wish = {
			.states = SOCK_DIAG_STATES_ALL,
			.listener = rows[i].name,
		};
		struct sock_diag_socket made = test_socket(SOCK_DIAG_LISTEN, 7, "::", 0);

		assert_int_equal(
			release_wants(&wish, &view, &made, FIN_TIMEOUT), rows[i].wanted);
		made.state = SOCK_DIAG_CLOSE;
		made.protocol = IPPROTO_UDP;
		assert_int_equal(
			release_wants(&wish, &view, &made, FIN_TIMEOUT), rows[i].wanted);
	}
}

static void
age_is_time_in_a_state_or_silence(void **state)
{
	struct sock_diag_socket made = test_socket(SOCK_DIAG_TIME_WAIT, 0, "::1", 1);
	uint64_t age = 1;

	(void)state;
	made.timer = SOCK_DIAG_TIMER_TIME_WAIT;
	made.timer_msec = 45000;
	assert_true(release_age(&made, FIN_TIMEOUT, &age));
	assert_int_equal(age, 15 * USEC_PER_SEC);
	made.state = SOCK_DIAG_FIN_WAIT_2;
	assert_true(release_age(&made, 50 * USEC_PER_SEC, &age));
	assert_int_equal(age, 5 * USEC_PER_SEC);
	/* tcp_fin_timeout was made smaller meanwhile. */
	assert_true(release_age(&made, 10 * USEC_PER_SEC, &age));
	assert_int_equal(age, 0);
	made = test_socket(SOCK_DIAG_CLOSE_WAIT, 5, "::1", 1);
	assert_false(release_age(&made, FIN_TIMEOUT, &age));
	made.has_info = true;
	made.quiet_msec = 1234;
	assert_true(release_age(&made, FIN_TIMEOUT, &age));
	assert_int_equal(age, 1234 * USEC_PER_MSEC);
}

static void
what_nobody_would_notice_is_not_alive(void **state)
{
	struct sock_diag_socket made = test_socket(SOCK_DIAG_TIME_WAIT, 0, "::1", 1);

	(void)state;
	assert_false(release_is_alive(&made));
	made = test_socket(SOCK_DIAG_LAST_ACK, 0, "::1", 1);
	made.send_queue = 1; /* its FIN */
	assert_false(release_is_alive(&made));
	made.send_queue = 2; /* data that a client still waits for */
	assert_true(release_is_alive(&made));
	made = test_socket(SOCK_DIAG_ESTABLISHED, 0, "::1", 1);
	assert_true(release_is_alive(&made));
	made = test_socket(SOCK_DIAG_FIN_WAIT_2, 9, "::1", 1);
	assert_true(release_is_alive(&made));
}

static void
mptcp_rows_are_left_to_their_tcp_subflows(void **state)
{
	const struct port_view view = { .diag = NULL };
	const struct release_wish wish = { .states = SOCK_DIAG_STATES_ALL };
	struct sock_diag_socket made = test_socket(SOCK_DIAG_ESTABLISHED, 1, "::1", 1);

	(void)state;
	assert_true(release_wants(&wish, &view, &made, FIN_TIMEOUT));
	made.protocol = IPPROTO_MPTCP;
	assert_false(release_wants(&wish, &view, &made, FIN_TIMEOUT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_an_address_a_port_or_a_network),
		cmocka_unit_test(states_are_read_as_people_write_them),
		cmocka_unit_test(only_states_of_connections_can_be_named),
		cmocka_unit_test(a_listener_goes_only_by_the_name_or_pid_of_an_owner),
		cmocka_unit_test(age_is_time_in_a_state_or_silence),
		cmocka_unit_test(what_nobody_would_notice_is_not_alive),
		cmocka_unit_test(mptcp_rows_are_left_to_their_tcp_subflows),
	};

	return cmocka_run_group_tests_name("release-select", tests, NULL, NULL);
}
