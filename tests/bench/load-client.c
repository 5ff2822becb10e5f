/* SPDX-License-Identifier: MIT */
/*
 * load-client: connects to an echo-server at a steady rate, while it is killed again and
 * again, and counts what became of each connection.
 *
 * usage: load-client PORT RATE CRASHES NOTES. The rate is shared by eight clients, each
 * with a timetable: a connection that had to wait for a restart is followed by the next
 * without pause until the rate is met again. The server that is to be killed is the one
 * that answered last; between two kills pass 25 to 75 ms, at no particular moment of a
 * connection. Prints one line: crashes, served, refused, reset, lost with the server that
 * had accepted them, milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench-notes.h"

#define NSEC_PER_SEC INT64_C(1000000000)

#define CLIENTS 8

struct counts {
	unsigned served, refused, reset, lost;
};

/* One mapping for this process, the clients and the killer. */
struct load {
	struct sockaddr_in address;
	struct bench_notes *notes;
	volatile int pid; /* of the server that answered last */
	volatile int is_over;
	struct counts counts[CLIENTS];
};

static int64_t
now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void
sleep_until(int64_t nsec)
{
	const struct timespec until = { .tv_sec = (time_t)(nsec / NSEC_PER_SEC),
		.tv_nsec = (long)(nsec % NSEC_PER_SEC) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void *
map_shared(size_t size, const char *path)
{
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), fd, 0);

	if ((path && fd < 0) || memory == MAP_FAILED) {
		perror(path ? path : "mmap");
		exit(1);
	}
	if (fd >= 0)
		(void)close(fd);
	return memory;
}

/* Of a connection that broke after it was made: was it accepted by the server that died?
 */
static void
count_broken(struct load *load, struct counts *counts, in_port_t port)
{
	if (load->notes->accepted[port])
		counts->lost++;
	else
		counts->reset++;
}

static void
connect_once(struct load *load, struct counts *counts)
{
	struct sockaddr_in mine = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(mine);
	char reply[16];
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* a bind of its own, so that the port is known, and its note clean, before the
	 * server */
	if (fd < 0 || bind(fd, (struct sockaddr *)&mine, sizeof(mine)) < 0 ||
		getsockname(fd, (struct sockaddr *)&mine, &length) < 0) {
		perror("load-client");
		exit(1);
	}
	load->notes->accepted[ntohs(mine.sin_port)] = 0;
	if (connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) < 0) {
		if (errno == ECONNREFUSED)
			counts->refused++;
		else
			count_broken(load, counts, ntohs(mine.sin_port));
		(void)close(fd);
		return;
	}
	n = read(fd, reply, sizeof(reply) - 1);
	if (n > 0) {
		reply[n] = '\0';
		load->pid = atoi(reply);
		counts->served++;
		/* the server is to close first: TIME_WAIT on our side would use up the
		 * ports */
		while (read(fd, reply, sizeof(reply)) > 0)
			;
	} else {
		count_broken(load, counts, ntohs(mine.sin_port));
	}
	(void)close(fd);
}

_Noreturn static void
run_client(struct load *load, unsigned i, int64_t interval)
{
	int64_t next = now_nsec() + interval * i / CLIENTS;

	while (!load->is_over) {
		sleep_until(next);
		connect_once(load, &load->counts[i]);
		next += interval;
	}
	_exit(0);
}

/* Kills whoever answered last, a process at a time. */
static void
kill_servers(const struct load *load, unsigned crashes)
{
	int64_t next = now_nsec();
	int killed = 0;

	srandom(1);
	for (unsigned i = 0; i < crashes; i++) {
		next += (25 + random() % 50) * 1000000 + random() % 1000000;
		sleep_until(next);
		while (load->pid == 0 || load->pid == killed)
			sleep_until(now_nsec() + 1000000);
		killed = load->pid;
		(void)kill(killed, SIGKILL);
	}
}

/* Who was killed inside accept() took a connection and could not note it. */
static struct counts
sum_up(const struct load *load)
{
	unsigned unnoted = load->notes->died_in_accept;
	struct counts sum = { 0 };

	for (unsigned i = 0; i < CLIENTS; i++) {
		sum.served += load->counts[i].served;
		sum.refused += load->counts[i].refused;
		sum.reset += load->counts[i].reset;
		sum.lost += load->counts[i].lost;
	}
	if (unnoted > sum.reset)
		unnoted = sum.reset;
	sum.reset -= unnoted;
	sum.lost += unnoted;
	return sum;
}

static int
run_load(struct load *load, int64_t interval, unsigned crashes)
{
	int64_t start = now_nsec();
	struct counts sum;
	int status, failed = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			run_client(load, i, interval);
		failed |= pid < 0;
	}
	if (!failed)
		kill_servers(load, crashes);
	load->is_over = 1;
	while (wait(&status) > 0)
		failed |= status != 0;
	sum = sum_up(load);
	(void)printf("%u %u %u %u %u %lld\n", crashes, sum.served, sum.refused, sum.reset,
		sum.lost, (long long)((now_nsec() - start) / 1000000));
	return failed;
}

int
main(int argc, char **argv)
{
	struct load *load = map_shared(sizeof(*load), NULL);

	if (argc != 5 || atoi(argv[2]) <= 0) {
		(void)fprintf(stderr, "usage: load-client PORT RATE CRASHES NOTES\n");
		return 2;
	}
	load->address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((in_port_t)atoi(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	load->notes = map_shared(sizeof(*load->notes), argv[4]);
	load->notes->died_in_accept = 0;
	return run_load(
		load, CLIENTS * NSEC_PER_SEC / atoi(argv[2]), (unsigned)atoi(argv[3]));
}
