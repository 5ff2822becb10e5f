/* SPDX-License-Identifier: MIT */
/*
 * clock: the time, in microseconds. Together with loop and sys it is the seam that tests
 * replace: tests/unit/fake-loop.c has a clock that stands still until a test moves it.
 */
#pragma once

#include <stdint.h>

/* Since some fixed moment; never goes back (CLOCK_MONOTONIC). */
uint64_t clock_monotonic_usec(void);

/* Since 1970 (CLOCK_REALTIME), for what people and log collectors read. */
uint64_t clock_realtime_usec(void);

/* A number from 0 to `limit` (included), for jitter: not for secrets. */
uint64_t clock_jitter_usec(uint64_t limit);
