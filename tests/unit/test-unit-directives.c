/* SPDX-License-Identifier: MIT */
/*
 * test-unit-directives: walks every row of the table, then each kind of value, good and
 * bad. That the manual has an entry for each row is tests/lint/directives-in-manual.sh.
 */
#include "tests/unit/unit-test.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <signal.h>

#include "config/unit-directives.h"
#include "config/unit-parsers.h"
#include "config/unit.h"
#include "protocol/timespan.h"

static struct unit *
make_unit(void)
{
	struct unit *unit;

	assert_int_equal(unit_new("web", &unit), 0);
	return unit;
}

static void
every_row_takes_its_own_default(void **state)
{
	const struct directive *row;

	(void)state;
	for (size_t i = 0; (row = directive_at(i)); i++) {
		struct unit *unit = make_unit();
		struct error err = ERROR_NONE;

		if (row->initial)
			CHECK_ROW(row->parse(row, row->initial, unit, &err) == 0,
				"%s=%s: %s", row->name, row->initial, err.text);
		(void)unit_free(unit);
	}
}

static void
every_row_is_complete_and_found_by_its_name(void **state)
{
	const struct directive *row;
	size_t n = 0;

	(void)state;
	for (; (row = directive_at(n)); n++) {
		CHECK_ROW(row->name && row->name[0] >= 'A' && row->name[0] <= 'Z',
			"row %zu", n);
		CHECK_ROW(row->meaning && strlen(row->meaning) > 4, "%s has no meaning",
			row->name);
		CHECK_ROW(row->parse, "%s has no parser", row->name);
		CHECK_ROW(row->offset < sizeof(struct unit), "%s is outside", row->name);
		CHECK_ROW((unsigned)row->section < SECTION_MAX &&
				directive_section_name(row->section),
			"%s has no section", row->name);
		CHECK_ROW(
			directive_find(row->name) == row, "%s is there twice", row->name);
		CHECK_ROW(!row->names == (row->parse != unit_parse_enum),
			"%s: names are for enumerations", row->name);
	}
	assert_true(n > 40);
	assert_null(directive_find("restart"));
	assert_null(directive_find(""));
}

static void
every_name_of_an_enumeration_is_taken_and_gives_its_place(void **state)
{
	/* clang-format off */
	static const struct { const char *directive; int n; } counts[] = {
		{ "Restart", RESTART_MODE_MAX }, { "KillMode", KILL_MODE_MAX },
		{ "BindIPv6Only", BIND_IPV6_ONLY_MAX }, { "WhileDown", WHILE_DOWN_MAX },
	};
	/* clang-format on */
	size_t n_enums = 0;
	const struct directive *row;

	(void)state;
	for (size_t i = 0; (row = directive_at(i)); i++)
		n_enums += row->parse == unit_parse_enum;
	assert_int_equal(n_enums, PK_ARRAY_SIZE(counts));
	for (size_t i = 0; i < PK_ARRAY_SIZE(counts); i++) {
		struct unit *unit = make_unit();
		int n = 0, value;

		row = directive_find(counts[i].directive);
		for (; row->names[n]; n++) {
			assert_int_equal(row->parse(row, row->names[n], unit, NULL), 0);
			memcpy(&value, (const char *)unit + row->offset, sizeof(value));
			assert_int_equal(value, n);
		}
		CHECK_ROW(n == counts[i].n, "%s has %d names for %d values", row->name, n,
			counts[i].n);
		(void)unit_free(unit);
	}
}

static void
the_count_of_commands_stands_right_behind_the_pointer(void **state)
{
	const struct directive *row;

	(void)state;
	assert_int_equal(offsetof(struct exec_spec, n_stop),
		offsetof(struct exec_spec, stop) + sizeof(struct exec_command *));
	assert_int_equal(offsetof(struct exec_spec, n_stop_post),
		offsetof(struct exec_spec, stop_post) + sizeof(struct exec_command *));
	for (size_t i = 0; (row = directive_at(i)); i++)
		if (row->parse == unit_parse_commands)
			CHECK_ROW(row->offset == offsetof(struct unit, exec.stop) ||
					row->offset ==
						offsetof(struct unit, exec.stop_post),
				"%s is not among those checked above", row->name);
}

