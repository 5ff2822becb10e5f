/* SPDX-License-Identifier: MIT */
/*
 * test-service: what happens to a service and above all to its port when its process
 * crashes, over simulated time, with real listeners. How a service is stopped:
 * test-service-stop.c.
 */
#include "tests/unit/unit-test.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "mechanism/child.h"
#include "mechanism/listener.h"
#include "protocol/timespan.h"
#include "tests/unit/fake-loop.h"
#include "tests/unit/fake-sys.h"
#include "tests/unit/service-fixture.h"

#define MINUTES (60 * USEC_PER_SEC)

/* What `portkeeper run` sets when the user says nothing. */
static const char *const run_defaults[] = { "Restart=on-failure", "RestartSec=100ms",
	"RestartSteps=8", "RestartMaxDelaySec=30s", "RestartImmediate=5", NULL };

static void
a_crash_is_followed_by_a_restart_at_once(void **state)
{
	struct fixture fixture;
	uint64_t before;
	pid_t first;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	first = fixture_main(&fixture);
	before = clock_monotonic_usec();
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_not_equal(fixture_main(&fixture), first);
	assert_int_equal(clock_monotonic_usec(), before);
	assert_int_equal(fake_sys_n_spawned(), 2);
	fixture_close(&fixture);
}

static void
a_clean_exit_ends_a_service_with_restart_on_failure(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	fixture_exit(&fixture, 0);
	assert_int_equal(fixture.service->state, SERVICE_DOWN);
	assert_int_equal(fixture.n_ends, 1);
	assert_int_equal(service_exit_status(fixture.service), 0);
	assert_true(fixture_listens(&fixture));
	fixture_close(&fixture);
}

static void
the_exit_status_is_the_one_that_a_shell_gives(void **state)
{
	/* clang-format off */
	static const struct { int status; int signal; int wanted; } rows[] = {
		{ 0, 0, 0 }, { 3, 0, 3 }, { 255, 0, 255 },
		{ 0, SIGKILL, 137 }, { 0, SIGTERM, 143 }, { 0, SIGSEGV, 139 },
	};
	/* clang-format on */
	static const char *const never[] = { "Restart=no", NULL };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct fixture fixture;

		fixture_open(&fixture, never);
		service_start(fixture.service);
		if (rows[i].signal)
			fake_sys_die(fixture_main(&fixture), rows[i].signal, false);
		else
			fake_sys_exit(fixture_main(&fixture), rows[i].status);
		fixture_reap(&fixture);
		assert_int_equal(fixture.n_ends, 1);
		CHECK_ROW(service_exit_status(fixture.service) == rows[i].wanted,
			"row %zu: %d", i, service_exit_status(fixture.service));
		fixture_close(&fixture);
	}
}

static void
ten_minutes_of_crashes_leave_the_same_listening_socket(void **state)
{
	struct fixture fixture;
	uint64_t start, cookie, longest = 0;
	unsigned n_crashes = 0, n_delays = 0;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	cookie = fixture_cookie(&fixture);
	start = clock_monotonic_usec();
	while (clock_monotonic_usec() - start < 10 * MINUTES) {
		uint64_t delay = 0;

		assert_true(fixture_listens(&fixture));
		if (fixture.service->state == SERVICE_UP) {
			fixture_crash(&fixture);
			n_crashes++;
		} else {
			assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
			assert_true(fake_loop_next_timer(fixture.loop, &delay));
			longest = delay > longest ? delay : longest;
			n_delays++;
			assert_true(fake_loop_run_next_timer(fixture.loop));
		}
		assert_int_equal(fixture_cookie(&fixture), cookie);
		assert_true(fixture_listens(&fixture));
	}
	assert_int_equal(n_crashes - n_delays, 5); /* RestartImmediate= */
	assert_int_equal(longest, 30 * USEC_PER_SEC);
	print_message("# %u crashes in 10 simulated minutes\n", n_crashes);
	fixture_close(&fixture);
}

static void
clients_that_connect_during_a_delay_wait_in_the_queue(void **state)
{
	struct fixture fixture;
	int clients[3];
	unsigned waiting = 0;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	while (fixture.service->state == SERVICE_UP)
		fixture_crash(&fixture);
	for (size_t i = 0; i < PK_ARRAY_SIZE(clients); i++) {
		clients[i] = fixture_connect(&fixture);
		assert_true(clients[i] >= 0);
	}
	assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(listener_queue(fixture.service->listeners[0], &waiting), 0);
	assert_int_equal(waiting, PK_ARRAY_SIZE(clients));
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->n_waiting, PK_ARRAY_SIZE(clients));
	for (size_t i = 0; i < PK_ARRAY_SIZE(clients); i++)
		(void)pk_close(clients[i]);
	fixture_close(&fixture);
}

