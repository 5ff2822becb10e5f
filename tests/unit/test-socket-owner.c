/* SPDX-License-Identifier: MIT */
/* test-socket-owner: cgroup lines by table, and this very process as an owner. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC, pipe2() */
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/cleanup.h"
#include "protocol/socket-owner.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* clang-format off */
static const struct test_cgroup {
	const char *line;
	const char *unit;
	const char *container;
} test_cgroups[] = {
	{ "0::/", "", "" },
	{ "", "", "" },
	{ "0::/system.slice/nginx.service", "nginx.service", "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", "x.service", "" },
	{ "0::/user.slice/user-0.slice/session-3.scope", "session-3.scope", "" },
	{ "1:name=systemd:/system.slice/ssh.service", "ssh.service", "" },
	{ "0::/system.slice/docker-" ID64 ".scope", "", "docker 0123456789ab" },
	{ "0::/docker/" ID64, "", "container 0123456789ab" },
	{ "0::/machine.slice/libpod-" ID64 ".scope/container", "", "podman 0123456789ab" },
	{ "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID64 ".scope", "", "containerd 0123456789ab" },
	{ "0::/kubepods/crio-" ID64 ".scope", "", "cri-o 0123456789ab" },
	{ "0::/machine.slice/machine-web.scope", "", "machine web" },
	{ "0::/lxc.payload.box/system.slice/cron.service", "cron.service", "lxc box" },
	{ "0::/docker-x.scope", "docker-x.scope", "" },
	{ "0::/.service", "", "" },
	{ "0::/a\033[31m.service", "a?[31m.service", "" },
	{ "0::////x.service//", "x.service", "" },
};
/* clang-format on */

static void
cgroup_lines_give_unit_and_container(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(test_cgroups); i++) {
		char unit[SOCKET_OWNER_UNIT_MAX];
		char container[SOCKET_OWNER_UNIT_MAX];

		socket_owner_parse_cgroup(test_cgroups[i].line, unit, container);
		if (strcmp(unit, test_cgroups[i].unit) != 0 ||
			strcmp(container, test_cgroups[i].container) != 0)
			fail_msg("%s: '%s' '%s'", test_cgroups[i].line, unit, container);
	}
}

static void
a_very_long_unit_is_cut_and_terminated(void **state)
{
	char line[1024] = "0::/";
	char unit[SOCKET_OWNER_UNIT_MAX];
	char container[SOCKET_OWNER_UNIT_MAX];

	(void)state;
	memset(line + 4, 'a', 800);
	memcpy(line + 804, ".service", 9);
	socket_owner_parse_cgroup(line, unit, container);
	assert_int_equal(strlen(unit), SOCKET_OWNER_UNIT_MAX - 1);
}

static uint32_t
test_inode(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return (uint32_t)status.st_ino;
}

static void
one_scan_finds_the_owners_of_many_sockets(void **state)
{
	PK_CLOSE int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	PK_CLOSE int b = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const uint32_t inodes[] = { test_inode(b), 0, test_inode(a), UINT32_MAX };
	struct socket_owner_list list;
	const struct socket_owner *owner;
	size_t n;

	(void)state;
	assert_int_equal(socket_owner_find(inodes, PK_ARRAY_SIZE(inodes), &list), 0);
	assert_int_equal(list.n_owners, 2);
	owner = socket_owner_of(&list, test_inode(a), &n);
	assert_non_null(owner);
	assert_int_equal(n, 1);
	assert_int_equal(owner->pid, getpid());
	assert_int_equal(owner->fd, a);
	assert_int_equal(owner->uid, geteuid());
	assert_false(owner->other_netns);
	assert_non_null(socket_owner_of(&list, test_inode(b), NULL));
	assert_null(socket_owner_of(&list, 0, &n));
	assert_int_equal(n, 0);
	assert_null(socket_owner_of(&list, UINT32_MAX, NULL));
	socket_owner_list_done(&list);
}

static void
nothing_wanted_is_nothing_found(void **state)
{
	struct socket_owner_list list;

	(void)state;
	assert_int_equal(socket_owner_find(NULL, 0, &list), 0);
	assert_int_equal(list.n_owners, 0);
	socket_owner_list_done(&list);
}

