/* SPDX-License-Identifier: MIT */
/*
 * loop: the one event loop of portkeeperd. Only loop.c includes libevent; everybody else
 * sees the opaque types below.
 *
 * Callbacks run one after the other on the only thread and must not block. Objects are
 * freed by who made them, also from inside their own callback; the loop never frees any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

typedef void (*loop_io_fn)(int fd, void *context);
typedef void (*loop_timer_fn)(void *context);

enum loop_io_direction {
	LOOP_READ,
	LOOP_WRITE,
};

/* Makes the loop. Returns 0, or -ENOMEM, or -errno when the kernel gives no epoll
 * instance. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);

/* Runs callbacks until loop_stop(); returns 0, or -EIO when the loop itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Calls `callback` whenever `fd` (borrowed; must stay open until loop_io_free()) is ready
 * in `direction`. Starts enabled. Returns 0 or -errno.
 */
int loop_io_new(struct loop *loop, int fd, enum loop_io_direction direction,
	loop_io_fn callback, void *context, struct loop_io **ret_io);
struct loop_io *loop_io_free(struct loop_io *io);

/* Makes a timer, not running. Returns 0 or -ENOMEM. */
int loop_timer_new(struct loop *loop, loop_timer_fn callback, void *context,
	struct loop_timer **ret_timer);
struct loop_timer *loop_timer_free(struct loop_timer *timer);

/* Calls back once, `delay_usec` from now, instead of whenever it was set for before. */
int loop_timer_set(struct loop_timer *timer, uint64_t delay_usec);
void loop_timer_clear(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
