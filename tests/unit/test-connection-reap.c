/* SPDX-License-Identifier: MIT */
/* The limit of ReapSec= by the number of half-closed connections; the rest is
 * test_reap.py's. */
#include "tests/unit/unit-test.h"

#include "mechanism/connection-reap.h"
#include "protocol/timespan.h"

static void
up_to_a_hundred_have_the_whole_time(void **state)
{
	(void)state;
	assert_int_equal(connection_reap_limit(30 * USEC_PER_SEC, 0), 30 * USEC_PER_SEC);
	assert_int_equal(
		connection_reap_limit(30 * USEC_PER_SEC, 100), 30 * USEC_PER_SEC);
}

static void
more_have_less_in_proportion(void **state)
{
	(void)state;
	assert_int_equal(
		connection_reap_limit(30 * USEC_PER_SEC, 200), 15 * USEC_PER_SEC);
	assert_int_equal(
		connection_reap_limit(30 * USEC_PER_SEC, 1000), 3 * USEC_PER_SEC);
}

static void
none_has_less_than_a_second_or_the_whole_time(void **state)
{
	(void)state;
	assert_int_equal(connection_reap_limit(30 * USEC_PER_SEC, 1000000), USEC_PER_SEC);
	assert_int_equal(
		connection_reap_limit(USEC_PER_SEC / 2, 1000000), USEC_PER_SEC / 2);
}

static void
a_base_of_years_does_not_overflow(void **state)
{
	(void)state;
	assert_true(connection_reap_limit(UINT64_MAX - 1, 200) <= UINT64_MAX / 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_a_hundred_have_the_whole_time),
		cmocka_unit_test(more_have_less_in_proportion),
		cmocka_unit_test(none_has_less_than_a_second_or_the_whole_time),
		cmocka_unit_test(a_base_of_years_does_not_overflow),
	};

	return cmocka_run_group_tests_name("connection-reap", tests, NULL, NULL);
}
