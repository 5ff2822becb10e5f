/* SPDX-License-Identifier: MIT */
/* test-fd-passing: descriptors over real socket pairs, and what happens when they do not
 * fit. */
#include "tests/unit/unit-test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "protocol/fd-passing.h"

struct pair {
	int ends[2];
};

static size_t
count_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(fds);
	while (readdir(fds))
		n++;
	(void)closedir(fds);
	return n;
}

static struct pair
pair_open(int type)
{
	struct pair pair;

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair.ends), 0);
	return pair;
}

static void
pair_close(struct pair *pair)
{
	(void)pk_close(pair->ends[0]);
	(void)pk_close(pair->ends[1]);
}

static bool
is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino &&
		sa.st_dev == sb.st_dev;
}

static void
a_message_arrives_with_its_descriptors_in_order(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(types); i++) {
		struct pair pair = pair_open(types[i]);
		int sent[2], got[4];
		size_t n_got = 99;
		char data[16];

		assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
		assert_int_equal(
			fd_passing_send(pair.ends[0], NULL, 0, "hello", 5, sent, 2, 0),
			0);
		assert_int_equal(fd_passing_receive(pair.ends[1], data, sizeof(data), got,
					 4, &n_got, NULL),
			5);
		assert_memory_equal(data, "hello", 5);
		assert_int_equal(n_got, 2);
		for (int j = 0; j < 2; j++) {
			assert_true(is_same_file(sent[j], got[j]));
			assert_true(fcntl(got[j], F_GETFD) & FD_CLOEXEC);
			(void)pk_close(got[j]);
			(void)pk_close(sent[j]);
		}
		pair_close(&pair);
	}
}

static void
a_message_may_come_without_any(void **state)
{
	struct pair pair = pair_open(SOCK_DGRAM);
	size_t n_got = 99;
	char data[16];

	(void)state;
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, NULL, 0, 0), 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), NULL, 0, &n_got, NULL),
		1);
	assert_int_equal(n_got, 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), NULL, 0, &n_got, NULL),
		-EAGAIN);
	pair_close(&pair);
}

static void
the_end_of_a_stream_is_zero_bytes(void **state)
{
	struct pair pair = pair_open(SOCK_STREAM);
	size_t n_got;
	char data[16];

	(void)state;
	pair.ends[0] = pk_close(pair.ends[0]);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), NULL, 0, &n_got, NULL),
		0);
	assert_int_equal(
		fd_passing_send(pair.ends[1], NULL, 0, "x", 1, NULL, 0, 0), -EPIPE);
	pair_close(&pair);
}

static void
what_is_too_much_is_refused_and_nothing_leaks(void **state)
{
	struct pair pair = pair_open(SOCK_DGRAM);
	const int three[] = { pair.ends[0], pair.ends[1], pair.ends[0] };
	size_t before = count_fds(), n_got;
	int got[4];
	char data[4];

	(void)state;
	/* more descriptors than wanted */
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, three, 3, 0), 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), got, 2, &n_got, NULL),
		-EMSGSIZE);
	assert_int_equal(count_fds(), before);
	/* none wanted */
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, three, 3, 0), 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), NULL, 0, &n_got, NULL),
		-EMSGSIZE);
	assert_int_equal(count_fds(), before);
	/* more bytes than wanted */
	assert_int_equal(
		fd_passing_send(pair.ends[0], NULL, 0, "12345", 5, three, 2, 0), 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), got, 4, &n_got, NULL),
		-EMSGSIZE);
	assert_int_equal(count_fds(), before);
	pair_close(&pair);
}

static void
the_most_that_the_kernel_takes_goes_through(void **state)
{
	struct pair pair = pair_open(SOCK_DGRAM);
	size_t before = count_fds(), n_got = 0;
	int many[FD_PASSING_MAX + 1], got[FD_PASSING_MAX];
	char data[4];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(many); i++)
		many[i] = pair.ends[0];
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, many,
				 FD_PASSING_MAX + 1, 0),
		-EINVAL);
	assert_int_equal(
		fd_passing_send(pair.ends[0], NULL, 0, "x", 1, many, FD_PASSING_MAX, 0),
		0);
	assert_int_equal(fd_passing_receive(pair.ends[1], data, sizeof(data), got,
				 FD_PASSING_MAX, &n_got, NULL),
		1);
	assert_int_equal(n_got, FD_PASSING_MAX);
	while (n_got > 0)
		(void)pk_close(got[--n_got]);
	assert_int_equal(count_fds(), before);
	pair_close(&pair);
}

/* The kernel leaves out what has no number any more, and says MSG_CTRUNC: recvmsg(2). */
static void
running_out_of_numbers_is_an_error_and_leaks_nothing(void **state)
{
	struct pair pair = pair_open(SOCK_DGRAM);
	const int two[] = { pair.ends[0], pair.ends[1] };
	struct rlimit before, few;
	size_t n_before = count_fds(), n_got;
	int got[4], top;
	char data[4];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, two, 2, 0), 0);
	/* exactly one number is left */
	top = fcntl(pair.ends[0], F_DUPFD_CLOEXEC, 0);
	few = before;
	few.rlim_cur = (rlim_t)top + 1;
	(void)pk_close(top);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(fd_passing_receive(
				 pair.ends[1], data, sizeof(data), got, 4, &n_got, NULL),
		-EMSGSIZE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(count_fds(), n_before);
	pair_close(&pair);
}

static void
the_sender_is_known_when_the_receiver_asks(void **state)
{
	struct pair pair = pair_open(SOCK_DGRAM);
	struct ucred sender = { .pid = -1 };
	size_t n_got;
	char data[4];
	int on = 1;

	(void)state;
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, NULL, 0, 0), 0);
	assert_int_equal(fd_passing_receive(pair.ends[1], data, sizeof(data), NULL, 0,
				 &n_got, &sender),
		1);
	assert_int_equal(sender.pid, 0);
	assert_int_equal(
		setsockopt(pair.ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(fd_passing_send(pair.ends[0], NULL, 0, "x", 1, NULL, 0, 0), 0);
	assert_int_equal(fd_passing_receive(pair.ends[1], data, sizeof(data), NULL, 0,
				 &n_got, &sender),
		1);
	assert_int_equal(sender.pid, getpid());
	assert_int_equal(sender.uid, getuid());
	pair_close(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives_with_its_descriptors_in_order),
		cmocka_unit_test(a_message_may_come_without_any),
		cmocka_unit_test(the_end_of_a_stream_is_zero_bytes),
		cmocka_unit_test(what_is_too_much_is_refused_and_nothing_leaks),
		cmocka_unit_test(the_most_that_the_kernel_takes_goes_through),
		cmocka_unit_test(running_out_of_numbers_is_an_error_and_leaks_nothing),
		cmocka_unit_test(the_sender_is_known_when_the_receiver_asks),
	};

	return cmocka_run_group_tests_name("fd-passing", tests, NULL, NULL);
}
