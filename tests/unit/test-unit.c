/* SPDX-License-Identifier: MIT */
/* test-unit: defaults, listeners, and what only the finished unit can tell. */
#include "tests/unit/unit-test.h"

#include <netinet/in.h>
#include <signal.h>

#include "config/unit-directives.h"
#include "config/unit.h"
#include "protocol/timespan.h"

static struct unit *
make_unit(const char *const *directives)
{
	struct unit *unit;

	assert_int_equal(unit_new("web", &unit), 0);
	for (; directives && *directives; directives++) {
		PK_FREE char *name = strdup(*directives);
		char *value = strchr(name, '=');

		*value++ = '\0';
		assert_int_equal(directive_set(unit, name, value, NULL), 0);
	}
	return unit;
}

static void
a_new_unit_has_the_defaults_of_the_manual(void **state)
{
	struct unit *unit = make_unit(NULL);

	(void)state;
	assert_string_equal(unit->name, "web");
	assert_int_equal(unit->n_listens, 0);
	assert_int_equal(unit->restart.mode, RESTART_NO);
	assert_int_equal(unit->restart.delay_usec, 100 * USEC_PER_MSEC);
	assert_false(unit->restart.delay_is_set);
	assert_int_equal(unit->restart.max_delay_usec, USEC_INFINITY);
	assert_int_equal(unit->kill.signal, SIGTERM);
	assert_int_equal(unit->kill.final_signal, SIGKILL);
	assert_int_equal(unit->kill.mode, KILL_MODE_CONTROL_GROUP);
	assert_true(unit->kill.send_sigkill);
	assert_int_equal(unit->kill.timeout_stop_usec, 90 * USEC_PER_SEC);
	assert_int_equal(unit->socket.while_down, WHILE_DOWN_HOLD);
	assert_int_equal(unit->socket.keep_alive, SPEC_UNSET);
	assert_int_equal(unit->socket.linger_sec, LINGER_UNSET);
	assert_int_equal(unit->socket.reuse_address, 1);
	assert_int_equal(unit->socket.socket_mode, 0666);
	assert_true(unit->exec.umask == (mode_t)-1);
	assert_true(unit->socket.socket_uid == (uid_t)-1);
	assert_int_equal(unit_finish(unit, NULL), 0);
	assert_null(unit_free(unit));
}

/* Every int of the options that no directive has a default for must be SPEC_UNSET, not 0.
 */
static void
an_option_that_nobody_set_is_unset(void **state)
{
	struct unit *unit = make_unit(NULL);
	const struct directive *row;

	(void)state;
	for (size_t i = 0; (row = directive_at(i)); i++) {
		int value;

		if (row->initial ||
			row->offset < offsetof(struct unit, socket.keep_alive) ||
			row->offset >= offsetof(struct unit, exec))
			continue;
		memcpy(&value, (const char *)unit + row->offset, sizeof(value));
		CHECK_ROW(value == SPEC_UNSET, "%s: %d", row->name, value);
	}
	(void)unit_free(unit);
}

static void
inherited_descriptors_have_a_number_and_maybe_a_name(void **state)
{
	struct unit *unit = make_unit(NULL);

	(void)state;
	assert_int_equal(unit_add_listen(unit, "fd:3", SOCK_STREAM, NULL), 0);
	assert_int_equal(unit_add_listen(unit, "fd:65535:http", SOCK_STREAM, NULL), 0);
	assert_int_equal(unit->listens[0].inherited_fd, 3);
	assert_null(unit->listens[0].fd_name);
	assert_int_equal(unit->listens[1].inherited_fd, 65535);
	assert_string_equal(unit->listens[1].fd_name, "http");
	assert_string_equal(unit->listens[1].text, "fd:65535:http");
	(void)unit_free(unit);
}

static void
a_bad_listener_leaves_the_others(void **state)
{
	struct unit *unit = make_unit(NULL);
	struct error err = ERROR_NONE;

	(void)state;
	assert_int_equal(unit_add_listen(unit, "80", SOCK_STREAM, NULL), 0);
	assert_int_equal(unit_add_listen(unit, "x", SOCK_STREAM, &err), -EINVAL);
	assert_true(err.text[0] && err.hint[0]);
	assert_int_equal(unit_add_listen(unit, "fd:2", SOCK_STREAM, &err), -EINVAL);
	assert_int_equal(unit->n_listens, 1);
	(void)unit_free(unit);
}

