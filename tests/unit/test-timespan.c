/* SPDX-License-Identifier: MIT */
/* test-timespan: times as systemd.time(7) writes them, and as people read them. */
#include "tests/unit/unit-test.h"

#include "protocol/timespan.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static void
every_spelling_of_systemd_time_is_read(void **state)
{
	/* clang-format off */
	static const struct { const char *text; uint64_t usec; } rows[] = {
		{ "0", 0 }, { "5", 5 * USEC_PER_SEC }, { "0.5", USEC_PER_SEC / 2 }, { ".5", USEC_PER_SEC / 2 },
		{ "5.", 5 * USEC_PER_SEC }, { "1s", USEC_PER_SEC }, { "1 s", USEC_PER_SEC }, { " 1s ", USEC_PER_SEC },
		{ "1sec", USEC_PER_SEC }, { "2second", 2 * USEC_PER_SEC }, { "2 seconds", 2 * USEC_PER_SEC },
		{ "50ms", 50000 }, { "50msec", 50000 }, { "7us", 7 }, { "7usec", 7 }, { "7\xc2\xb5s", 7 },
		{ "1min", MINUTE }, { "1m", MINUTE }, { "2minutes", 2 * MINUTE }, { "1minute", MINUTE },
		{ "1h", HOUR }, { "1hr", HOUR }, { "1hour", HOUR }, { "3hours", 3 * HOUR },
		{ "1d", DAY }, { "1day", DAY }, { "2days", 2 * DAY },
		{ "1w", 7 * DAY }, { "1week", 7 * DAY }, { "1weeks", 7 * DAY },
		{ "1M", UINT64_C(2629800) * USEC_PER_SEC }, { "1month", UINT64_C(2629800) * USEC_PER_SEC },
		{ "1y", UINT64_C(31557600) * USEC_PER_SEC }, { "1years", UINT64_C(31557600) * USEC_PER_SEC },
		{ "2h 30min", 2 * HOUR + 30 * MINUTE }, { "1min 20s", 80 * USEC_PER_SEC },
		{ "1y12month", UINT64_C(63115200) * USEC_PER_SEC }, { "55s500ms", 55500000 },
		{ "300ms20s 5day", 300000 + 20 * USEC_PER_SEC + 5 * DAY }, { "1.5min", 90 * USEC_PER_SEC },
		{ "0.000001", 1 }, { "0.0000001", 0 }, { "1 2", 3 * USEC_PER_SEC },
		{ "infinity", USEC_INFINITY }, { " infinity ", USEC_INFINITY },
		{ "18446744073709551614us", UINT64_MAX - 1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		uint64_t usec = 77;

		CHECK_ROW(timespan_parse(rows[i].text, USEC_PER_SEC, &usec) == 0 &&
				usec == rows[i].usec,
			"'%s': %lu", rows[i].text, (unsigned long)usec);
	}
}

static void
what_is_no_time_is_refused_and_changes_nothing(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int r; } rows[] = {
		{ "", -EINVAL }, { " ", -EINVAL }, { "s", -EINVAL }, { ".", -EINVAL }, { ". s", -EINVAL },
		{ "-1", -EINVAL }, { "+1", -EINVAL }, { "1x", -EINVAL }, { "1 sx", -EINVAL }, { "1S", -EINVAL },
		{ "1..5", -EINVAL }, { "0.5.0", -EINVAL }, { "1;2", -EINVAL }, { "1,5", -EINVAL }, { "1e3", -EINVAL }, { "0x10", -EINVAL },
		{ "infinity s", -EINVAL }, { "1 infinity", -EINVAL }, { "INFINITY", -EINVAL }, { "1s-", -EINVAL },
		{ "18446744073709551615us", -ERANGE }, { "18446744073709551616us", -ERANGE },
		{ "99999999999999999999", -ERANGE }, { "600000y", -ERANGE },
		{ "18446744073709551614us 1us", -ERANGE }, { "18446744073709551614us 2us", -ERANGE },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		uint64_t usec = 77;

		CHECK_ROW(
			timespan_parse(rows[i].text, USEC_PER_SEC, &usec) == rows[i].r &&
				usec == 77,
			"'%s': %lu", rows[i].text, (unsigned long)usec);
	}
}

static void
a_bare_number_counts_the_unit_of_its_directive(void **state)
{
	uint64_t usec;

	(void)state;
	assert_int_equal(timespan_parse("5", USEC_PER_MSEC, &usec), 0);
	assert_int_equal(usec, 5000);
	assert_int_equal(timespan_parse("5s", USEC_PER_MSEC, &usec), 0);
	assert_int_equal(usec, 5 * USEC_PER_SEC);
}

static void
people_read_two_units_at_the_most(void **state)
{
	/* clang-format off */
	static const struct { uint64_t usec; const char *text; } rows[] = {
		{ 0, "0 s" }, { 1, "1 us" }, { 999, "999 us" }, { 1000, "1 ms" }, { 40000, "40 ms" },
		{ 40999, "40 ms" }, { 999999, "999 ms" }, { USEC_PER_SEC, "1 s" }, { 1099999, "1.0 s" },
		{ 1500000, "1.5 s" }, { 59999999, "59.9 s" }, { MINUTE, "1 min" }, { MINUTE + 999999, "1 min" },
		{ 182 * USEC_PER_SEC, "3 min 2 s" }, { HOUR - 1, "59 min 59 s" }, { HOUR, "1 h" },
		{ HOUR + 59 * USEC_PER_SEC, "1 h" }, { HOUR + MINUTE, "1 h 1 min" }, { DAY, "1 d" },
		{ 400 * DAY + 5 * HOUR, "400 d 5 h" }, { USEC_INFINITY, "infinity" },
		{ USEC_INFINITY - 1, "213503982 d 8 h" },
	};
	/* clang-format on */
	char text[64];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++)
		CHECK_ROW(strcmp(timespan_format(rows[i].usec, text, sizeof(text)),
				  rows[i].text) == 0,
			"%lu: '%s', should be '%s'", (unsigned long)rows[i].usec, text,
			rows[i].text);
}

static void
what_is_written_can_be_read_and_is_no_more_than_it_was(void **state)
{
	char text[64];

	(void)state;
	for (uint64_t usec = 1; usec < UINT64_MAX / 3; usec = usec * 3 + 1) {
		uint64_t again;

		(void)timespan_format(usec, text, sizeof(text));
		CHECK_ROW(timespan_parse(text, USEC_PER_SEC, &again) == 0 &&
				again <= usec && again >= usec - usec / 2,
			"%lu: '%s'", (unsigned long)usec, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_systemd_time_is_read),
		cmocka_unit_test(what_is_no_time_is_refused_and_changes_nothing),
		cmocka_unit_test(a_bare_number_counts_the_unit_of_its_directive),
		cmocka_unit_test(people_read_two_units_at_the_most),
		cmocka_unit_test(what_is_written_can_be_read_and_is_no_more_than_it_was),
	};

	return cmocka_run_group_tests_name("timespan", tests, NULL, NULL);
}