static void
a_start_limit_pauses_and_the_port_stays_held(void **state)
{
	static const char *const limited[] = { "Restart=always", "RestartSec=0",
		"StartLimitBurst=3", "StartLimitIntervalSec=60", NULL };
	struct fixture fixture;
	uint64_t cookie, delay = 0;

	(void)state;
	fixture_open(&fixture, limited);
	service_start(fixture.service);
	cookie = fixture_cookie(&fixture);
	fixture_crash(&fixture);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_PAUSED);
	assert_int_equal(fake_sys_n_spawned(), 3);
	assert_true(fixture_listens(&fixture));
	assert_true(fake_loop_next_timer(fixture.loop, &delay));
	assert_int_equal(delay, 60 * USEC_PER_SEC);
	assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fixture_cookie(&fixture), cookie);
	assert_int_equal(fixture.n_ends, 0);
	fixture_close(&fixture);
}

static void
a_start_by_hand_ends_a_pause_and_forgets_the_counts(void **state)
{
	static const char *const limited[] = { "Restart=always", "RestartSec=0",
		"StartLimitBurst=2", "StartLimitIntervalSec=60", NULL };
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, limited);
	service_start(fixture.service);
	fixture_crash(&fixture);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_PAUSED);
	service_start(fixture.service);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_UP);
	fixture_close(&fixture);
}

static const char *const refusing[] = { "Restart=always", "RestartSec=10s",
	"RestartImmediate=0", "WhileDown=refuse", NULL };

static void
while_down_refuse_refuses_until_the_next_start(void **state)
{
	struct fixture fixture;
	uint64_t cookie;
	int client;

	(void)state;
	fixture_open(&fixture, refusing);
	service_start(fixture.service);
	cookie = fixture_cookie(&fixture);
	client = fixture_connect(&fixture);
	assert_true(client >= 0);
	(void)pk_close(client);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
	assert_int_equal(fixture_connect(&fixture), -ECONNREFUSED);
	/* the hang-up is our own doing: whoever is told of it must not undo it */
	(void)fake_loop_poll(fixture.loop);
	assert_int_equal(fixture_connect(&fixture), -ECONNREFUSED);
	assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_int_equal(fixture.service->state, SERVICE_UP);
	client = fixture_connect(&fixture);
	assert_true(client >= 0);
	(void)pk_close(client);
	assert_int_equal(fixture_cookie(&fixture), cookie);
	fixture_close(&fixture);
}

static void
a_thief_with_reuseaddr_cannot_take_a_port_that_refuses(void **state)
{
	struct fixture fixture;
	struct sockaddr_in address = { .sin_family = AF_INET };
	int on = 1, thief, r;

	(void)state;
	fixture_open(&fixture, refusing);
	thief = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	service_start(fixture.service);
	fixture_crash(&fixture);
	assert_int_equal(fixture_connect(&fixture), -ECONNREFUSED);
	address.sin_port = htons(fixture_port(&fixture));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = bind(thief, (const struct sockaddr *)&address, sizeof(address));
	assert_int_equal(r, -1);
	assert_int_equal(errno, EADDRINUSE);
	/* nor by the wildcard address */
	address.sin_addr.s_addr = htonl(INADDR_ANY);
	r = bind(thief, (const struct sockaddr *)&address, sizeof(address));
	assert_int_equal(r, -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_true(fixture_listens(&fixture));
	(void)pk_close(thief);
	fixture_close(&fixture);
}

static void
a_listener_that_the_program_shut_down_listens_again(void **state)
{
	struct fixture fixture;
	uint64_t cookie;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	cookie = fixture_cookie(&fixture);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shutdown(fixture_fd(&fixture), SHUT_RDWR), 0);
		assert_false(fixture_listens(&fixture));
		assert_true(fake_loop_poll(fixture.loop) > 0);
		assert_true(fixture_listens(&fixture));
	}
	assert_int_equal(fixture_cookie(&fixture), cookie);
	fixture_close(&fixture);
}

static void
a_queue_that_the_program_shortened_is_mended_soon_after_a_start(void **state)
{
	struct fixture fixture;
	unsigned limit;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	limit = fixture.service->listeners[0]->queue_limit;
	assert_int_equal(listen(fixture_fd(&fixture), 5), 0);
	fake_loop_advance(fixture.loop, 10 * USEC_PER_SEC);
	/* 0: nothing is left to mend */
	assert_int_equal(listener_repair(fixture.service->listeners[0], false, false), 0);
	assert_int_equal(fixture.service->listeners[0]->queue_limit, limit);
	fixture_close(&fixture);
}

static void
after_the_settling_looks_no_timer_stays(void **state)
{
	struct fixture fixture;
	uint64_t delay;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	fake_loop_advance(fixture.loop, 60 * USEC_PER_SEC);
	assert_false(fake_loop_next_timer(fixture.loop, &delay));
	fixture_close(&fixture);
}

static void
a_shortage_at_spawn_backs_off_and_recovers(void **state)
{
	/* RestartSec=0 is no delay at all, and Restart=no does not matter: nothing has
	 * run */
	static const char *const never[] = { "Restart=no", "RestartImmediate=0", NULL };
	struct fixture fixture;
	uint64_t delay = 0;

	(void)state;
	fixture_open(&fixture, never);
	fake_sys_fail_spawns(-EAGAIN, 2);
	service_start(fixture.service);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
		assert_true(fake_loop_next_timer(fixture.loop, &delay));
		assert_true(delay > 0);
		assert_true(fixture_listens(&fixture));
		assert_true(fake_loop_run_next_timer(fixture.loop));
	}
	assert_int_equal(fixture.service->state, SERVICE_UP);
	assert_int_equal(fixture.n_ends, 0);
	fixture_close(&fixture);
}

