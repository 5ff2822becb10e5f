/* SPDX-License-Identifier: MIT */
/*
 * test-spawn: real processes, made by spawn, child and sys together. The program that is
 * started is this one again: with the argument "report" it writes what it finds itself to
 * be into one of the descriptors that it was given.
 */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "mechanism/child.h"
#include "mechanism/spawn.h"

#define REPORT_MAX 16384
#define DEADLINE_MSEC 20000

static char self[512];

/* ---- the program that is started */

static uint64_t
own_pidfd_inode(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct stat st;
	uint64_t inode = pidfd >= 0 && fstat(pidfd, &st) == 0 ? (uint64_t)st.st_ino : 0;

	(void)pk_close(pidfd);
	return inode;
}

static void
report_signals(FILE *out)
{
	sigset_t blocked;
	unsigned n_blocked = 0, n_ignored = 0;

	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 1; i < 32; i++) {
		struct sigaction action;

		n_blocked += sigismember(&blocked, i) == 1;
		n_ignored +=
			sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	}
	(void)fprintf(out, "blocked=%u\nignored=%u\n", n_blocked, n_ignored);
}

static int
report(int fd)
{
	static const char *const names[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID",
		"LISTEN_FDNAMES", "INVOCATION_ID", "NOTIFY_SOCKET", "ADDED", "GIVEN",
		"HOME" };
	FILE *out = fdopen(fd, "w");
	struct rlimit nofile;
	char cwd[256] = "";
	struct stat st;
	mode_t mask = umask(0);

	if (!out)
		return 1;
	(void)getrlimit(RLIMIT_NOFILE, &nofile);
	(void)fprintf(out, "pid=%d\nsid=%d\npgid=%d\numask=%o\ncwd=%s\nnofile=%ju\n",
		(int)getpid(), (int)getsid(0), (int)getpgrp(), (unsigned)mask,
		getcwd(cwd, sizeof(cwd)) ? cwd : "?", (uintmax_t)nofile.rlim_cur);
	(void)fprintf(out, "pidfd-inode=%" PRIu64 "\n", own_pidfd_inode());
	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			(void)fprintf(out, "%s=%s\n", names[i], getenv(names[i]));
	for (int i = 3; i < 16; i++)
		if (i != fd && fstat(i, &st) == 0)
			(void)fprintf(out, "fd%d=%ju\n", i, (uintmax_t)st.st_ino);
	report_signals(out);
	return fclose(out) == 0 ? 7 : 1;
}

/* ---- the test's side */

struct started {
	struct child_table *table;
	struct child *child;
	struct sys_exit exit;
	bool has_ended;
	unsigned n_orphans;
	char text[REPORT_MAX];
};

static void
on_exit_of_child(struct child *child, const struct sys_exit *exit, void *context)
{
	struct started *started = context;

	started->exit = *exit;
	started->has_ended = true;
	started->child = child_free(child);
}

static void
on_orphan(pid_t pid, void *context)
{
	struct started *started = context;

	(void)pid;
	started->n_orphans++;
}

static void
started_open(struct started *started)
{
	memset(started, 0, sizeof(*started));
	assert_int_equal(child_table_new(on_orphan, started, &started->table), 0);
}

static void
wait_for_end(struct started *started)
{
	struct pollfd probe = { .fd = child_pidfd(started->child), .events = POLLIN };

	assert_int_equal(poll(&probe, 1, DEADLINE_MSEC), 1);
	child_table_reap(started->table);
	assert_true(started->has_ended);
}

/* The line NAME=value of the report; its value, or NULL. */
static const char *
reported(const struct started *started, const char *name)
{
	static char value[512];
	char start[64];
	const char *p;

	(void)snprintf(start, sizeof(start), "\n%s=", name);
	p = strstr(started->text, start);
	if (!p)
		return NULL;
	p += strlen(start);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(p, "\n"), p);
	return value;
}

/*
 * Starts this program with `request`'s settings; `fds` (may be none) are handed over with
 * the report's pipe behind them. Reads the report until its end.
 */
