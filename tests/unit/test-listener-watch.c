/* SPDX-License-Identifier: MIT */
/* test-listener-watch: a hang-up is told, and a connection is not. Real sockets, fake
 * loop. */
#include "tests/unit/unit-test.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "mechanism/listener-watch.h"
#include "tests/unit/fake-loop.h"

struct watched {
	struct loop *loop;
	struct listener_watch *watch;
	int fd;
	struct sockaddr_in address;
	unsigned n_calls;
};

static void
on_hangup(void *context)
{
	struct watched *watched = context;

	watched->n_calls++;
}

static int
bound_listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)address, length), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
	return fd;
}

static void
watched_open(struct watched *watched)
{
	memset(watched, 0, sizeof(*watched));
	assert_int_equal(loop_new(&watched->loop), 0);
	assert_int_equal(
		listener_watch_new(watched->loop, on_hangup, watched, &watched->watch),
		0);
	watched->fd = bound_listener(&watched->address);
	assert_int_equal(listener_watch_add(watched->watch, watched->fd), 0);
}

static void
watched_close(struct watched *watched)
{
	(void)pk_close(watched->fd);
	assert_null(listener_watch_free(watched->watch));
	assert_int_equal(fake_loop_n_ios(watched->loop), 0);
	(void)loop_free(watched->loop);
}

static void
a_connection_wakes_nobody(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched);
	assert_int_equal(fake_loop_poll(watched.loop), 0);
	for (int i = 0; i < 5; i++) {
		PK_CLOSE int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(connect(client, (struct sockaddr *)&watched.address,
					 sizeof(watched.address)),
			0);
		assert_int_equal(fake_loop_poll(watched.loop), 0);
	}
	assert_int_equal(watched.n_calls, 0);
	watched_close(&watched);
}

static void
a_shutdown_is_told_once_each_time(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(shutdown(watched.fd, SHUT_RDWR), 0);
		assert_int_equal(fake_loop_poll(watched.loop), 1);
		assert_int_equal(watched.n_calls, i);
		assert_int_equal(fake_loop_poll(watched.loop), 0);
		assert_int_equal(listen(watched.fd, 16), 0);
		assert_int_equal(listener_watch_add(watched.watch, watched.fd), 0);
		assert_int_equal(fake_loop_poll(watched.loop), 0);
	}
	watched_close(&watched);
}

static void
many_that_hang_up_together_are_told_together(void **state)
{
	struct watched watched;
	struct sockaddr_in address;
	int fds[40];

	(void)state;
	watched_open(&watched);
	for (size_t i = 0; i < PK_ARRAY_SIZE(fds); i++) {
		fds[i] = bound_listener(&address);
		assert_int_equal(listener_watch_add(watched.watch, fds[i]), 0);
	}
	for (size_t i = 0; i < PK_ARRAY_SIZE(fds); i++)
		assert_int_equal(shutdown(fds[i], SHUT_RDWR), 0);
	while (fake_loop_poll(watched.loop) > 0)
		;
	assert_int_equal(watched.n_calls, 1);
	for (size_t i = 0; i < PK_ARRAY_SIZE(fds); i++)
		(void)pk_close(fds[i]);
	watched_close(&watched);
}

static void
what_is_closed_is_watched_no_more(void **state)
{
	struct watched watched;

	(void)state;
	watched_open(&watched);
	watched.fd = pk_close(watched.fd);
	assert_int_equal(fake_loop_poll(watched.loop), 0);
	assert_int_equal(watched.n_calls, 0);
	assert_int_equal(listener_watch_add(watched.watch, -1), -EBADF);
	watched_close(&watched);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_wakes_nobody),
		cmocka_unit_test(a_shutdown_is_told_once_each_time),
		cmocka_unit_test(many_that_hang_up_together_are_told_together),
		cmocka_unit_test(what_is_closed_is_watched_no_more),
	};

	return cmocka_run_group_tests_name("listener-watch", tests, NULL, NULL);
}
