/* SPDX-License-Identifier: MIT */
/* clock: see clock.h. */
#include "base/clock.h"

#include <sys/random.h>
#include <time.h>

static uint64_t
clock_read_usec(clockid_t id)
{
	struct timespec now;

	/* cannot fail for these two clocks: clock_gettime(2) */
	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
clock_monotonic_usec(void)
{
	return clock_read_usec(CLOCK_MONOTONIC);
}

uint64_t
clock_realtime_usec(void)
{
	return clock_read_usec(CLOCK_REALTIME);
}

uint64_t
clock_jitter_usec(uint64_t limit)
{
	uint64_t random = 0;

	if (limit == 0)
		return 0;
	/* without entropy there is no jitter, which harms nobody */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return 0;
	return limit == UINT64_MAX ? random : random % (limit + 1);
}