static void
run_report(
	struct started *started, struct spawn_request *request, const int *fds, size_t n)
{
	const char *names[8];
	char number[16];
	char *argv[] = { self, (char *)(uintptr_t) "report", number, NULL };
	const struct exec_command command = { .path = self, .argv = argv };
	struct error err = ERROR_NONE;
	int ends[2], all[8];
	size_t at = 1;
	ssize_t got;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (size_t i = 0; i < n; i++) {
		all[i] = fds[i];
		names[i] = "listener";
	}
	all[n] = ends[1];
	names[n] = "report";
	(void)snprintf(number, sizeof(number), "%zu", 3 + n);
	request->command = &command;
	request->fds = all;
	request->fd_names = names;
	request->n_fds = n + 1;
	started_open(started);
	if (spawn_command(started->table, request, on_exit_of_child, started,
		    &started->child, &err) < 0)
		fail_msg("%s", err.text);
	(void)pk_close(ends[1]);
	started->text[0] = '\n';
	while ((got = read(ends[0], started->text + at, sizeof(started->text) - 1 - at)) >
		0)
		at += (size_t)got;
	(void)pk_close(ends[0]);
	assert_int_equal(
		child_table_has(started->table, child_pid(started->child)), true);
	wait_for_end(started);
	assert_false(started->exit.by_signal);
	assert_int_equal(started->exit.status, 7);
	(void)child_table_free(started->table);
}

static const struct exec_spec plain_exec = { .umask = (mode_t)-1 };

static struct spawn_request
plain_request(void)
{
	return (struct spawn_request){ .exec = &plain_exec, .cgroup_fd = -1 };
}

static void
the_listen_variables_are_those_of_sd_listen_fds(void **state)
{
	struct spawn_request request = plain_request();
	struct started started;
	char pid[24];
	PK_FREE char *inode = NULL;

	(void)state;
	run_report(&started, &request, NULL, 0);
	(void)snprintf(pid, sizeof(pid), "%s", reported(&started, "pid"));
	assert_string_equal(reported(&started, "LISTEN_FDS"), "1");
	assert_string_equal(reported(&started, "LISTEN_PID"), pid);
	assert_string_equal(reported(&started, "LISTEN_FDNAMES"), "report");
	assert_int_equal(strlen(reported(&started, "INVOCATION_ID")), 32);
	inode = strdup(reported(&started, "pidfd-inode"));
	/* pidfds have numbers of their own from Linux 6.9 on; before, nothing is said */
	if (reported(&started, "LISTEN_PIDFDID"))
		assert_string_equal(reported(&started, "LISTEN_PIDFDID"), inode);
	else
		print_message("# this kernel has no pidfs\n");
}

static void
what_concerns_ourselves_is_not_passed_on(void **state)
{
	struct spawn_request request = plain_request();
	struct started started;

	(void)state;
	assert_int_equal(setenv("NOTIFY_SOCKET", "/x", 1), 0);
	assert_int_equal(setenv("LISTEN_PIDFDID", "1", 1), 0);
	run_report(&started, &request, NULL, 0);
	assert_null(reported(&started, "NOTIFY_SOCKET"));
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(unsetenv("LISTEN_PIDFDID"), 0);
}

static void
added_variables_win_over_ours(void **state)
{
	char *added[] = { (char *)(uintptr_t) "ADDED=1",
		(char *)(uintptr_t) "HOME=/other", NULL };
	const char *const given[] = { "GIVEN=2", "ADDED=3", NULL };
	const struct exec_spec exec = { .umask = (mode_t)-1, .environment = added };
	struct spawn_request request = plain_request();
	struct started started;

	(void)state;
	request.exec = &exec;
	request.environment = given;
	run_report(&started, &request, NULL, 0);
	assert_string_equal(reported(&started, "HOME"), "/other");
	assert_string_equal(reported(&started, "GIVEN"), "2");
	assert_string_equal(reported(&started, "ADDED"), "3");
}

