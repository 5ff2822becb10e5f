/* SPDX-License-Identifier: MIT */
/*
 * fake-loop: daemon/base/loop.h and daemon/base/clock.h over a clock that only a test
 * moves.
 *
 * A test program that names fake-loop.c among its sources gets these functions in place
 * of loop.o and clock.o of the library: the linker takes a member of an archive only for
 * what is still missing. So hours pass in no time, and nothing happens that the test did
 * not ask for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

/* The clock back to where each test starts, and jitter to none. */
void fake_clock_reset(void);

/* clock_jitter_usec(limit) gives `permille` thousandths of its limit from now on. */
void fake_clock_set_jitter(unsigned permille);

/* How long until the next timer is due; false when none is set. */
bool fake_loop_next_timer(const struct loop *loop, uint64_t *ret_delay_usec);

/* Moves the clock to the next timer and runs it; false when none is set. */
bool fake_loop_run_next_timer(struct loop *loop);

/* Moves the clock on by `usec`, running the timers that come due on the way, in order. */
void fake_loop_advance(struct loop *loop, uint64_t usec);

/* Calls back whoever waits for `fd`, as if it were ready; false when nobody does. */
bool fake_loop_deliver(struct loop *loop, int fd, enum loop_io_direction direction);

/*
 * Asks the kernel once, without waiting, which descriptors are ready, and calls back
 * whoever waits for them. Returns how many callbacks ran.
 */
unsigned fake_loop_poll(struct loop *loop);

/* What was made and not freed yet. */
size_t fake_loop_n_ios(const struct loop *loop);
size_t fake_loop_n_timers(const struct loop *loop);
