/* SPDX-License-Identifier: MIT */
/* test-nearest-name: distances by table, and who wins among several. */
#include "tests/unit/unit-test.h"

#include "protocol/nearest-name.h"

#define LONG_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
distances_count_letters_and_neighbour_swaps(void **state)
{
	/* clang-format off */
	static const struct { const char *a, *b; size_t distance; } rows[] = {
		{ "", "", 0 }, { "a", "", 1 }, { "", "abc", 3 }, { "abc", "abc", 0 }, { "ABC", "abc", 0 },
		{ "abc", "abd", 1 }, { "abc", "acb", 1 }, { "abc", "bca", 2 }, { "kitten", "sitting", 3 },
		{ "Restrat", "Restart", 1 }, { "ca", "abc", 3 }, { "RestartSec", "RestartSecs", 1 },
		{ LONG_63, LONG_63, 0 }, { LONG_63, "", 63 }, { LONG_63 "a", LONG_63, SIZE_MAX },
		{ "", LONG_63 "a", SIZE_MAX },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		CHECK_ROW(nearest_name_distance(rows[i].a, rows[i].b) == rows[i].distance,
			"%s, %s: %zu", rows[i].a, rows[i].b,
			nearest_name_distance(rows[i].a, rows[i].b));
		/* it is as far back as it is there */
		assert_int_equal(
			nearest_name_distance(rows[i].b, rows[i].a), rows[i].distance);
	}
}

static const char *
best_of(const char *typed, const char *const *candidates)
{
	const char *best = NULL;
	size_t distance = SIZE_MAX;

	for (; *candidates; candidates++)
		nearest_name_offer(typed, *candidates, &best, &distance);
	return best;
}

static void
the_nearest_wins_and_the_first_of_equals(void **state)
{
	static const char *const names[] = { "Restart", "RestartSec", "RestartSteps",
		"KillMode", NULL };

	(void)state;
	assert_string_equal(best_of("Restat", names), "Restart");
	assert_string_equal(best_of("restartsec", names), "RestartSec");
	assert_string_equal(best_of("RestartStep", names), "RestartSteps");
	assert_string_equal(best_of("KilMode", names), "KillMode");
}

static void
what_is_too_far_away_never_wins(void **state)
{
	static const char *const names[] = { "Restart", "KillMode", NULL };

	(void)state;
	assert_null(best_of("Frobnicate", names));
	assert_null(best_of("", names));
	assert_null(best_of(LONG_63 "aaaa", names));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances_count_letters_and_neighbour_swaps),
		cmocka_unit_test(the_nearest_wins_and_the_first_of_equals),
		cmocka_unit_test(what_is_too_far_away_never_wins),
	};

	return cmocka_run_group_tests_name("nearest-name", tests, NULL, NULL);
}
