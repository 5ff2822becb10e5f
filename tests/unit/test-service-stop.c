/* SPDX-License-Identifier: MIT */
/*
 * test-service-stop: the way down: commands, signals, time-outs, what is left behind, and
 * the doubt on a shared terminal. All over simulated time and fake processes.
 */
#include "tests/unit/unit-test.h"

#include <signal.h>

#include "base/clock.h"
#include "mechanism/child.h"
#include "protocol/timespan.h"
#include "tests/unit/fake-loop.h"
#include "tests/unit/fake-sys.h"
#include "tests/unit/service-fixture.h"

#define STOP "/bin/true"       /* it must be found; it is never run */
#define STOP_POST "/bin/false" /* likewise */

static const char *const stop_directives[] = { "Restart=always", "TimeoutStopSec=7s",
	"ExecStop=" STOP, "ExecStopPost=" STOP_POST, NULL };
static const char *const plain[] = { "Restart=always", "TimeoutStopSec=7s", NULL };

/* Fails unless the next timer is TimeoutStopSec= away; runs it. */
static void
pass_the_stop_timeout(struct fixture *fixture)
{
	uint64_t delay = 0;

	assert_true(fake_loop_next_timer(fixture->loop, &delay));
	assert_int_equal(delay, 7 * USEC_PER_SEC);
	assert_true(fake_loop_run_next_timer(fixture->loop));
	fixture_reap(fixture);
}

static void
a_stop_goes_through_all_its_steps(void **state)
{
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, stop_directives);
	fake_sys_newborn_ignores(SIGTERM);
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_stop(fixture.service);
	assert_int_equal(fixture.service->state, SERVICE_STOP_COMMAND);
	assert_int_equal(fake_sys_latest(), fake_sys_latest_of(STOP));
	assert_int_equal(atoi(fake_sys_environment(fake_sys_latest_of(STOP), "MAINPID")),
		main_pid);
	assert_int_equal(fake_sys_n_signals(main_pid, 0), 0);
	fake_sys_exit(fake_sys_latest_of(STOP), 0);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_STOP_SIGNAL);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGTERM), 1);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGCONT), 1);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGKILL), 0);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGKILL), 1);
	assert_int_equal(fixture.service->state, SERVICE_STOP_POST);
	assert_int_equal(fake_sys_latest(), fake_sys_latest_of(STOP_POST));
	assert_string_equal(
		fake_sys_environment(fake_sys_latest(), "SERVICE_RESULT"), "timeout");
	assert_int_equal(fixture.n_ends, 0);
	fake_sys_exit(fake_sys_latest(), 0);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fixture.n_ends, 1);
	assert_true(fixture_listens(&fixture));
	fixture_close(&fixture);
}

static void
a_stop_command_that_hangs_is_killed_and_the_stop_goes_on(void **state)
{
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, stop_directives);
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_stop(fixture.service);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fake_sys_n_signals(fake_sys_latest_of(STOP), SIGKILL), 1);
	assert_false(fake_sys_is_alive(main_pid));
	/* both are reaped in one go, the main process first: nothing may be waited for */
	assert_int_equal(fixture.service->state, SERVICE_STOP_POST);
	fixture_close(&fixture);
}

static void
a_stop_command_that_hangs_after_the_main_process_ended_is_killed(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, stop_directives);
	service_start(fixture.service);
	service_stop(fixture.service);
	fixture_exit(&fixture, 0);
	assert_int_equal(fixture.service->state, SERVICE_STOP_COMMAND);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_STOP_POST);
	fixture_close(&fixture);
}

static void
killing_during_a_stop_command_ends_at_once(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, stop_directives);
	service_start(fixture.service);
	service_stop(fixture.service);
	service_kill(fixture.service);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_STOP_POST);
	fixture_close(&fixture);
}

static void
a_post_command_that_hangs_is_killed(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, stop_directives);
	service_start(fixture.service);
	fixture.service->wanted = false; /* so that the end is the end */
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_STOP_POST);
	assert_string_equal(
		fake_sys_environment(fake_sys_latest(), "SERVICE_RESULT"), "core-dump");
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	fixture_close(&fixture);
}

static void
commands_run_one_after_the_other_and_a_failure_leaves_out_the_rest(void **state)
{
	static const char *const three[] = { "ExecStop=-" STOP, "ExecStop=" STOP_POST,
		"ExecStop=" STOP, NULL };
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, three);
	service_start(fixture.service);
	service_stop(fixture.service);
	assert_int_equal(fake_sys_n_spawned(), 2);
	fake_sys_exit(fake_sys_latest(), 1); /* ignored: it has the dash */
	fixture_reap(&fixture);
	assert_int_equal(fake_sys_n_spawned(), 3);
	assert_int_equal(fixture.service->state, SERVICE_STOP_COMMAND);
	fake_sys_exit(fake_sys_latest(), 1);
	fixture_reap(&fixture);
	assert_int_equal(fake_sys_n_spawned(), 3);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	fixture_close(&fixture);
}

