/* SPDX-License-Identifier: MIT */
/*
 * backoff: when a service that ended is started again. Pure arithmetic over times that
 * are passed in: no clock, no timer.
 *
 * A level counts how badly it goes: each restart adds one, each half second of uptime
 * takes one away. Up to RestartImmediate= a restart is made at once: a program that
 * crashes now and then never waits, and one that finds the lock of its dead predecessor
 * gets a few quick tries. Above it the delay grows from RestartSec= to
 * RestartMaxDelaySec= in RestartSteps= steps, each a constant factor longer than the one
 * before, as in systemd.service(5); and after a stable while the level, and so the delay,
 * has fallen back.
 *
 * The start limit is apart from that: StartLimitBurst= starts within
 * StartLimitIntervalSec=, then a pause until the interval has room again.
 */
#pragma once

#include <stdint.h>

#include "base/spec.h"

#define BACKOFF_STARTS_MAX 64 /* a larger StartLimitBurst= counts as this */

struct backoff {
	unsigned level;
	uint64_t starts[BACKOFF_STARTS_MAX]; /* a ring of times of starts, monotonic */
	unsigned n_starts;
};

/* Notes a start at `now_usec`. */
void backoff_on_start(struct backoff *backoff, uint64_t now_usec);

/*
 * The delay before the next start of a service that was up for `uptime_usec`, without its
 * random part; counts that restart.
 */
uint64_t backoff_next_delay(
	struct backoff *backoff, const struct restart_spec *spec, uint64_t uptime_usec);

/* How much jitter may be added to `delay_usec`. */
uint64_t backoff_jitter_limit(const struct restart_spec *spec, uint64_t delay_usec);

/* How long the start limit forbids the next start from `now_usec` on; 0: it does not. */
uint64_t backoff_pause(const struct backoff *backoff, const struct restart_spec *spec,
	uint64_t now_usec);

/* Forgets everything: a person has asked for the start. */
void backoff_reset(struct backoff *backoff);
