/* SPDX-License-Identifier: MIT */
/*
 * note-server: takes its listener by socket activation (descriptor 3) and answers each
 * connection with a line: its pid and the listener's SO_COOKIE. Before it answers it
 * counts the accept in a file that is mapped and shared, by the client's port: so a
 * client that got no answer can tell whether its connection had been accepted by the
 * process that died (and was lost with it), or not.
 *
 * usage: note-server NOTES-FILE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTES 65536
#define LISTENER 3

static uint32_t *
map_notes(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *notes;

	if (fd < 0 || ftruncate(fd, NOTES * sizeof(uint32_t)) < 0) {
		perror(path);
		exit(1);
	}
	notes = mmap(NULL, NOTES * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED,
		fd, 0);
	(void)close(fd);
	if (notes == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return notes;
}

int
main(int argc, char **argv)
{
	const char *pid_text = getenv("LISTEN_PID"), *fds_text = getenv("LISTEN_FDS");
	volatile uint32_t *notes;
	socklen_t cookie_size = sizeof(uint64_t);
	uint64_t cookie = 0;
	char answer[64];
	int length;

	if (argc != 2 || !pid_text || !fds_text || atoi(pid_text) != getpid() ||
		atoi(fds_text) < 1) {
		(void)fprintf(stderr, "note-server: not activated\n");
		return 1;
	}
	notes = map_notes(argv[1]);
	(void)getsockopt(LISTENER, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_size);
	length = snprintf(
		answer, sizeof(answer), "%d %" PRIu64 "\n", (int)getpid(), cookie);
	for (;;) {
		union {
			struct sockaddr any;
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} peer;
		socklen_t size = sizeof(peer);
		int fd = accept4(LISTENER, &peer.any, &size, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			perror("accept");
			return 1;
		}
		/* sin_port and sin6_port lie at the same place */
		notes[ntohs(peer.in.sin_port)]++;
		(void)send(fd, answer, (size_t)length, MSG_NOSIGNAL);
		(void)close(fd);
	}
}