static void
a_grandchild_that_ignores_the_signal_is_killed_after_the_timeout(void **state)
{
	struct fixture fixture;
	pid_t worker;

	(void)state;
	fixture_open(&fixture, plain);
	service_start(fixture.service);
	worker = fake_sys_fork(fixture_main(&fixture));
	fake_sys_ignore(worker, SIGTERM);
	service_stop(fixture.service);
	fixture_reap(&fixture);
	assert_null(fixture.service->main);
	assert_int_equal(fixture.service->state, SERVICE_STOP_SIGNAL);
	assert_int_equal(fake_sys_n_signals(worker, SIGTERM), 1);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fake_sys_n_signals(worker, SIGKILL) > 0, true);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fake_sys_n_there(), 0);
	fixture_close(&fixture);
}

static void
what_cannot_be_killed_does_not_hold_up_the_stop_for_ever(void **state)
{
	static const char *const no_kill[] = { "SendSIGKILL=no", "TimeoutStopSec=7s",
		NULL };
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, no_kill);
	fake_sys_newborn_ignores(SIGTERM);
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_stop(fixture.service);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_STOP_KILL);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGKILL), 0);
	assert_true(fake_sys_is_alive(main_pid));
	fixture_close(&fixture);
}

static void
leftovers_are_gone_before_the_next_start(void **state)
{
	struct fixture fixture;
	pid_t first, worker, daemonised;

	(void)state;
	fixture_open(&fixture, plain);
	service_start(fixture.service);
	first = fixture_main(&fixture);
	worker = fake_sys_fork(first);
	daemonised = fake_sys_fork(0); /* its parent is gone already */
	fake_sys_ignore(worker, SIGTERM);
	fake_sys_die(first, SIGSEGV, false);
	child_table_reap(fixture.host.children);
	/* killed, and still zombies: the next main process waits for them */
	assert_false(fake_sys_is_alive(worker));
	assert_false(fake_sys_is_alive(daemonised));
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fake_sys_n_there(), 1);
	fixture_close(&fixture);
}

struct kill_row {
	const char *mode;
	unsigned main_term, worker_term, worker_kill; /* 0 or 1: whether it is sent */
};

/* clang-format off */
static const struct kill_row kill_rows[] = {
	/*                            main: TERM, worker: TERM, KILL */
	{ "KillMode=control-group",   1, 1, 1 },
	{ "KillMode=mixed",           1, 0, 1 },
	{ "KillMode=process",         1, 0, 0 },
	{ "KillMode=none",            0, 0, 0 },
};
/* clang-format on */

static void
kill_mode_says_who_gets_which_signal(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(kill_rows); i++) {
		const struct kill_row *row = &kill_rows[i];
		const char *const directives[] = { row->mode, "TimeoutStopSec=7s", NULL };
		struct fixture fixture;
		pid_t main_pid, worker;

		fixture_open(&fixture, directives);
		fake_sys_newborn_ignores(SIGTERM);
		service_start(fixture.service);
		main_pid = fixture_main(&fixture);
		worker = fake_sys_fork(main_pid);
		fake_sys_ignore(worker, SIGTERM);
		service_stop(fixture.service);
		fixture_reap(&fixture);
		while (fixture.service->state != SERVICE_DOWN)
			pass_the_stop_timeout(&fixture);
		CHECK_ROW(fake_sys_n_signals(main_pid, SIGTERM) == row->main_term &&
				fake_sys_n_signals(worker, SIGTERM) == row->worker_term &&
				(fake_sys_n_signals(worker, SIGKILL) > 0) ==
					row->worker_kill,
			"%s: main TERM %u, worker TERM %u, KILL %u", row->mode,
			fake_sys_n_signals(main_pid, SIGTERM),
			fake_sys_n_signals(worker, SIGTERM),
			fake_sys_n_signals(worker, SIGKILL));
		fixture_close(&fixture);
	}
}

