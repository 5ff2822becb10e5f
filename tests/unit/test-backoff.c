/* SPDX-License-Identifier: MIT */
/* test-backoff: delays over simulated hours: growth, jitter, forgiveness, the start
 * limit. */
#include "tests/unit/unit-test.h"

#include "policy/backoff.h"
#include "protocol/timespan.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)

/* As `portkeeper run` has it, but for the jitter. */
static const struct restart_spec run_spec = {
	.delay_usec = 100 * USEC_PER_MSEC,
	.steps = 8,
	.max_delay_usec = 30 * USEC_PER_SEC,
	.randomized_delay_usec = USEC_INFINITY,
	.immediate = 5,
};

static void
the_first_restarts_in_a_row_are_made_at_once(void **state)
{
	struct backoff backoff = { .level = 0 };

	(void)state;
	for (unsigned i = 0; i < run_spec.immediate; i++)
		assert_int_equal(backoff_next_delay(&backoff, &run_spec, 0), 0);
	assert_int_equal(backoff_next_delay(&backoff, &run_spec, 0), run_spec.delay_usec);
}

static void
the_delay_grows_by_a_constant_factor_up_to_the_longest_and_stays(void **state)
{
	struct backoff backoff = { .level = 0 };
	uint64_t before = 0, now = 0;

	(void)state;
	for (unsigned i = 0; i <= run_spec.immediate; i++)
		before = backoff_next_delay(&backoff, &run_spec, 0);
	/* the eighth root of 300 is 2.04 */
	for (unsigned i = 1; i <= run_spec.steps; i++) {
		now = backoff_next_delay(&backoff, &run_spec, 0);
		CHECK_ROW(now > 2 * before && now < 21 * before / 10,
			"step %u: %lu after %lu", i, (unsigned long)now,
			(unsigned long)before);
		before = now;
	}
	assert_int_equal(now, run_spec.max_delay_usec);
	for (uint64_t elapsed = 0; elapsed < 5 * HOUR; elapsed += now) {
		now = backoff_next_delay(&backoff, &run_spec, 0);
		assert_int_equal(now, run_spec.max_delay_usec);
	}
}

/* A program that lives half a second each time gets one level off for each one it gets.
 */
static void
hours_of_crashes_at_any_pace_stay_within_bounds(void **state)
{
	/* clang-format off */
	static const struct { uint64_t uptime; uint64_t longest; } rows[] = {
		{ 0,                    30 * USEC_PER_SEC },
		{ 10 * USEC_PER_MSEC,   30 * USEC_PER_SEC },
		{ 499 * USEC_PER_MSEC,  30 * USEC_PER_SEC },
		{ 500 * USEC_PER_MSEC,  0 },
		{ USEC_PER_SEC,         0 },
		{ MINUTE,               0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct backoff backoff = { .level = 0 };
		uint64_t now = 0, longest = 0;
		unsigned n = 0;

		while (now < 3 * HOUR) {
			uint64_t delay =
				backoff_next_delay(&backoff, &run_spec, rows[i].uptime);

			longest = delay > longest ? delay : longest;
			now += delay + rows[i].uptime;
			if (++n > 100000)
				break;
		}
		CHECK_ROW(longest == rows[i].longest, "row %zu: longest %lu", i,
			(unsigned long)longest);
	}
}

static void
a_stable_while_brings_the_delay_back_to_nothing(void **state)
{
	struct backoff backoff = { .level = 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)backoff_next_delay(&backoff, &run_spec, 0);
	/* 14 levels at half a second each */
	assert_int_equal(backoff_next_delay(&backoff, &run_spec, 7 * USEC_PER_SEC), 0);
	for (unsigned i = 1; i < run_spec.immediate; i++)
		assert_int_equal(backoff_next_delay(&backoff, &run_spec, 0), 0);
	assert_true(backoff_next_delay(&backoff, &run_spec, 0) > 0);
}

static void
a_short_while_forgives_only_a_part(void **state)
{
	struct backoff backoff = { .level = 0 };
	uint64_t top, later;

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)backoff_next_delay(&backoff, &run_spec, 0);
	top = backoff_next_delay(&backoff, &run_spec, 0);
	later = backoff_next_delay(&backoff, &run_spec, 2 * USEC_PER_SEC);
	assert_true(later > 0 && later < top);
}

static void
without_steps_the_delay_is_always_the_same(void **state)
{
	const struct restart_spec spec = { .delay_usec = 3 * USEC_PER_SEC,
		.max_delay_usec = USEC_INFINITY };
	struct backoff backoff = { .level = 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
			backoff_next_delay(&backoff, &spec, (uint64_t)i * USEC_PER_SEC),
			spec.delay_usec);
}

static void
from_no_delay_the_steps_are_even(void **state)
{
	const struct restart_spec spec = { .steps = 4,
		.max_delay_usec = 8 * USEC_PER_SEC };
	struct backoff backoff = { .level = 0 };

	(void)state;
	for (unsigned i = 0; i <= 4; i++)
		assert_int_equal(
			backoff_next_delay(&backoff, &spec, 0), i * 2 * USEC_PER_SEC);
	assert_int_equal(backoff_next_delay(&backoff, &spec, 0), 8 * USEC_PER_SEC);
}

