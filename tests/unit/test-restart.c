/* SPDX-License-Identifier: MIT */
/*
 * test-restart: the table "Exit causes and the effect of the Restart= settings" of
 * systemd.service(5), row by row, and the exit statuses that override it.
 */
#include "tests/unit/unit-test.h"

#include <signal.h>

#include "base/sys.h"
#include "policy/restart.h"

/* clang-format off */
static const struct {
	const char *cause;
	struct sys_exit exit;
	enum service_result result;
} causes[] = {
	{ "exit status 0",   { .status = 0 },                                      SERVICE_RESULT_SUCCESS },
	{ "SIGHUP",          { .by_signal = true, .status = SIGHUP },              SERVICE_RESULT_SUCCESS },
	{ "SIGINT",          { .by_signal = true, .status = SIGINT },              SERVICE_RESULT_SUCCESS },
	{ "SIGTERM",         { .by_signal = true, .status = SIGTERM },             SERVICE_RESULT_SUCCESS },
	{ "SIGPIPE",         { .by_signal = true, .status = SIGPIPE },             SERVICE_RESULT_SUCCESS },
	{ "exit status 1",   { .status = 1 },                                      SERVICE_RESULT_EXIT_CODE },
	{ "exit status 255", { .status = 255 },                                    SERVICE_RESULT_EXIT_CODE },
	{ "SIGKILL",         { .by_signal = true, .status = SIGKILL },             SERVICE_RESULT_SIGNAL },
	{ "SIGUSR1",         { .by_signal = true, .status = SIGUSR1 },             SERVICE_RESULT_SIGNAL },
	{ "signal 64",       { .by_signal = true, .status = 64 },                  SERVICE_RESULT_SIGNAL },
	{ "a core dump",     { .by_signal = true, .status = SIGSEGV, .core_dumped = true }, SERVICE_RESULT_CORE_DUMP },
};

/* systemd.service(5), Table 1; "watchdog" is left out: there is none yet. */
static const struct {
	int mode;
	bool success, exit_code, signal, core_dump, timeout;
} table[] = {
	/*                        clean  exit   signal core   time-out */
	{ RESTART_NO,             false, false, false, false, false },
	{ RESTART_ALWAYS,         true,  true,  true,  true,  true },
	{ RESTART_ON_SUCCESS,     true,  false, false, false, false },
	{ RESTART_ON_FAILURE,     false, true,  true,  true,  true },
	{ RESTART_ON_ABNORMAL,    false, false, true,  true,  true },
	{ RESTART_ON_ABORT,       false, false, true,  true,  false },
	{ RESTART_ON_WATCHDOG,    false, false, false, false, false },
};
/* clang-format on */

static struct exit_set
set_of_status(int status)
{
	struct exit_set set = { .signals = 0 };

	set.statuses[status / 64] = UINT64_C(1) << (status % 64);
	return set;
}

static struct exit_set
set_of_signal(int signal)
{
	return (struct exit_set){ .signals = UINT64_C(1) << (signal - 1) };
}

static void
every_end_is_classified_as_systemd_does(void **state)
{
	const struct restart_spec spec = { .mode = RESTART_NO };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(causes); i++)
		CHECK_ROW(restart_classify(&spec, &causes[i].exit) == causes[i].result,
			"%s: %s", causes[i].cause,
			service_result_name(restart_classify(&spec, &causes[i].exit)));
}

static void
the_table_of_restart_modes_holds_in_every_cell(void **state)
{
	(void)state;
	assert_int_equal(PK_ARRAY_SIZE(table), RESTART_MODE_MAX);
	for (size_t i = 0; i < PK_ARRAY_SIZE(table); i++) {
		const struct restart_spec spec = { .mode = table[i].mode };
		const bool wanted[SERVICE_RESULT_MAX] = {
			[SERVICE_RESULT_SUCCESS] = table[i].success,
			[SERVICE_RESULT_EXIT_CODE] = table[i].exit_code,
			[SERVICE_RESULT_SIGNAL] = table[i].signal,
			[SERVICE_RESULT_CORE_DUMP] = table[i].core_dump,
			[SERVICE_RESULT_TIMEOUT] = table[i].timeout,
		};

		for (unsigned r = 0; r < SERVICE_RESULT_RESOURCES; r++)
			CHECK_ROW(restart_is_due(&spec, (enum service_result)r, NULL) ==
					wanted[r],
				"mode %d after %s", table[i].mode,
				service_result_name((enum service_result)r));
		for (size_t j = 0; j < PK_ARRAY_SIZE(causes); j++)
			CHECK_ROW(restart_is_due(&spec,
					  restart_classify(&spec, &causes[j].exit),
					  &causes[j].exit) == wanted[causes[j].result],
				"mode %d after %s", table[i].mode, causes[j].cause);
	}
}

