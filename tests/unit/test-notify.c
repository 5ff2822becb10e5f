/* SPDX-License-Identifier: MIT */
/*
 * test-notify: messages to a manager whose queue is short: nothing is lost, the order is
 * kept, descriptors arrive. The manager is a datagram socket of the test.
 */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "mechanism/notify.h"
#include "protocol/fd-passing.h"
#include "tests/unit/fake-loop.h"

struct manager {
	struct loop *loop;
	struct notify *notify;
	int socket;
	unsigned n_barriers;
};

static void
manager_open(struct manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length =
		sizeof(sa_family_t); /* the kernel chooses an abstract name: unix(7) */
	char name[sizeof(address.sun_path) + 1];
	struct error err = ERROR_NONE;

	memset(manager, 0, sizeof(*manager));
	manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(manager->socket >= 0);
	assert_int_equal(bind(manager->socket, (struct sockaddr *)&address, length), 0);
	length = sizeof(address);
	assert_int_equal(
		getsockname(manager->socket, (struct sockaddr *)&address, &length), 0);
	length -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	memcpy(name, address.sun_path, length);
	name[0] = '@';
	name[length] = '\0';
	assert_int_equal(loop_new(&manager->loop), 0);
	if (notify_new(manager->loop, name, &manager->notify, &err) < 0)
		fail_msg("%s", err.text);
}

static void
manager_close(struct manager *manager)
{
	manager->notify = notify_free(manager->notify);
	assert_int_equal(fake_loop_n_ios(manager->loop), 0);
	(void)loop_free(manager->loop);
	(void)pk_close(manager->socket);
}

/* The next message, and its one descriptor or -1; false when there is none. */
static bool
manager_read(struct manager *manager, char *text, size_t size, int *ret_fd)
{
	size_t n_fds = 0;
	ssize_t n = fd_passing_receive(
		manager->socket, text, size - 1, ret_fd, 1, &n_fds, NULL);

	if (n < 0)
		return false;
	text[n] = '\0';
	if (n_fds == 0)
		*ret_fd = -1;
	return true;
}

static void
on_barrier(void *context)
{
	struct manager *manager = context;

	manager->n_barriers++;
}

static void
a_message_arrives_as_it_was_sent(void **state)
{
	struct manager manager;
	char text[64];
	int fd;

	(void)state;
	manager_open(&manager);
	assert_int_equal(notify_send(manager.notify, "READY=1\nSTATUS=x", NULL, 0), 0);
	assert_true(manager_read(&manager, text, sizeof(text), &fd));
	assert_string_equal(text, "READY=1\nSTATUS=x");
	assert_int_equal(fd, -1);
	manager_close(&manager);
}

/* Many more than net.unix.max_dgram_qlen, each with a descriptor of its own. */
static void
a_full_queue_loses_nothing_and_keeps_the_order(void **state)
{
	enum { MANY = 300 };
	struct manager manager;
	ino_t inodes[MANY];
	struct stat st;
	char text[64], wanted[64];
	int fd, n_read = 0;

	(void)state;
	manager_open(&manager);
	for (int i = 0; i < MANY; i++) {
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		assert_int_equal(fstat(ends[0], &st), 0);
		inodes[i] = st.st_ino;
		(void)snprintf(text, sizeof(text), "FDNAME=%d", i);
		assert_int_equal(notify_send(manager.notify, text, &ends[0], 1), 0);
		/* a copy is kept: the sender's own may go */
		(void)pk_close(ends[0]);
		(void)pk_close(ends[1]);
	}
	while (n_read < MANY) {
		if (!manager_read(&manager, text, sizeof(text), &fd)) {
			assert_true(fake_loop_poll(manager.loop) > 0);
			continue;
		}
		(void)snprintf(wanted, sizeof(wanted), "FDNAME=%d", n_read);
		assert_string_equal(text, wanted);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(st.st_ino == inodes[n_read]);
		(void)pk_close(fd);
		n_read++;
	}
	assert_false(manager_read(&manager, text, sizeof(text), &fd));
	/* and nobody waits for the socket any more */
	(void)fake_loop_poll(manager.loop);
	assert_int_equal(fake_loop_n_ios(manager.loop), 0);
	manager_close(&manager);
}

