/* SPDX-License-Identifier: MIT */
/*
 * bare-loop: the least that can keep a port open: it inherits the listener, starts the
 * server, waits for its death, and starts it again. No signal is handled, nothing is
 * logged, nothing is cleaned up, every death is answered. What a supervisor takes longer
 * than this is its own cost.
 *
 * usage: bare-loop fork|vfork COMMAND [ARGUMENT]...
 */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int by_vfork;

	if (argc < 3) {
		(void)fprintf(
			stderr, "usage: bare-loop fork|vfork COMMAND [ARGUMENT]...\n");
		return 2;
	}
	by_vfork = strcmp(argv[1], "vfork") == 0;
	for (;;) {
		pid_t pid = by_vfork ? vfork() : fork();

		if (pid == 0) {
			/* the benchmark ends us with SIGKILL: the server goes with us */
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)execv(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 1;
	}
}
