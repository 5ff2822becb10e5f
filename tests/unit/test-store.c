/* SPDX-License-Identifier: MIT */
/*
 * test-store: what came back from the manager is found by its name, and what is stored
 * goes there. The descriptors from 3 up belong to sd_listen_fds(3), so each test runs in
 * a process of its own, in which they are made ready; its exit status is the verdict.
 */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "mechanism/notify.h"
#include "mechanism/store.h"
#include "protocol/fd-passing.h"
#include "protocol/notify-message.h"
#include "tests/unit/fake-loop.h"

/* Ends the process of the test: no assertion of cmocka's works there. */
#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			(void)fprintf(stderr, "# line %d: %s\n", __LINE__, #condition); \
			_exit(1); \
		} \
	} while (0)

static void
run_apart(void (*test)(void))
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Descriptors 3, 4 and 5 as a manager hands them over, under `names`. */
static void
inherit_three(const char *names, ino_t *inodes)
{
	char text[24];

	for (int i = 0; i < 3; i++) {
		int fd = memfd_create("portkeeper-test", 0);

		REQUIRE(fd >= 0);
		if (fd != 3 + i) {
			REQUIRE(dup2(fd, 3 + i) == 3 + i);
			if (fd > 5)
				(void)close(fd);
		}
		inodes[i] = inode_of(3 + i);
	}
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	REQUIRE(setenv("LISTEN_PID", text, 1) == 0 && setenv("LISTEN_FDS", "3", 1) == 0);
	REQUIRE(setenv("LISTEN_FDNAMES", names, 1) == 0);
	REQUIRE(unsetenv("LISTEN_PIDFDID") == 0);
}

static void
close_from_3(void)
{
	for (int fd = 3; fd < 64; fd++)
		(void)close(fd);
}

static struct notify *
no_manager(struct loop **ret_loop)
{
	struct notify *notify;

	REQUIRE(loop_new(ret_loop) == 0);
	REQUIRE(notify_new(*ret_loop, NULL, &notify, NULL) == 0);
	return notify;
}

static void
apart_inherited_ones_are_found_by_name(void)
{
	struct loop *loop;
	struct notify *notify;
	struct store *store;
	ino_t inodes[3];
	int fd;

	close_from_3();
	inherit_three("l1:main0:l0", inodes);
	notify = no_manager(&loop);
	REQUIRE(store_new(notify, &store, NULL) == 0);
	REQUIRE(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") &&
		!getenv("LISTEN_FDNAMES"));
	/* the numbers from 3 up are free for the children's listeners */
	for (int i = 3; i < 6; i++)
		REQUIRE(fcntl(i, F_GETFD) < 0);
	fd = store_take(store, "l0");
	REQUIRE(fd > 5 && inode_of(fd) == inodes[2]);
	REQUIRE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	REQUIRE(store_take(store, "l0") == -ENOENT);
	REQUIRE(store_take(store, "l2") == -ENOENT && store_take(store, "") == -ENOENT);
	store_keep_consume(store, "l0", fd);
	fd = store_take(store, "l0");
	REQUIRE(inode_of(fd) == inodes[2]);
	(void)close(fd);
	fd = store_take(store, "l1");
	REQUIRE(inode_of(fd) == inodes[0]);
	(void)close(fd);
	(void)store_free(store); /* closes main0 */
	for (int i = 3; i < 64; i++)
		REQUIRE(inode_of(i) != inodes[1]);
	(void)notify_free(notify);
	(void)loop_free(loop);
}

static void
inherited_ones_are_found_by_name_and_moved_away(void **state)
{
	(void)state;
	run_apart(apart_inherited_ones_are_found_by_name);
}