static void
an_address_that_is_given_twice_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *a, *b; int r; } rows[] = {
		{ "80", "80", -EINVAL }, { "80", "[::]:80", -EINVAL }, { "80", "tcp:80", -EINVAL },
		{ "80", "udp:80", 0 }, { "80", "81", 0 }, { "80", "0.0.0.0:80", 0 },
		{ "/x", "/x", -EINVAL }, { "/x", "@x", 0 }, { "fd:3", "fd:4", 0 }, { "fd:3", "80", 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct unit *unit = make_unit(NULL);
		struct error err = ERROR_NONE;

		assert_int_equal(unit_add_listen(unit, rows[i].a, SOCK_STREAM, NULL), 0);
		assert_int_equal(unit_add_listen(unit, rows[i].b, SOCK_STREAM, NULL), 0);
		CHECK_ROW(unit_finish(unit, &err) == rows[i].r, "%s, %s: %s", rows[i].a,
			rows[i].b, err.text);
		(void)unit_free(unit);
	}
}

static void
protocol_and_dual_stack_become_part_of_the_address(void **state)
{
	static const char *const directives[] = { "SocketProtocol=mptcp",
		"ListenStream=80", "ListenDatagram=81", "ListenStream=/x",
		"ListenStream=[::1]:82", "BindIPv6Only=ipv6-only", NULL };
	struct unit *unit = make_unit(directives);

	(void)state;
	assert_int_equal(unit_finish(unit, NULL), 0);
	assert_int_equal(unit->listens[0].address.protocol, IPPROTO_MPTCP);
	assert_int_equal(unit->listens[1].address.protocol, 0);
	assert_int_equal(unit->listens[2].address.protocol, 0);
	assert_false(unit->listens[0].address.dual_stack);
	assert_false(unit->listens[3].address.dual_stack);
	(void)unit_free(unit);
}

static void
udplite_is_for_datagrams_only(void **state)
{
	static const char *const directives[] = { "SocketProtocol=udplite",
		"ListenStream=80", "ListenDatagram=81", NULL };
	struct unit *unit = make_unit(directives);

	(void)state;
	assert_int_equal(unit_finish(unit, NULL), 0);
	assert_int_equal(unit->listens[0].address.protocol, 0);
	assert_int_equal(unit->listens[1].address.protocol, IPPROTO_UDPLITE);
	(void)unit_free(unit);
}

static void
who_sets_a_delay_gets_it_from_the_first_restart_on(void **state)
{
	static const char *const delay[] = { "RestartSec=2s", NULL };
	static const char *const both[] = { "RestartSec=2s", "RestartImmediate=3", NULL };
	struct unit *unit = make_unit(delay);

	(void)state;
	assert_int_equal(unit_finish(unit, NULL), 0);
	assert_int_equal(unit->restart.immediate, 0);
	(void)unit_free(unit);
	unit = make_unit(both);
	assert_int_equal(unit_finish(unit, NULL), 0);
	assert_int_equal(unit->restart.immediate, 3);
	(void)unit_free(unit);
}

static void
contradictions_are_refused(void **state)
{
	/* clang-format off */
	static const char *const rows[][3] = {
		{ "RestartSteps=3", NULL },
		{ "RestartSec=10s", "RestartMaxDelaySec=5s", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct unit *unit = make_unit(rows[i]);
		struct error err = ERROR_NONE;

		CHECK_ROW(
			unit_finish(unit, &err) == -EINVAL && err.text[0], "row %zu", i);
		(void)unit_free(unit);
	}
}

static void
nothing_is_freed_and_it_does_not_matter(void **state)
{
	(void)state;
	assert_null(unit_free(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_unit_has_the_defaults_of_the_manual),
		cmocka_unit_test(an_option_that_nobody_set_is_unset),
		cmocka_unit_test(inherited_descriptors_have_a_number_and_maybe_a_name),
		cmocka_unit_test(a_bad_listener_leaves_the_others),
		cmocka_unit_test(an_address_that_is_given_twice_is_refused),
		cmocka_unit_test(protocol_and_dual_stack_become_part_of_the_address),
		cmocka_unit_test(udplite_is_for_datagrams_only),
		cmocka_unit_test(who_sets_a_delay_gets_it_from_the_first_restart_on),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(nothing_is_freed_and_it_does_not_matter),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
