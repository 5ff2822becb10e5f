/* SPDX-License-Identifier: MIT */
/*
 * echo-server: the server that every peer of the benchmarks restarts: it answers each
 * connection with its pid in decimal and a newline, and closes it. It does nothing else
 * before its first accept(), so that what is measured is the supervisor.
 *
 * The listener is descriptor BENCH_FD, or 3 when LISTEN_FDS is set. BENCH_NOTES names a
 * file (struct bench_notes) in which each accept() is noted: a client that was accepted
 * by a process that then died is lost with it whoever holds the port, and is counted
 * apart.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-notes.h"

static struct bench_notes *
map_notes(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct bench_notes *notes = MAP_FAILED;

	if (fd >= 0)
		notes = mmap(NULL, sizeof(struct bench_notes), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
	if (notes == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	(void)close(fd);
	if (notes->accepting)
		notes->died_in_accept++;
	notes->accepting = 0;
	return notes;
}

/*
 * accept() is entered only when somebody waits, so that `accepting` covers nothing but
 * the call: found set by the next server, it says that one connection may have been taken
 * without a note.
 */
static int
accept_noted(int listener, struct bench_notes *notes)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	int fd;

	(void)poll(&ready, 1, -1);
	notes->accepting = 1;
	fd = accept(listener, (struct sockaddr *)&peer, &length);
	if (fd >= 0)
		notes->accepted[ntohs(peer.sin_port)] = 1;
	notes->accepting = 0;
	return fd;
}

int
main(void)
{
	const char *number = getenv("BENCH_FD"), *path = getenv("BENCH_NOTES");
	struct bench_notes *notes = path ? map_notes(path) : NULL;
	int listener = number ? atoi(number) : 3;
	char reply[16];
	int size;

	if (!number && !getenv("LISTEN_FDS"))
		return 1;
	(void)signal(SIGPIPE, SIG_IGN);
	size = snprintf(reply, sizeof(reply), "%d\n", (int)getpid());
	for (;;) {
		int fd = notes ? accept_noted(listener, notes)
			       : accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (write(fd, reply, (size_t)size) < 0)
			(void)fprintf(stderr, "echo-server: a client has gone\n");
		(void)close(fd);
	}
}
