/* SPDX-License-Identifier: MIT */
/*
 * unit-test: what every test program starts with: cmocka, whose header wants four others
 * before it, and a few lines that many tests need.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cleanup.h"

/* For a loop over a table: says which row it was, which an assertion's line cannot. */
#define CHECK_ROW(condition, ...) \
	do { \
		if (!(condition)) \
			fail_msg(__VA_ARGS__); \
	} while (0)

/*
 * cmocka 1.1.5 prints a skipped test as "not ok ... # SKIP", which a TAP reader counts as
 * a failure; so a test that the machine does not allow says why and passes.
 */
#define LEAVE_OUT(reason) \
	do { \
		print_message("# left out: %s\n", reason); \
		return; \
	} while (0)