static void
a_shortage_at_the_restart_after_a_crash_backs_off_and_recovers(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	fake_sys_fail_spawns(-ENOMEM, 20);
	fixture_crash(&fixture);
	while (fixture.service->state != SERVICE_UP) {
		assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
		assert_true(fixture_listens(&fixture));
		assert_true(fake_loop_run_next_timer(fixture.loop));
	}
	assert_int_equal(fake_sys_n_spawned(), 2);
	fixture_close(&fixture);
}

static void
a_command_that_never_could_start_is_not_tried_again(void **state)
{
	/* clang-format off */
	static const struct { int error; int status; } rows[] = {
		{ -ENOENT, 127 }, { -EACCES, 126 }, { -ENOEXEC, 126 },
	};
	/* clang-format on */
	static const char *const always[] = { "Restart=always", NULL };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct fixture fixture;

		fixture_open(&fixture, always);
		fake_sys_fail_spawns(rows[i].error, 1);
		service_start(fixture.service);
		assert_int_equal(fixture.service->state, SERVICE_DOWN);
		assert_int_equal(fixture.n_ends, 1);
		assert_int_equal(service_exit_status(fixture.service), rows[i].status);
		fixture_close(&fixture);
	}
}

static void
a_program_that_vanished_is_tried_again_with_a_delay(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	fake_sys_fail_spawns(-ENOENT, 8);
	fixture_crash(&fixture);
	assert_int_equal(fixture.service->state, SERVICE_BACKOFF);
	while (fixture.service->state == SERVICE_BACKOFF)
		assert_true(fake_loop_run_next_timer(fixture.loop));
	assert_int_equal(fixture.service->state, SERVICE_UP);
	fixture_close(&fixture);
}

static void
the_main_process_gets_the_listener_by_its_environment(void **state)
{
	struct fixture fixture;
	const char *id, *second;

	(void)state;
	fixture_open(&fixture, run_defaults);
	service_start(fixture.service);
	assert_string_equal(
		fake_sys_environment(fixture_main(&fixture), "LISTEN_FDS"), "1");
	assert_string_equal(
		fake_sys_environment(fixture_main(&fixture), "LISTEN_FDNAMES"), "web");
	id = fake_sys_environment(fixture_main(&fixture), "INVOCATION_ID");
	assert_int_equal(strlen(id), 32);
	fixture_crash(&fixture);
	second = fake_sys_environment(fixture_main(&fixture), "INVOCATION_ID");
	assert_string_not_equal(id, second);
	fixture_close(&fixture);
}

static void
jitter_makes_a_delay_longer_by_what_is_allowed(void **state)
{
	static const char *const jittered[] = { "Restart=always", "RestartSec=10s",
		"RestartImmediate=0", "RestartRandomizedDelaySec=4s", NULL };
	struct fixture fixture;
	uint64_t delay = 0;

	(void)state;
	fixture_open(&fixture, jittered);
	fake_clock_set_jitter(500);
	service_start(fixture.service);
	fixture_crash(&fixture);
	assert_true(fake_loop_next_timer(fixture.loop, &delay));
	assert_int_equal(delay, 12 * USEC_PER_SEC);
	fixture_close(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_is_followed_by_a_restart_at_once),
		cmocka_unit_test(a_clean_exit_ends_a_service_with_restart_on_failure),
		cmocka_unit_test(the_exit_status_is_the_one_that_a_shell_gives),
		cmocka_unit_test(ten_minutes_of_crashes_leave_the_same_listening_socket),
		cmocka_unit_test(clients_that_connect_during_a_delay_wait_in_the_queue),
		cmocka_unit_test(a_start_limit_pauses_and_the_port_stays_held),
		cmocka_unit_test(a_start_by_hand_ends_a_pause_and_forgets_the_counts),
		cmocka_unit_test(while_down_refuse_refuses_until_the_next_start),
		cmocka_unit_test(a_thief_with_reuseaddr_cannot_take_a_port_that_refuses),
		cmocka_unit_test(a_listener_that_the_program_shut_down_listens_again),
		cmocka_unit_test(
			a_queue_that_the_program_shortened_is_mended_soon_after_a_start),
		cmocka_unit_test(after_the_settling_looks_no_timer_stays),
		cmocka_unit_test(a_shortage_at_spawn_backs_off_and_recovers),
		cmocka_unit_test(
			a_shortage_at_the_restart_after_a_crash_backs_off_and_recovers),
		cmocka_unit_test(a_command_that_never_could_start_is_not_tried_again),
		cmocka_unit_test(a_program_that_vanished_is_tried_again_with_a_delay),
		cmocka_unit_test(the_main_process_gets_the_listener_by_its_environment),
		cmocka_unit_test(jitter_makes_a_delay_longer_by_what_is_allowed),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
