/* SPDX-License-Identifier: MIT */
/* test-process-holds: this very process, and a child, as holders of a socket. */
#include "tests/unit/unit-test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mechanism/process-holds.h"

static ino_t
inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void
an_open_socket_is_found_among_others(void **state)
{
	PK_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	PK_CLOSE int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const ino_t inodes[] = { 1, inode_of(fd), 2 };

	(void)state;
	assert_int_not_equal(inode_of(fd), inode_of(other));
	assert_true(process_holds_socket(getpid(), inodes, 3));
	assert_false(process_holds_socket(getpid(), inodes, 1));
	assert_false(process_holds_socket(getpid(), NULL, 0));
}

static void
a_closed_socket_is_held_no_more(void **state)
{
	PK_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ino_t inode = inode_of(fd);

	(void)state;
	fd = pk_close(fd);
	assert_false(process_holds_socket(getpid(), &inode, 1));
}

static void
a_child_holds_what_it_inherited_and_a_zombie_nothing(void **state)
{
	PK_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ino_t inode = inode_of(fd);
	siginfo_t info;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_true(process_holds_socket(child, &inode, 1));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_false(process_holds_socket(child, &inode, 1));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(process_holds_socket(child, &inode, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_socket_is_found_among_others),
		cmocka_unit_test(a_closed_socket_is_held_no_more),
		cmocka_unit_test(a_child_holds_what_it_inherited_and_a_zombie_nothing),
	};

	return cmocka_run_group_tests_name("process-holds", tests, NULL, NULL);
}
