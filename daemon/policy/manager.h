/* SPDX-License-Identifier: MIT */
/*
 * manager: the one daemon context: the loop, the way to the service manager above, the
 * table of children, and the service. It turns signals and deaths into events of the
 * service.
 */
#pragma once

#include <stdint.h>

#include "base/log.h"
#include "protocol/error.h"

struct unit;

struct manager_options {
	enum log_format log_format;
	enum log_level log_level;
	uint64_t wait_usec;  /* how long to wait for a port that is taken */
	pid_t process_group; /* of the shared terminal's foreground; 0: none is shared */
};

/* portkeeper's own failures, apart from what a program can return: as env(1), timeout(1).
 */
#define MANAGER_EXIT_FAILED 125
#define MANAGER_EXIT_NOT_EXECUTABLE 126
#define MANAGER_EXIT_NOT_FOUND 127

/*
 * Runs `unit` (borrowed) until it has ended for good. Returns the exit status: the
 * program's, or one of the above after the reason was logged.
 */
int manager_run(const struct unit *unit, const struct manager_options *options);