static void
with_kill_mode_process_only_who_holds_the_port_is_killed_at_a_crash(void **state)
{
	static const char *const process[] = { "Restart=always", "KillMode=process",
		NULL };
	struct fixture fixture;
	pid_t holder, other;

	(void)state;
	fixture_open(&fixture, process);
	service_start(fixture.service);
	holder = fake_sys_fork(fixture_main(&fixture));
	other = fake_sys_fork(fixture_main(&fixture));
	fake_sys_hold(holder);
	fixture_crash(&fixture);
	fixture_reap(&fixture);
	assert_false(fake_sys_is_alive(holder));
	assert_true(fake_sys_is_alive(other));
	assert_int_equal(fixture.service->state, SERVICE_UP);
	fixture_close(&fixture);
}

static void
no_sigkill_is_sent_to_anybody_with_send_sigkill_off(void **state)
{
	static const char *const no_kill[] = { "SendSIGKILL=no", "TimeoutStopSec=7s",
		NULL };
	struct fixture fixture;
	pid_t worker;

	(void)state;
	fixture_open(&fixture, no_kill);
	service_start(fixture.service);
	worker = fake_sys_fork(fixture_main(&fixture));
	fake_sys_ignore(worker, SIGTERM);
	service_stop(fixture.service);
	fixture_reap(&fixture);
	while (fixture.service->state != SERVICE_DOWN)
		pass_the_stop_timeout(&fixture);
	assert_int_equal(fake_sys_n_signals(worker, SIGKILL), 0);
	fixture_close(&fixture);
}

static void
hup_follows_the_kill_signal_where_it_is_asked_for(void **state)
{
	static const char *const hup[] = { "KillSignal=SIGUSR1", "SendSIGHUP=yes", NULL };
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, hup);
	fake_sys_newborn_ignores(SIGUSR1);
	fake_sys_newborn_ignores(SIGHUP);
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_stop(fixture.service);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGUSR1), 1);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGHUP), 1);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGTERM), 0);
	fixture_close(&fixture);
}

static void
the_final_signal_is_the_one_that_was_chosen(void **state)
{
	static const char *const abort_it[] = { "FinalKillSignal=SIGABRT",
		"TimeoutStopSec=7s", NULL };
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, abort_it);
	fake_sys_newborn_ignores(SIGTERM);
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_stop(fixture.service);
	pass_the_stop_timeout(&fixture);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGABRT), 1);
	assert_int_equal(fake_sys_n_signals(main_pid, SIGKILL), 0);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	fixture_close(&fixture);
}

static void
a_stop_during_a_delay_ends_the_service_without_a_start(void **state)
{
	static const char *const slow[] = { "Restart=always", "RestartSec=1h", NULL };
	struct fixture fixture;
	uint64_t delay;

	(void)state;
	fixture_open(&fixture, slow);
	service_start(fixture.service);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
	service_stop(fixture.service);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fixture.n_ends, 1);
	assert_int_equal(fake_sys_n_spawned(), 1);
	assert_false(fake_loop_next_timer(fixture.loop, &delay));
	fixture_close(&fixture);
}

static void
a_death_by_ctrl_c_is_not_followed_by_a_restart(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, plain);
	fixture.host.process_group = 1;
	service_start(fixture.service);
	fake_sys_die(fixture_main(&fixture), SIGINT, false);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_JUDGING);
	service_stop(fixture.service); /* the manager's word arrives */
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fake_sys_n_spawned(), 1);
	fixture_close(&fixture);
}

static void
a_death_by_sigint_from_elsewhere_is_judged_and_restarted(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, plain);
	fixture.host.process_group = 1;
	service_start(fixture.service);
	fake_sys_die(fixture_main(&fixture), SIGINT, false);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_JUDGING);
	assert_int_equal(fake_loop_poll(fixture.loop), 1); /* the barrier's answer */
	assert_int_equal(fixture.n_fetches, 1);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fake_sys_n_spawned(), 2);
	fixture_close(&fixture);
}

static void
a_crash_on_a_shared_terminal_is_not_in_doubt(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, plain);
	fixture.host.process_group = 1;
	service_start(fixture.service);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fake_sys_n_spawned(), 2);
	fixture_close(&fixture);
}

/* The terminal has sent the program SIGINT, too; it may be on its way out by itself. */
static void
ctrl_c_leaves_the_program_a_moment_before_the_stop_begins(void **state)
{
	struct fixture fixture;
	pid_t main_pid;

	(void)state;
	fixture_open(&fixture, stop_directives);
	fixture.host.process_group = 1;
	service_start(fixture.service);
	main_pid = fixture_main(&fixture);
	service_interrupt(fixture.service);
	assert_int_equal(fake_sys_n_signals(main_pid, 0), 0);
	assert_int_equal(fake_sys_n_spawned(), 1);
	assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_int_equal(fixture.service->state, SERVICE_STOP_COMMAND);
	assert_int_equal(fake_sys_latest(), fake_sys_latest_of(STOP));
	fixture_close(&fixture);
}