/* A bad value for each kind of parser; a parser that is not here takes any text. */
/* clang-format off */
static const struct {
	int (*parse)(const struct directive *, const char *, struct unit *, struct error *);
	const char *values[9];
} bad_values[] = {
	{ unit_parse_boolean,       { "", "maybe", "2", "yess", " yes" } },
	{ unit_parse_tristate,      { "", "maybe", "-1", "10" } },
	{ unit_parse_enum,          { "", "nonsense", "No", "on-failure " } },
	{ unit_parse_integer,       { "", "-1", "1.5", "x", "2147483648", "99999999999999999999", "0x1" } },
	{ unit_parse_unsigned,      { "", "-1", "x", "4294967296" } },
	{ unit_parse_size,          { "", "K", "-1", "1T", "1KK", "2G", "99999999999999999999", "1.5M" } },
	{ unit_parse_usec,          { "", "x", "-1s", "1x", "99999999999999999999" } },
	{ unit_parse_restart_sec,   { "", "x", "-1s" } },
	{ unit_parse_immediate,     { "", "x", "-1" } },
	{ unit_parse_seconds,       { "", "x", "infinity", "100y" } },
	{ unit_parse_milliseconds,  { "", "x", "infinity", "1month" } },
	{ unit_parse_fd_name,       { "a:b", "a b", "\xc3\xa4" } },
	{ unit_parse_absolute_path, { "x", "./x", "~" } },
	{ unit_parse_mode,          { "", "8", "0999", "rw", "10000", "077777", "-1" } },
	{ unit_parse_user,          { "", "no-such-user-here", "-1" } },
	{ unit_parse_group,         { "", "no-such-group-here", "-1" } },
	{ unit_parse_signal,        { "", "0", "65", "SIG", "SIGNONE", "sigterm", "RTMIN+99", "SIGSIGTERM" } },
	{ unit_parse_exit_set,      { "256", "-1", "SIGNONE", "1 x", "success" } },
	{ unit_parse_listen,        { "", "x", "65536", "fd:2", "fd:x", "fd:65536", "fd:3:a b", "fd:3:" } },
	{ unit_parse_commands,      { "-", "'", "/no/such/command" } },
	{ unit_parse_environment,   { "A", "=x", "1A=x", "A-B=x", "A=1 B", "'A=x" } },
	{ unit_parse_socket_protocol, { "udp", "TCP", "x" } },
	{ unit_parse_linger,        { "", "yes", "-1", "infinity" } },
	{ unit_parse_ip_tos,        { "", "x", "256", "-1", "low" } },
};
/* clang-format on */

static bool
takes_any_text(const struct directive *row)
{
	return row->parse == unit_parse_string;
}

static void
a_bad_value_is_refused_with_a_hint_by_every_row(void **state)
{
	const struct directive *row;

	(void)state;
	for (size_t i = 0; (row = directive_at(i)); i++) {
		size_t kind = 0;

		if (takes_any_text(row))
			continue;
		while (kind < PK_ARRAY_SIZE(bad_values) &&
			bad_values[kind].parse != row->parse)
			kind++;
		CHECK_ROW(kind < PK_ARRAY_SIZE(bad_values), "%s has no bad values here",
			row->name);
		for (size_t j = 0; bad_values[kind].values[j]; j++) {
			const char *value = bad_values[kind].values[j];
			struct unit *unit = make_unit();
			struct error err = ERROR_NONE;
			int r = directive_set(unit, row->name, value, &err);

			CHECK_ROW(r == -EINVAL ||
					(row->parse == unit_parse_commands &&
						r == -ENOENT),
				"%s=%s: %d", row->name, value, r);
			CHECK_ROW(err.code == r && err.text[0], "%s=%s: no words",
				row->name, value);
			/* where the words themselves do not say what is wanted */
			if (row->parse != unit_parse_commands &&
				strcmp(value, "'A=x") != 0)
				CHECK_ROW(
					err.hint[0], "%s=%s: no hint", row->name, value);
			(void)unit_free(unit);
		}
	}
}

