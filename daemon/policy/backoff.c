/* SPDX-License-Identifier: MIT */
/* backoff: see backoff.h. */
#include "policy/backoff.h"

#include <math.h>
#include <string.h>

#include "protocol/timespan.h"

/* One level is forgiven for so much uptime. */
#define BACKOFF_FORGIVE_USEC (USEC_PER_SEC / 2)

void
backoff_on_start(struct backoff *backoff, uint64_t now_usec)
{
	backoff->starts[backoff->n_starts % BACKOFF_STARTS_MAX] = now_usec;
	backoff->n_starts++;
	/* only the newest count; keep the number from wrapping */
	if (backoff->n_starts >= 2 * BACKOFF_STARTS_MAX)
		backoff->n_starts -= BACKOFF_STARTS_MAX;
}

/* The delay of step `step`, from RestartSec= at 0 to RestartMaxDelaySec= at
 * RestartSteps=. */
static uint64_t
backoff_delay_at(const struct restart_spec *spec, unsigned step)
{
	double growth;

	if (spec->steps == 0 || spec->max_delay_usec == USEC_INFINITY || step == 0)
		return spec->delay_usec;
	if (step >= spec->steps)
		return spec->max_delay_usec;
	if (spec->delay_usec == 0)
		return spec->max_delay_usec / spec->steps * step;
	growth = pow((double)spec->max_delay_usec / (double)spec->delay_usec,
		(double)step / (double)spec->steps);
	return (uint64_t)((double)spec->delay_usec * growth);
}

uint64_t
backoff_next_delay(
	struct backoff *backoff, const struct restart_spec *spec, uint64_t uptime_usec)
{
	uint64_t forgiven = uptime_usec / BACKOFF_FORGIVE_USEC;
	unsigned most = spec->immediate + spec->steps + 1;

	backoff->level -= forgiven < backoff->level ? (unsigned)forgiven : backoff->level;
	if (backoff->level < most)
		backoff->level++;
	if (backoff->level <= spec->immediate)
		return 0;
	return backoff_delay_at(spec, backoff->level - spec->immediate - 1);
}

uint64_t
backoff_jitter_limit(const struct restart_spec *spec, uint64_t delay_usec)
{
	if (spec->randomized_delay_usec != USEC_INFINITY)
		return spec->randomized_delay_usec;
	return delay_usec / 4;
}

uint64_t
backoff_pause(
	const struct backoff *backoff, const struct restart_spec *spec, uint64_t now_usec)
{
	unsigned burst = spec->limit_burst;
	uint64_t oldest, elapsed;

	if (burst == 0 || spec->limit_interval_usec == 0)
		return 0;
	if (burst > BACKOFF_STARTS_MAX)
		burst = BACKOFF_STARTS_MAX;
	if (backoff->n_starts < burst)
		return 0;
	oldest = backoff->starts[(backoff->n_starts - burst) % BACKOFF_STARTS_MAX];
	elapsed = now_usec - oldest;
	return elapsed < spec->limit_interval_usec ? spec->limit_interval_usec - elapsed
						   : 0;
}

void
backoff_reset(struct backoff *backoff)
{
	memset(backoff, 0, sizeof(*backoff));
}
