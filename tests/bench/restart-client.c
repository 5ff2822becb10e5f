/* SPDX-License-Identifier: MIT */
/*
 * restart-client: kills the server behind a port and measures until its successor
 * answers.
 *
 * usage: restart-client PORT. Each line on standard input asks for one round: the present
 * server's pid is fetched, the server gets SIGKILL, and when its pidfd says that it is
 * dead (which is when its parent is told, too) a client connects and waits for the pid of
 * another server. The answer is one line: nanoseconds from the death to that reply,
 * nanoseconds from the kill to it, and how many connections were refused or reset on the
 * way.
 *
 * The death is awaited by asking again and again, a tenth of a millisecond long: who
 * sleeps until then is woken together with the supervisor, and starts its clock the later
 * the longer that one keeps the processor. It is written in C because the time of an
 * interpreter would be added to both sides of a ratio and pull it towards 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The pid that the server on `port` tells, or -1: refused or reset. */
static int
fetch_pid(in_port_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char reply[16];
	ssize_t n = -1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		exit(1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		n = read(fd, reply, sizeof(reply) - 1);
	(void)close(fd);
	if (n <= 0)
		return -1;
	reply[n] = '\0';
	return atoi(reply);
}

static int
fetch_pid_for_sure(in_port_t port, unsigned *lost)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int pid;

	while ((pid = fetch_pid(port)) < 0) {
		(*lost)++;
		(void)nanosleep(&pause, NULL);
	}
	return pid;
}

static int
run_round(in_port_t port)
{
	unsigned lost = 0, ignored = 0;
	int pid = fetch_pid_for_sure(port, &ignored);
	struct pollfd death = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
		.events = POLLIN };
	int64_t killed, dead, answered;

	if (death.fd < 0)
		return -errno;
	killed = now_nsec();
	if (syscall(SYS_pidfd_send_signal, death.fd, SIGKILL, NULL, 0) < 0)
		return -errno;
	while (poll(&death, 1, 0) <= 0)
		(void)sched_yield();
	dead = now_nsec();
	while (fetch_pid_for_sure(port, &lost) == pid)
		;
	answered = now_nsec();
	(void)close(death.fd);
	(void)printf("%lld %lld %u\n", (long long)(answered - dead),
		(long long)(answered - killed), lost);
	return fflush(stdout);
}

int
main(int argc, char **argv)
{
	char line[16];

	if (argc != 2) {
		(void)fprintf(stderr, "usage: restart-client PORT\n");
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		int r = run_round((in_port_t)atoi(argv[1]));

		if (r < 0) {
			errno = -r;
			perror("restart-client");
			return 1;
		}
	}
	return 0;
}
