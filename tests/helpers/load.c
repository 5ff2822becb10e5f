/* SPDX-License-Identifier: MIT */
/*
 * load: says "connecting", then connects to a port at a fixed rate, reads one line, closes;
 * until SIGTERM, when it lets the open connections finish and prints what became of them
 * all, as JSON:
 *
 *   served       got an answer
 *   refused      ECONNREFUSED
 *   lost         reset or closed without an answer, although the server had accepted it:
 *                it died with its server, whoever holds the port
 *   reset        the same, but never accepted: this is what must not happen
 *   timeout      nothing for 20 seconds
 *
 * "lost" and "reset" are told apart twofold. note-server notes each accept. And a process
 * that is killed while it sleeps in accept() may take one more connection with it, without
 * coming back to note it: inet_csk_wait_for_connect() looks at the queue before it looks at
 * signals (net/ipv4/inet_connection_sock.c). Such a connection ends with a FIN, since nothing
 * that was sent is unread; one that nobody has accepted can only end with a RST
 * (inet_child_forget()).
 *
 * A connection is closed with a reset (SO_LINGER 0), so that neither side keeps TIME_WAIT
 * sockets and no port runs out.
 *
 * usage: load ADDRESS PORT RATE NOTES-FILE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NOTES 65536
#define CONNECTIONS_MAX 20000
#define TIMEOUT_NSEC (20 * INT64_C(1000000000))
#define TICK_NSEC INT64_C(2000000)

struct connection {
	int fd;
	uint16_t port;
	int64_t started_nsec;
};

static struct {
	struct sockaddr_in address;
	volatile uint32_t *notes;
	uint32_t seen[NOTES]; /* notes of connections that are over, by port */
	struct connection connections[CONNECTIONS_MAX];
	int epoll_fd;
	unsigned open;
	uint64_t started, served, refused, lost, reset, timeout, other;
	int64_t longest_nsec;
} load;

static int64_t
now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
finish(struct connection *connection, uint64_t *count)
{
	int64_t took = now_nsec() - connection->started_nsec;

	if (count == &load.served && took > load.longest_nsec)
		load.longest_nsec = took;
	load.seen[connection->port] = load.notes[connection->port];
	(void)close(connection->fd);
	connection->fd = -1;
	load.open--;
	(*count)++;
}

/* Ended without an answer, by a FIN or not: has it been accepted? */
static void
finish_unanswered(struct connection *connection, bool by_fin)
{
	bool accepted =
		by_fin || load.notes[connection->port] != load.seen[connection->port];

	finish(connection, accepted ? &load.lost : &load.reset);
}

static void
start(void)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	struct connection *connection = NULL;
	struct sockaddr_in local;
	socklen_t length = sizeof(local);
	struct epoll_event event = { .events = EPOLLIN };

	for (size_t i = 0; i < CONNECTIONS_MAX && !connection; i++)
		if (load.connections[i].fd < 0)
			connection = &load.connections[i];
	if (!connection)
		return;
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		die("socket");
	load.started++;
	load.open++;
	connection->port = 0;
	connection->started_nsec = now_nsec();
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (connect(connection->fd, (struct sockaddr *)&load.address,
		    sizeof(load.address)) < 0 &&
		errno != EINPROGRESS) {
		finish(connection, errno == ECONNREFUSED ? &load.refused : &load.other);
		return;
	}
	if (getsockname(connection->fd, (struct sockaddr *)&local, &length) == 0)
		connection->port = ntohs(local.sin_port);
	event.data.ptr = connection;
	if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		die("epoll_ctl");
}

static void
on_readable(struct connection *connection)
{
	char answer[32];
	ssize_t n = recv(connection->fd, answer, sizeof(answer), 0);

	if (n > 0)
		finish(connection, &load.served);
	else if (n < 0 && errno == ECONNREFUSED)
		finish(connection, &load.refused);
	else if (n == 0 || errno == ECONNRESET)
		finish_unanswered(connection, n == 0);
	else if (errno != EAGAIN)
		finish(connection, &load.other);
}

static void
look_for_timeouts(void)
{
	int64_t limit = now_nsec() - TIMEOUT_NSEC;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (load.connections[i].fd >= 0 &&
			load.connections[i].started_nsec < limit)
			finish(&load.connections[i], &load.timeout);
}

static int
open_timer(void)
{
	const struct itimerspec tick = { .it_interval.tv_nsec = TICK_NSEC,
		.it_value.tv_nsec = TICK_NSEC };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &tick, NULL) < 0)
		die("timerfd");
	return fd;
}

static int
open_signals(void)
{
	sigset_t mask;
	int fd;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

static void
watch(int fd, void *mark)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = mark };

	if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void
run(int64_t rate, int timer_fd, int signal_fd)
{
	int64_t began = now_nsec();
	bool stopping = false;
	unsigned ticks = 0;

	/* from here on a SIGTERM is waited for, not died of */
	(void)puts("connecting");
	(void)fflush(stdout);
	watch(timer_fd, &load.epoll_fd);
	watch(signal_fd, &load.open);
	while (!stopping || load.open > 0) {
		struct epoll_event events[256];
		int n = epoll_wait(load.epoll_fd, events, 256, -1);

		for (int i = 0; i < n; i++) {
			uint64_t expirations;

			if (events[i].data.ptr == &load.open) {
				stopping = true;
				(void)epoll_ctl(
					load.epoll_fd, EPOLL_CTL_DEL, signal_fd, NULL);
			} else if (events[i].data.ptr == &load.epoll_fd) {
				(void)!read(timer_fd, &expirations, sizeof(expirations));
			} else {
				on_readable(events[i].data.ptr);
			}
		}
		/* by the clock, so that a late tick starts what the lost ones did not */
		while (!stopping &&
			(int64_t)load.started < (now_nsec() - began) * rate / 1000000000)
			start();
		if (++ticks % 256 == 0)
			look_for_timeouts();
	}
	(void)printf("{\"seconds\": %.3f, \"started\": %" PRIu64 ", \"served\": %" PRIu64
		     ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64
		     ", \"reset\": %" PRIu64 ", \"timeout\": %" PRIu64
		     ", \"other\": %" PRIu64 ", \"longest_ms\": %.3f}\n",
		(double)(now_nsec() - began) / 1e9, load.started, load.served,
		load.refused, load.lost, load.reset, load.timeout, load.other,
		(double)load.longest_nsec / 1e6);
}

int
main(int argc, char **argv)
{
	int fd;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: load ADDRESS PORT RATE NOTES-FILE\n");
		return 2;
	}
	load.address.sin_family = AF_INET;
	load.address.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &load.address.sin_addr) != 1)
		die(argv[1]);
	fd = open(argv[4], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, NOTES * sizeof(uint32_t)) < 0)
		die(argv[4]);
	load.notes = mmap(NULL, NOTES * sizeof(uint32_t), PROT_READ, MAP_SHARED, fd, 0);
	if (load.notes == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < NOTES; i++)
		load.seen[i] = load.notes[i];
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		load.connections[i].fd = -1;
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll_fd < 0)
		die("epoll_create1");
	run(atoll(argv[3]), open_timer(), open_signals());
	return 0;
}