static void
success_exit_status_makes_a_success_of_each_status_and_signal(void **state)
{
	(void)state;
	for (int status = 0; status < 256; status++) {
		struct restart_spec spec = { .mode = RESTART_ON_FAILURE };
		struct sys_exit exit = { .status = status };

		spec.success = set_of_status(status);
		assert_int_equal(restart_classify(&spec, &exit), SERVICE_RESULT_SUCCESS);
		exit.status = (status + 1) % 256;
		assert_int_equal(restart_classify(&spec, &exit),
			exit.status == 0 ? SERVICE_RESULT_SUCCESS
					 : SERVICE_RESULT_EXIT_CODE);
	}
	for (int signal = 1; signal <= 64; signal++) {
		struct restart_spec spec = { .mode = RESTART_ON_FAILURE };
		struct sys_exit exit = { .by_signal = true, .status = signal };

		spec.success = set_of_signal(signal);
		assert_int_equal(restart_classify(&spec, &exit), SERVICE_RESULT_SUCCESS);
		/* the number alone, as an exit status, means nothing */
		exit.by_signal = false;
		assert_int_equal(
			restart_classify(&spec, &exit), SERVICE_RESULT_EXIT_CODE);
	}
}

static void
prevent_wins_over_always_and_over_force(void **state)
{
	const struct sys_exit three = { .status = 3 };
	const struct sys_exit killed = { .by_signal = true, .status = SIGKILL };
	struct restart_spec spec = { .mode = RESTART_ALWAYS };

	(void)state;
	spec.prevent = set_of_status(3);
	spec.force = set_of_status(3);
	assert_false(restart_is_due(&spec, SERVICE_RESULT_EXIT_CODE, &three));
	assert_true(restart_is_due(&spec, SERVICE_RESULT_SIGNAL, &killed));
	spec.prevent = set_of_signal(SIGKILL);
	assert_false(restart_is_due(&spec, SERVICE_RESULT_SIGNAL, &killed));
}

static void
force_restarts_even_with_restart_no(void **state)
{
	const struct sys_exit zero = { .status = 0 }, three = { .status = 3 };
	const struct sys_exit term = { .by_signal = true, .status = SIGTERM };
	struct restart_spec spec = { .mode = RESTART_NO };

	(void)state;
	spec.force = set_of_status(3);
	assert_true(restart_is_due(&spec, SERVICE_RESULT_EXIT_CODE, &three));
	assert_false(restart_is_due(&spec, SERVICE_RESULT_SUCCESS, &zero));
	spec.force = set_of_signal(SIGTERM);
	assert_true(restart_is_due(&spec, SERVICE_RESULT_SUCCESS, &term));
}

static void
where_no_process_was_the_lists_do_not_matter(void **state)
{
	struct restart_spec spec = { .mode = RESTART_ON_FAILURE };

	(void)state;
	memset(&spec.prevent, 0xff, sizeof(spec.prevent));
	assert_true(restart_is_due(&spec, SERVICE_RESULT_EXIT_CODE, NULL));
}

static void
every_result_has_the_name_that_service_result_has_in_systemd(void **state)
{
	static const char *const names[] = { "success", "exit-code", "signal",
		"core-dump", "timeout", "resources" };

	(void)state;
	assert_int_equal(PK_ARRAY_SIZE(names), SERVICE_RESULT_MAX);
	for (unsigned i = 0; i < SERVICE_RESULT_MAX; i++)
		assert_string_equal(
			service_result_name((enum service_result)i), names[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_is_classified_as_systemd_does),
		cmocka_unit_test(the_table_of_restart_modes_holds_in_every_cell),
		cmocka_unit_test(
			success_exit_status_makes_a_success_of_each_status_and_signal),
		cmocka_unit_test(prevent_wins_over_always_and_over_force),
		cmocka_unit_test(force_restarts_even_with_restart_no),
		cmocka_unit_test(where_no_process_was_the_lists_do_not_matter),
		cmocka_unit_test(
			every_result_has_the_name_that_service_result_has_in_systemd),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
