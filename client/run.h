/* SPDX-License-Identifier: MIT */
/*
 * run: `portkeeper run`, the small service manager of a private portkeeperd. It does four
 * things: it keeps the descriptors that portkeeperd stores (run-store), starts
 * portkeeperd again when it dies, reaps orphans, and passes signals and the exit status
 * on (run-manager). What a listener or a directive is it does not know.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/run-store.h"

/* Exit statuses of `run` itself, as those of env(1) and timeout(1); else the program's.
 */
enum run_exit {
	RUN_EXIT_FAILED = 125,
	RUN_EXIT_NOT_EXECUTABLE = 126,
	RUN_EXIT_NOT_FOUND = 127,
};

struct run_settings {
	const char *daemon_path;
	char **daemon_argv;	/* NULL-terminated */
	struct run_store store; /* with what was inherited */
	bool has_terminal;
	bool is_quiet;
	bool is_json;
};

/* Runs portkeeperd until its service has ended. Returns the exit status. */
int run_manager_main(struct run_settings *settings);