static void
a_program_that_ends_by_ctrl_c_itself_is_not_signalled(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, plain);
	fixture.host.process_group = 1;
	service_start(fixture.service);
	service_interrupt(fixture.service);
	fake_sys_exit(fixture_main(&fixture), 130);
	fixture_reap(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(service_exit_status(fixture.service), 130);
	assert_int_equal(fake_sys_n_spawned(), 1);
	fixture_close(&fixture);
}

static void
the_death_of_a_survivor_is_followed_by_a_fresh_start(void **state)
{
	struct fixture fixture;
	pid_t manager, old_main;

	(void)state;
	fixture_open(&fixture, plain);
	manager = fake_sys_fork(1); /* the manager is nobody's child here */
	old_main = fake_sys_fork(manager);
	fake_sys_ignore(old_main, SIGTERM);
	fixture.host.survivors_root = manager;
	service_adopt(fixture.service);
	assert_int_equal(fixture.service->state, SERVICE_STOP_SIGNAL);
	assert_int_equal(fake_sys_n_spawned(), 0);
	fake_sys_die(old_main, SIGKILL, false);
	fake_sys_reap(old_main); /* the manager does it */
	assert_true(fake_loop_poll(fixture.loop) > 0);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fake_sys_n_spawned(), 1);
	assert_true(fake_sys_is_alive(manager));
	fixture_close(&fixture);
}

static void
what_a_dead_portkeeperd_left_is_ended_before_the_first_start(void **state)
{
	struct fixture fixture;
	pid_t manager, old_main, old_worker;

	(void)state;
	fixture_open(&fixture, plain);
	manager = fake_sys_fork(1);
	old_main = fake_sys_fork(manager);
	old_worker = fake_sys_fork(old_main);
	fake_sys_ignore(old_worker, SIGTERM);
	fixture.host.survivors_root = manager;
	service_adopt(fixture.service);
	assert_int_equal(fixture.service->state, SERVICE_STOP_SIGNAL);
	assert_int_equal(fake_sys_n_signals(old_main, SIGTERM) > 0, true);
	assert_int_equal(fake_sys_n_signals(old_worker, SIGTERM) > 0, true);
	assert_int_equal(fake_sys_n_signals(manager, 0), 0);
	assert_int_equal(fake_sys_n_spawned(), 0);
	fixture_close(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_goes_through_all_its_steps),
		cmocka_unit_test(
			a_stop_command_that_hangs_is_killed_and_the_stop_goes_on),
		cmocka_unit_test(
			a_stop_command_that_hangs_after_the_main_process_ended_is_killed),
		cmocka_unit_test(killing_during_a_stop_command_ends_at_once),
		cmocka_unit_test(a_post_command_that_hangs_is_killed),
		cmocka_unit_test(
			commands_run_one_after_the_other_and_a_failure_leaves_out_the_rest),
		cmocka_unit_test(
			a_grandchild_that_ignores_the_signal_is_killed_after_the_timeout),
		cmocka_unit_test(
			what_cannot_be_killed_does_not_hold_up_the_stop_for_ever),
		cmocka_unit_test(leftovers_are_gone_before_the_next_start),
		cmocka_unit_test(kill_mode_says_who_gets_which_signal),
		cmocka_unit_test(
			with_kill_mode_process_only_who_holds_the_port_is_killed_at_a_crash),
		cmocka_unit_test(no_sigkill_is_sent_to_anybody_with_send_sigkill_off),
		cmocka_unit_test(hup_follows_the_kill_signal_where_it_is_asked_for),
		cmocka_unit_test(the_final_signal_is_the_one_that_was_chosen),
		cmocka_unit_test(a_stop_during_a_delay_ends_the_service_without_a_start),
		cmocka_unit_test(a_death_by_ctrl_c_is_not_followed_by_a_restart),
		cmocka_unit_test(
			a_death_by_sigint_from_elsewhere_is_judged_and_restarted),
		cmocka_unit_test(a_crash_on_a_shared_terminal_is_not_in_doubt),
		cmocka_unit_test(
			what_a_dead_portkeeperd_left_is_ended_before_the_first_start),
		cmocka_unit_test(
			ctrl_c_leaves_the_program_a_moment_before_the_stop_begins),
		cmocka_unit_test(a_program_that_ends_by_ctrl_c_itself_is_not_signalled),
		cmocka_unit_test(the_death_of_a_survivor_is_followed_by_a_fresh_start),
	};

	return cmocka_run_group_tests_name("service-stop", tests, NULL, NULL);
}