/* Sources that lie where others have to go, in every order of three. */
static void
listeners_reach_their_numbers_from_wherever_they_were(void **state)
{
	static const int orders[6][3] = { { 3, 4, 5 }, { 3, 5, 4 }, { 4, 3, 5 },
		{ 4, 5, 3 }, { 5, 3, 4 }, { 5, 4, 3 } };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(orders); i++) {
		struct spawn_request request = plain_request();
		struct started started;
		int fds[3], saved[3];
		struct stat st;

		/* whatever is at 3, 4 and 5 moves aside for as long */
		for (int j = 0; j < 3; j++)
			saved[j] = fcntl(3 + j, F_DUPFD_CLOEXEC, 40);
		for (int j = 0; j < 3; j++) {
			int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

			fds[j] = orders[i][j];
			if (fd != fds[j]) {
				assert_int_equal(dup3(fd, fds[j], O_CLOEXEC), fds[j]);
				if (fd > 5)
					(void)pk_close(fd);
			}
		}
		run_report(&started, &request, fds, 3);
		for (int j = 0; j < 3; j++) {
			char name[16], wanted[24];

			assert_int_equal(fstat(fds[j], &st), 0);
			(void)snprintf(name, sizeof(name), "fd%d", 3 + j);
			(void)snprintf(
				wanted, sizeof(wanted), "%ju", (uintmax_t)st.st_ino);
			assert_string_equal(reported(&started, name), wanted);
		}
		/* 6 is the report's pipe; nothing else has come along */
		assert_null(reported(&started, "fd7"));
		assert_null(reported(&started, "fd8"));
		for (int j = 0; j < 3; j++) {
			(void)pk_close(3 + j);
			if (saved[j] >= 0) {
				assert_int_equal(dup3(saved[j], 3 + j, O_CLOEXEC), 3 + j);
				(void)pk_close(saved[j]);
			}
		}
	}
}

static void
a_child_has_a_session_of_its_own_and_no_signal_is_blocked(void **state)
{
	struct spawn_request request = plain_request();
	struct started started;
	char pid[24];
	sigset_t some, before;

	(void)state;
	(void)sigemptyset(&some);
	(void)sigaddset(&some, SIGTERM);
	(void)sigaddset(&some, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &some, &before), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	run_report(&started, &request, NULL, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	(void)snprintf(pid, sizeof(pid), "%s", reported(&started, "pid"));
	assert_string_equal(reported(&started, "sid"), pid);
	assert_string_equal(reported(&started, "pgid"), pid);
	assert_string_equal(reported(&started, "blocked"), "0");
	assert_string_equal(reported(&started, "ignored"), "0");
}

static void
a_child_can_join_a_process_group(void **state)
{
	struct spawn_request request = plain_request();
	struct started started;
	char wanted[24];

	(void)state;
	request.process_group = getpgrp();
	run_report(&started, &request, NULL, 0);
	(void)snprintf(wanted, sizeof(wanted), "%d", (int)getpgrp());
	assert_string_equal(reported(&started, "pgid"), wanted);
}

static void
folder_umask_and_limit_are_as_asked(void **state)
{
	const struct exec_spec exec = { .umask = 0027,
		.working_directory = (char *)(uintptr_t) "/" };
	const struct rlimit nofile = { .rlim_cur = 123, .rlim_max = 456 };
	struct spawn_request request = plain_request();
	struct started started;

	(void)state;
	request.exec = &exec;
	request.nofile = &nofile;
	run_report(&started, &request, NULL, 0);
	assert_string_equal(reported(&started, "cwd"), "/");
	assert_string_equal(reported(&started, "umask"), "27");
	assert_string_equal(reported(&started, "nofile"), "123");
}

static void
what_cannot_be_executed_is_told_and_leaves_no_child(void **state)
{
	char script[] = "/tmp/portkeeper-test-XXXXXX";
	int fd = mkostemp(script, O_CLOEXEC);
	/* clang-format off */
	const struct { const char *path; mode_t mode; int r; const char *text; } rows[] = {
		{ "/no/such/program", 0, -ENOENT, "execve" },
		{ script, 0600, -EACCES, "execve" },
		{ script, 0755, -ENOEXEC, "execve" },
		{ "/", 0, -EACCES, "execve" },
	};
	/* clang-format on */

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "no program", 10), 10);
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		char *path = (char *)(uintptr_t)rows[i].path;
		char *argv[] = { path, NULL };
		const struct exec_command command = { .path = path, .argv = argv };
		struct spawn_request request = plain_request();
		struct error err = ERROR_NONE;
		struct started started;
		int r;

		if (rows[i].mode)
			assert_int_equal(fchmod(fd, rows[i].mode), 0);
		if (rows[i].mode == 0755)
			fd = pk_close(fd); /* else it is ETXTBSY */
		request.command = &command;
		started_open(&started);
		r = spawn_command(started.table, &request, on_exit_of_child, &started,
			&started.child, &err);
		CHECK_ROW(r == rows[i].r && strstr(err.text, rows[i].text) &&
				strstr(err.text, path),
			"%s: %d, %s", path, r, err.text);
		assert_false(spawn_error_is_shortage(r));
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		(void)child_table_free(started.table);
	}
	assert_int_equal(unlink(script), 0);
}