static void
a_bad_value_leaves_the_old_one(void **state)
{
	struct unit *unit = make_unit();

	(void)state;
	assert_int_equal(directive_set(unit, "SuccessExitStatus", "3 SIGUSR1", NULL), 0);
	assert_int_equal(directive_set(unit, "SuccessExitStatus", "4 x", NULL), -EINVAL);
	assert_int_equal(unit->restart.success.statuses[0], 1u << 3);
	assert_int_equal(directive_set(unit, "RestartSec", "7s", NULL), 0);
	assert_int_equal(directive_set(unit, "RestartSec", "x", NULL), -EINVAL);
	assert_int_equal(unit->restart.delay_usec, 7 * USEC_PER_SEC);
	assert_int_equal(directive_set(unit, "Environment", "A=1", NULL), 0);
	assert_int_equal(directive_set(unit, "Environment", "B=1 C", NULL), -EINVAL);
	assert_null(unit->exec.environment[1]);
	(void)unit_free(unit);
}

static void
an_unknown_name_is_refused_with_the_nearest_known_one(void **state)
{
	/* clang-format off */
	static const struct { const char *name; const char *hint; } rows[] = {
		{ "Restrat", "Restart=" }, { "restart", "Restart=" }, { "WhileDwon", "WhileDown=" },
		{ "ListenSteam", "ListenStream=" }, { "Xyzzy", "portkeeper.unit(5)" }, { "", "portkeeper.unit(5)" },
	};
	/* clang-format on */
	struct unit *unit = make_unit();

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_NONE;

		assert_int_equal(directive_set(unit, rows[i].name, "x", &err), -EINVAL);
		CHECK_ROW(strstr(err.hint, rows[i].hint), "%s: %s; %s", rows[i].name,
			err.text, err.hint);
	}
	(void)unit_free(unit);
}