static void
a_barrier_passes_when_everything_before_it_was_read(void **state)
{
	struct manager manager;
	char text[64];
	int fd, n_read = 0;

	(void)state;
	manager_open(&manager);
	for (int i = 0; i < 50; i++)
		assert_int_equal(notify_send(manager.notify, "X=1", NULL, 0), 0);
	assert_int_equal(notify_barrier(manager.notify, on_barrier, &manager), 0);
	assert_int_equal(notify_barrier(manager.notify, on_barrier, &manager), -EBUSY);
	while (manager.n_barriers == 0) {
		(void)fake_loop_poll(manager.loop);
		if (!manager_read(&manager, text, sizeof(text), &fd))
			continue;
		n_read++;
		if (strcmp(text, "BARRIER=1") != 0)
			continue;
		assert_int_equal(n_read, 51);
		assert_int_equal(manager.n_barriers, 0);
		(void)pk_close(fd); /* the manager's answer */
		assert_true(fake_loop_poll(manager.loop) > 0);
	}
	assert_int_equal(manager.n_barriers, 1);
	/* the way is free for the next one */
	assert_int_equal(notify_barrier(manager.notify, on_barrier, &manager), 0);
	assert_true(manager_read(&manager, text, sizeof(text), &fd));
	(void)pk_close(fd);
	(void)fake_loop_poll(manager.loop);
	assert_int_equal(manager.n_barriers, 2);
	manager_close(&manager);
}

static void
without_a_manager_sending_succeeds_and_a_barrier_passes(void **state)
{
	struct manager manager = { .socket = -1 };

	(void)state;
	assert_int_equal(loop_new(&manager.loop), 0);
	assert_int_equal(notify_new(manager.loop, NULL, &manager.notify, NULL), 0);
	assert_int_equal(notify_send(manager.notify, "READY=1", NULL, 0), 0);
	assert_int_equal(notify_barrier(manager.notify, on_barrier, &manager), 0);
	assert_int_equal(manager.n_barriers, 0);
	assert_int_equal(fake_loop_poll(manager.loop), 1);
	assert_int_equal(manager.n_barriers, 1);
	manager_close(&manager);
}

static void
a_manager_that_went_away_costs_nothing(void **state)
{
	struct manager manager;

	(void)state;
	manager_open(&manager);
	for (int i = 0; i < 100; i++)
		assert_int_equal(notify_send(manager.notify, "X=1", NULL, 0), 0);
	manager.socket = pk_close(manager.socket);
	while (fake_loop_poll(manager.loop) > 0)
		;
	assert_true(notify_send(manager.notify, "X=1", NULL, 0) < 0);
	manager_close(&manager);
}

static void
a_bad_address_is_refused_with_words(void **state)
{
	static const char *const bad[] = { "", "@", "/", "relative/path", "vsock:2:3",
		"/no/such/socket/anywhere" };
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	for (size_t i = 0; i < PK_ARRAY_SIZE(bad); i++) {
		struct notify *notify = NULL;
		struct error err = ERROR_NONE;

		CHECK_ROW(notify_new(loop, bad[i], &notify, &err) < 0 && err.text[0],
			"'%s'", bad[i]);
	}
	(void)loop_free(loop);
}

static void
too_many_descriptors_are_refused(void **state)
{
	struct manager manager;
	const int fds[5] = { 0, 0, 0, 0, 0 };

	(void)state;
	manager_open(&manager);
	assert_int_equal(notify_send(manager.notify, "X=1", fds, 5), -EINVAL);
	manager_close(&manager);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives_as_it_was_sent),
		cmocka_unit_test(a_full_queue_loses_nothing_and_keeps_the_order),
		cmocka_unit_test(a_barrier_passes_when_everything_before_it_was_read),
		cmocka_unit_test(without_a_manager_sending_succeeds_and_a_barrier_passes),
		cmocka_unit_test(a_manager_that_went_away_costs_nothing),
		cmocka_unit_test(a_bad_address_is_refused_with_words),
		cmocka_unit_test(too_many_descriptors_are_refused),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