static void
jitter_is_a_quarter_of_the_delay_or_what_was_asked_for(void **state)
{
	struct restart_spec spec = run_spec;

	(void)state;
	assert_int_equal(backoff_jitter_limit(&spec, 0), 0);
	assert_int_equal(backoff_jitter_limit(&spec, 8 * USEC_PER_SEC), 2 * USEC_PER_SEC);
	spec.randomized_delay_usec = 0;
	assert_int_equal(backoff_jitter_limit(&spec, 8 * USEC_PER_SEC), 0);
	spec.randomized_delay_usec = 9 * USEC_PER_SEC;
	assert_int_equal(backoff_jitter_limit(&spec, 8 * USEC_PER_SEC), 9 * USEC_PER_SEC);
}

static void
the_start_limit_pauses_until_the_interval_has_room(void **state)
{
	/* the numbers from 1 on, the largest ring, and more than it can hold */
	static const unsigned bursts[] = { 1, 2, 5, 63, 64, 65, 1000 };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(bursts); i++) {
		const struct restart_spec spec = {
			.limit_interval_usec = 10 * USEC_PER_SEC, .limit_burst = bursts[i]
		};
		unsigned burst =
			bursts[i] < BACKOFF_STARTS_MAX ? bursts[i] : BACKOFF_STARTS_MAX;
		struct backoff backoff = { .level = 0 };
		uint64_t now = 5;

		/* many times round the ring */
		for (int round = 0; round < 20; round++) {
			for (unsigned n = 0; n < burst; n++) {
				CHECK_ROW(backoff_pause(&backoff, &spec, now) == 0,
					"burst %u, round %d: start %u is forbidden",
					bursts[i], round, n);
				backoff_on_start(&backoff, now);
			}
			CHECK_ROW(
				backoff_pause(&backoff, &spec, now) == 10 * USEC_PER_SEC,
				"burst %u, round %d: no pause", bursts[i], round);
			CHECK_ROW(backoff_pause(&backoff, &spec,
					  now + 4 * USEC_PER_SEC) == 6 * USEC_PER_SEC,
				"burst %u, round %d: the pause does not shrink",
				bursts[i], round);
			now += 10 * USEC_PER_SEC;
		}
	}
}

static void
the_start_limit_looks_at_a_sliding_interval(void **state)
{
	const struct restart_spec spec = { .limit_interval_usec = 10 * USEC_PER_SEC,
		.limit_burst = 3 };
	struct backoff backoff = { .level = 0 };

	(void)state;
	backoff_on_start(&backoff, 0);
	backoff_on_start(&backoff, 4 * USEC_PER_SEC);
	backoff_on_start(&backoff, 8 * USEC_PER_SEC);
	assert_int_equal(
		backoff_pause(&backoff, &spec, 9 * USEC_PER_SEC), 1 * USEC_PER_SEC);
	backoff_on_start(&backoff, 10 * USEC_PER_SEC);
	assert_int_equal(
		backoff_pause(&backoff, &spec, 10 * USEC_PER_SEC), 4 * USEC_PER_SEC);
}

static void
without_a_limit_there_is_no_pause(void **state)
{
	const struct restart_spec no_burst = { .limit_interval_usec = HOUR };
	const struct restart_spec no_interval = { .limit_burst = 1 };
	struct backoff backoff = { .level = 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		backoff_on_start(&backoff, i);
	assert_int_equal(backoff_pause(&backoff, &no_burst, 1000), 0);
	assert_int_equal(backoff_pause(&backoff, &no_interval, 1000), 0);
}

static void
a_reset_forgets_level_and_starts(void **state)
{
	struct restart_spec spec = run_spec;
	struct backoff backoff = { .level = 0 };

	(void)state;
	spec.limit_interval_usec = HOUR;
	spec.limit_burst = 2;
	for (int i = 0; i < 50; i++) {
		backoff_on_start(&backoff, 1);
		(void)backoff_next_delay(&backoff, &spec, 0);
	}
	assert_true(backoff_pause(&backoff, &spec, 1) > 0);
	backoff_reset(&backoff);
	assert_int_equal(backoff_pause(&backoff, &spec, 1), 0);
	assert_int_equal(backoff_next_delay(&backoff, &spec, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_restarts_in_a_row_are_made_at_once),
		cmocka_unit_test(
			the_delay_grows_by_a_constant_factor_up_to_the_longest_and_stays),
		cmocka_unit_test(hours_of_crashes_at_any_pace_stay_within_bounds),
		cmocka_unit_test(a_stable_while_brings_the_delay_back_to_nothing),
		cmocka_unit_test(a_short_while_forgives_only_a_part),
		cmocka_unit_test(without_steps_the_delay_is_always_the_same),
		cmocka_unit_test(from_no_delay_the_steps_are_even),
		cmocka_unit_test(jitter_is_a_quarter_of_the_delay_or_what_was_asked_for),
		cmocka_unit_test(the_start_limit_pauses_until_the_interval_has_room),
		cmocka_unit_test(the_start_limit_looks_at_a_sliding_interval),
		cmocka_unit_test(without_a_limit_there_is_no_pause),
		cmocka_unit_test(a_reset_forgets_level_and_starts),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