static void
apart_nothing_is_inherited(void)
{
	struct loop *loop;
	struct notify *notify;
	struct store *store;
	int fd;

	close_from_3();
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_PID");
	notify = no_manager(&loop);
	REQUIRE(store_new(notify, &store, NULL) == 0);
	REQUIRE(store_take(store, "l0") == -ENOENT);
	fd = memfd_create("portkeeper-test", MFD_CLOEXEC);
	store_keep_consume(store, "l0", fd);
	REQUIRE(store_take(store, "l0") == fd);
	REQUIRE(store_put(store, "l0", fd) == 0); /* no manager: nothing to do */
	(void)close(fd);
	(void)store_free(store);
	(void)notify_free(notify);
	(void)loop_free(loop);
}

static void
without_inherited_ones_there_is_nothing_to_take(void **state)
{
	(void)state;
	run_apart(apart_nothing_is_inherited);
}

static void
apart_stored_ones_reach_the_manager(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(sa_family_t);
	int manager, fd, got = -1;
	char name[sizeof(address.sun_path) + 1], data[256];
	struct notify_message message;
	struct notify *notify;
	struct store *store;
	struct loop *loop;
	size_t n_fds = 0;
	ssize_t n;

	close_from_3();
	(void)unsetenv("LISTEN_FDS");
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(manager, (struct sockaddr *)&address, length) == 0);
	length = sizeof(address);
	REQUIRE(getsockname(manager, (struct sockaddr *)&address, &length) == 0);
	length -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	memcpy(name, address.sun_path, length);
	name[0] = '@';
	name[length] = '\0';
	REQUIRE(loop_new(&loop) == 0 && notify_new(loop, name, &notify, NULL) == 0);
	REQUIRE(store_new(notify, &store, NULL) == 0);
	fd = memfd_create("portkeeper-test", MFD_CLOEXEC);
	REQUIRE(store_put(store, "l7", fd) == 0);
	n = fd_passing_receive(manager, data, sizeof(data), &got, 1, &n_fds, NULL);
	REQUIRE(n > 0 && n_fds == 1 && inode_of(got) == inode_of(fd));
	REQUIRE(notify_message_parse(data, (size_t)n, &message) == 0);
	REQUIRE(message.fd_store && !message.fd_poll &&
		strcmp(message.fd_name, "l7") == 0);
	REQUIRE(fcntl(fd, F_GETFD) >= 0); /* borrowed */
	REQUIRE(store_remove(store, "l7") == 0);
	n = fd_passing_receive(manager, data, sizeof(data), NULL, 0, &n_fds, NULL);
	REQUIRE(n > 0 && notify_message_parse(data, (size_t)n, &message) == 0);
	REQUIRE(message.fd_store_remove && strcmp(message.fd_name, "l7") == 0);
	(void)close(fd);
	(void)close(got);
	(void)close(manager);
	(void)store_free(store);
	(void)notify_free(notify);
	(void)loop_free(loop);
}

static void
stored_ones_reach_the_manager_with_their_name_and_fdpoll_off(void **state)
{
	(void)state;
	run_apart(apart_stored_ones_reach_the_manager);
}

static void
apart_nonsense_in_the_environment(void)
{
	struct loop *loop;
	struct notify *notify;
	struct store *store;
	struct error err = ERROR_NONE;
	char text[24];

	close_from_3();
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	REQUIRE(setenv("LISTEN_PID", text, 1) == 0 &&
		setenv("LISTEN_FDS", "many", 1) == 0);
	notify = no_manager(&loop);
	REQUIRE(store_new(notify, &store, &err) < 0 && err.text[0]);
	(void)notify_free(notify);
	(void)loop_free(loop);
}

static void
nonsense_in_the_environment_is_an_error_with_words(void **state)
{
	(void)state;
	run_apart(apart_nonsense_in_the_environment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inherited_ones_are_found_by_name_and_moved_away),
		cmocka_unit_test(without_inherited_ones_there_is_nothing_to_take),
		cmocka_unit_test(
			stored_ones_reach_the_manager_with_their_name_and_fdpoll_off),
		cmocka_unit_test(nonsense_in_the_environment_is_an_error_with_words),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