/* Two processes hold one socket, one of them twice: two entries, with the lower number.
 */
static void
each_process_stands_once_with_its_lowest_descriptor(void **state)
{
	PK_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	PK_CLOSE int twice = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
	uint32_t inode = test_inode(fd);
	struct socket_owner_list list;
	const struct socket_owner *owner;
	size_t n;
	pid_t child;

	(void)state;
	assert_true(twice > fd);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_int_equal(socket_owner_find(&inode, 1, &list), 0);
	owner = socket_owner_of(&list, inode, &n);
	assert_int_equal(n, 2);
	assert_true(owner[0].pid < owner[1].pid);
	assert_int_equal(owner[0].fd, fd);
	assert_int_equal(owner[1].fd, fd);
	socket_owner_list_done(&list);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
the_program_is_named_before_the_supervisor_that_keeps_its_socket(void **state)
{
	struct socket_owner owners[] = {
		{ .inode = 5, .pid = 1, .comm = "systemd" },
		{ .inode = 7, .pid = 10, .comm = "portkeeper" },
		{ .inode = 7, .pid = 11, .comm = "portkeeperd" },
		{ .inode = 7, .pid = 12, .comm = "nginx" },
		{ .inode = 7, .pid = 13, .comm = "nginx" },
		{ .inode = 8, .pid = 14, .comm = "systemd" }, /* a user's, not PID 1 */
	};
	const struct socket_owner_list list = { .owners = owners, .n_owners = 6 };
	const struct socket_owner *holder;
	size_t n;

	(void)state;
	assert_ptr_equal(socket_owner_to_name(&list, 7, &holder, &n), &owners[3]);
	assert_ptr_equal(holder, &owners[2]);
	assert_int_equal(n, 4);
	assert_ptr_equal(socket_owner_to_name(&list, 5, &holder, &n), &owners[0]);
	assert_ptr_equal(holder, &owners[0]);
	assert_ptr_equal(socket_owner_to_name(&list, 8, &holder, NULL), &owners[5]);
	assert_null(holder);
	assert_null(socket_owner_to_name(&list, 9, NULL, &n));
	assert_int_equal(n, 0);
}

static void
the_options_of_a_socket_are_read_from_its_owner(void **state)
{
	PK_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sock_diag_socket socket = {
		.family = AF_INET,
		.inode = test_inode(fd),
		.reuse_address = -1,
		.reuse_port = -1,
	};
	struct socket_owner owner = { .pid = getpid(), .fd = fd };
	int on = 1;
	int r;

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	r = socket_owner_read_options(&owner, &socket);
	if (r == -EPERM || r == -ENOSYS)
		return; /* a container may forbid pidfd_getfd(2), or the kernel has none
			 */
	assert_int_equal(r, 0);
	assert_int_equal(socket.reuse_address, 1);
	assert_int_equal(socket.reuse_port, 0);
	/* Another socket stands at that number by now. */
	socket.inode++;
	assert_int_equal(socket_owner_read_options(&owner, &socket), -ESTALE);
}

static void
a_process_name_cannot_move_the_terminal(void **state)
{
	struct socket_owner owner;
	char old[16];

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, old), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a\033[2Jb\nc"), 0);
	assert_int_equal(socket_owner_describe(getpid(), &owner), 0);
	assert_int_equal(prctl(PR_SET_NAME, old), 0);
	assert_string_equal(owner.comm, "a?[2Jb");
	assert_int_equal(socket_owner_describe(0, &owner), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroup_lines_give_unit_and_container),
		cmocka_unit_test(a_very_long_unit_is_cut_and_terminated),
		cmocka_unit_test(one_scan_finds_the_owners_of_many_sockets),
		cmocka_unit_test(nothing_wanted_is_nothing_found),
		cmocka_unit_test(each_process_stands_once_with_its_lowest_descriptor),
		cmocka_unit_test(
			the_program_is_named_before_the_supervisor_that_keeps_its_socket),
		cmocka_unit_test(the_options_of_a_socket_are_read_from_its_owner),
		cmocka_unit_test(a_process_name_cannot_move_the_terminal),
	};

	return cmocka_run_group_tests_name("socket-owner", tests, NULL, NULL);
}