static void
good_values_end_up_where_they_belong(void **state)
{
	struct unit *unit = make_unit();
	/* clang-format off */
	const struct { const char *name; const char *value; const int *field; int wanted; } ints[] = {
		{ "KeepAlive", "on", &unit->socket.keep_alive, 1 },
		{ "KeepAlive", "No", &unit->socket.keep_alive, 0 },
		{ "KeepAliveTimeSec", "1min", &unit->socket.keep_alive_time_sec, 60 },
		{ "KeepAliveTimeSec", "1.2s", &unit->socket.keep_alive_time_sec, 2 },
		{ "UserTimeoutSec", "30", &unit->socket.user_timeout_msec, 30000 },
		{ "UserTimeoutSec", "1us", &unit->socket.user_timeout_msec, 1 },
		{ "ReceiveBuffer", "256K", &unit->socket.receive_buffer, 262144 },
		{ "ReceiveBuffer", "1023M", &unit->socket.receive_buffer, 1023 << 20 },
		{ "ReceiveBuffer", "4096", &unit->socket.receive_buffer, 4096 },
		{ "SendBuffer", "1G", &unit->socket.send_buffer, 1 << 30 },
		{ "Backlog", "7", &unit->socket.backlog, 7 },
		{ "Backlog", "2147483647", &unit->socket.backlog, INT32_MAX },
		{ "Linger", "reset", &unit->socket.linger_sec, LINGER_RESET },
		{ "Linger", "3", &unit->socket.linger_sec, 3 },
		{ "Linger", "no", &unit->socket.linger_sec, LINGER_UNSET },
		{ "IPTOS", "low-delay", &unit->socket.ip_tos, IPTOS_LOWDELAY },
		{ "IPTOS", "255", &unit->socket.ip_tos, 255 },
		{ "SocketProtocol", "mptcp", &unit->socket.protocol, IPPROTO_MPTCP },
		{ "SocketProtocol", "", &unit->socket.protocol, 0 },
		{ "KillSignal", "SIGINT", &unit->kill.signal, SIGINT },
		{ "KillSignal", "QUIT", &unit->kill.signal, SIGQUIT },
		{ "KillSignal", "10", &unit->kill.signal, 10 },
		{ "KillSignal", "RTMIN+3", &unit->kill.signal, SIGRTMIN + 3 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(ints); i++) {
		struct error err = ERROR_NONE;

		CHECK_ROW(directive_set(unit, ints[i].name, ints[i].value, &err) == 0 &&
				*ints[i].field == ints[i].wanted,
			"%s=%s: %d %s", ints[i].name, ints[i].value, *ints[i].field,
			err.text);
	}
	assert_int_equal(directive_set(unit, "SocketMode", "0660", NULL), 0);
	assert_int_equal(unit->socket.socket_mode, 0660);
	assert_int_equal(directive_set(unit, "SocketUser", "root", NULL), 0);
	assert_int_equal(unit->socket.socket_uid, 0);
	assert_int_equal(directive_set(unit, "SocketGroup", "12", NULL), 0);
	assert_int_equal(unit->socket.socket_gid, 12);
	(void)unit_free(unit);
}

static void
lists_grow_and_an_empty_value_empties_them(void **state)
{
	struct unit *unit = make_unit();
	struct exit_set *set = &unit->restart.success;

	(void)state;
	assert_int_equal(directive_set(unit, "ExecStop", "/bin/true a", NULL), 0);
	assert_int_equal(directive_set(unit, "ExecStop", "-/bin/false", NULL), 0);
	assert_int_equal(unit->exec.n_stop, 2);
	assert_string_equal(unit->exec.stop[0].argv[1], "a");
	assert_true(unit->exec.stop[1].ignore_failure);
	assert_int_equal(directive_set(unit, "ExecStop", "", NULL), 0);
	assert_int_equal(unit->exec.n_stop, 0);
	assert_int_equal(directive_set(unit, "Environment", "A=1 'B=x y'", NULL), 0);
	assert_int_equal(directive_set(unit, "Environment", "C=", NULL), 0);
	assert_string_equal(unit->exec.environment[1], "B=x y");
	assert_string_equal(unit->exec.environment[2], "C=");
	assert_null(unit->exec.environment[3]);
	assert_int_equal(directive_set(unit, "Environment", "", NULL), 0);
	assert_null(unit->exec.environment);
	assert_int_equal(
		directive_set(unit, "SuccessExitStatus", "0 63,64\t255 TEMPFAIL", NULL),
		0);
	assert_int_equal(
		directive_set(unit, "SuccessExitStatus", "SIGHUP KILL", NULL), 0);
	assert_int_equal(set->statuses[0], 1 | UINT64_C(1) << 63);
	assert_int_equal(set->statuses[1], 1 | 1u << (75 - 64));
	assert_int_equal(set->statuses[3], UINT64_C(1) << 63);
	assert_int_equal(set->signals, 1u << (SIGHUP - 1) | 1u << (SIGKILL - 1));
	assert_int_equal(directive_set(unit, "SuccessExitStatus", "", NULL), 0);
	assert_int_equal(set->statuses[0] | set->signals, 0);
	(void)unit_free(unit);
}

static void
a_text_is_copied_and_an_empty_one_unset(void **state)
{
	static const char *const names[] = { "Description", "BindToDevice",
		"TCPCongestion", "FileDescriptorName", "WorkingDirectory" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++) {
		struct unit *unit = make_unit();
		const struct directive *row = directive_find(names[i]);
		char **field = (char **)(void *)((char *)unit + row->offset);

		assert_int_equal(directive_set(unit, names[i], "/one", NULL), 0);
		assert_string_equal(*field, "/one");
		assert_int_equal(directive_set(unit, names[i], "/two", NULL), 0);
		assert_string_equal(*field, "/two");
		assert_int_equal(directive_set(unit, names[i], "", NULL), 0);
		assert_null(*field);
		(void)unit_free(unit);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_takes_its_own_default),
		cmocka_unit_test(every_row_is_complete_and_found_by_its_name),
		cmocka_unit_test(
			every_name_of_an_enumeration_is_taken_and_gives_its_place),
		cmocka_unit_test(the_count_of_commands_stands_right_behind_the_pointer),
		cmocka_unit_test(a_bad_value_is_refused_with_a_hint_by_every_row),
		cmocka_unit_test(a_bad_value_leaves_the_old_one),
		cmocka_unit_test(an_unknown_name_is_refused_with_the_nearest_known_one),
		cmocka_unit_test(good_values_end_up_where_they_belong),
		cmocka_unit_test(lists_grow_and_an_empty_value_empties_them),
		cmocka_unit_test(a_text_is_copied_and_an_empty_one_unset),
	};

	return cmocka_run_group_tests_name("unit-directives", tests, NULL, NULL);
}