static void
a_folder_that_is_missing_is_told(void **state)
{
	const struct exec_spec exec = { .umask = (mode_t)-1,
		.working_directory = (char *)(uintptr_t) "/no/such/folder" };
	char *argv[] = { self, NULL };
	const struct exec_command command = { .path = self, .argv = argv };
	struct spawn_request request = plain_request();
	struct error err = ERROR_NONE;
	struct started started;

	(void)state;
	request.exec = &exec;
	request.command = &command;
	started_open(&started);
	assert_int_equal(spawn_command(started.table, &request, on_exit_of_child,
				 &started, &started.child, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "chdir"));
	(void)child_table_free(started.table);
}

static void
a_shortage_is_told_apart(void **state)
{
	static const int shortages[] = { -EAGAIN, -ENOMEM, -EMFILE, -ENFILE };
	static const int others[] = { 0, -ENOENT, -EACCES, -ENOEXEC, -EINVAL };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(shortages); i++)
		assert_true(spawn_error_is_shortage(shortages[i]));
	for (size_t i = 0; i < PK_ARRAY_SIZE(others); i++)
		assert_false(spawn_error_is_shortage(others[i]));
}

static void
a_signal_ends_a_child_and_is_reported(void **state)
{
	char *argv[] = { self, (char *)(uintptr_t) "wait", NULL };
	const struct exec_command command = { .path = self, .argv = argv };
	struct spawn_request request = plain_request();
	struct error err = ERROR_NONE;
	struct started started;

	(void)state;
	request.command = &command;
	started_open(&started);
	assert_int_equal(spawn_command(started.table, &request, on_exit_of_child,
				 &started, &started.child, &err),
		0);
	child_table_reap(started.table);
	assert_false(started.has_ended);
	assert_int_equal(child_signal(started.child, 0), 0);
	assert_int_equal(child_signal(started.child, SIGKILL), 0);
	wait_for_end(&started);
	assert_true(started.exit.by_signal);
	assert_int_equal(started.exit.status, SIGKILL);
	assert_int_equal(started.n_orphans, 0);
	(void)child_table_free(started.table);
}

static void
a_child_of_nobody_here_is_reaped_as_an_orphan(void **state)
{
	struct started started;
	siginfo_t info;
	pid_t pid;

	(void)state;
	started_open(&started);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(child_table_has(started.table, pid));
	child_table_reap(started.table);
	assert_int_equal(started.n_orphans, 1);
	assert_int_equal(waitpid(pid, NULL, 0), -1);
	(void)child_table_free(started.table);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_listen_variables_are_those_of_sd_listen_fds),
		cmocka_unit_test(what_concerns_ourselves_is_not_passed_on),
		cmocka_unit_test(added_variables_win_over_ours),
		cmocka_unit_test(listeners_reach_their_numbers_from_wherever_they_were),
		cmocka_unit_test(
			a_child_has_a_session_of_its_own_and_no_signal_is_blocked),
		cmocka_unit_test(a_child_can_join_a_process_group),
		cmocka_unit_test(folder_umask_and_limit_are_as_asked),
		cmocka_unit_test(what_cannot_be_executed_is_told_and_leaves_no_child),
		cmocka_unit_test(a_folder_that_is_missing_is_told),
		cmocka_unit_test(a_shortage_is_told_apart),
		cmocka_unit_test(a_signal_ends_a_child_and_is_reported),
		cmocka_unit_test(a_child_of_nobody_here_is_reaped_as_an_orphan),
	};
	ssize_t n;

	if (argc == 3 && strcmp(argv[1], "report") == 0)
		return report(atoi(argv[2]));
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		for (;;)
			(void)pause();
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	self[n] = '\0';
	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
