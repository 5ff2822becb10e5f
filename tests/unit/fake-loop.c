/* SPDX-License-Identifier: MIT */
/* fake-loop: see fake-loop.h. */
#include "tests/unit/fake-loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "protocol/cleanup.h"

/* not 0: that may mean "never" */
#define FAKE_CLOCK_START UINT64_C(1000000000)

struct loop_io {
	LIST_ENTRY(loop_io) entry;
	int fd;
	enum loop_io_direction direction;
	loop_io_fn callback;
	void *context;
};

struct loop_timer {
	LIST_ENTRY(loop_timer) entry;
	loop_timer_fn callback;
	void *context;
	bool is_set;
	uint64_t due_usec;
	uint64_t order; /* of two that are due at once, the one set first goes first */
};

struct loop {
	LIST_HEAD(fake_ios, loop_io) ios;
	LIST_HEAD(fake_timers, loop_timer) timers;
	bool is_stopped;
};

static uint64_t fake_now_usec = FAKE_CLOCK_START;
static unsigned fake_jitter_permille;
static uint64_t fake_order;

/* ---- clock.h */

uint64_t
clock_monotonic_usec(void)
{
	return fake_now_usec;
}

uint64_t
clock_realtime_usec(void)
{
	return fake_now_usec;
}

uint64_t
clock_jitter_usec(uint64_t limit)
{
	return limit / 1000 * fake_jitter_permille +
		limit % 1000 * fake_jitter_permille / 1000;
}

void
fake_clock_reset(void)
{
	fake_now_usec = FAKE_CLOCK_START;
	fake_jitter_permille = 0;
}

void
fake_clock_set_jitter(unsigned permille)
{
	fake_jitter_permille = permille;
}

/* ---- loop.h */

int
loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	*ret_loop = loop;
	return 0;
}

struct loop *
loop_free(struct loop *loop)
{
	free(loop);
	return NULL;
}

/* Ready descriptors first, then the clock goes on; ends also when nothing can happen any
 * more. */
int
loop_run(struct loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped)
		if (fake_loop_poll(loop) == 0 && !fake_loop_run_next_timer(loop))
			break;
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

int
loop_io_new(struct loop *loop, int fd, enum loop_io_direction direction,
	loop_io_fn callback, void *context, struct loop_io **ret_io)
{
	struct loop_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->fd = fd;
	io->direction = direction;
	io->callback = callback;
	io->context = context;
	LIST_INSERT_HEAD(&loop->ios, io, entry);
	*ret_io = io;
	return 0;
}

struct loop_io *
loop_io_free(struct loop_io *io)
{
	if (!io)
		return NULL;
	LIST_REMOVE(io, entry);
	free(io);
	return NULL;
}

int
loop_timer_new(struct loop *loop, loop_timer_fn callback, void *context,
	struct loop_timer **ret_timer)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->callback = callback;
	timer->context = context;
	LIST_INSERT_HEAD(&loop->timers, timer, entry);
	*ret_timer = timer;
	return 0;
}

struct loop_timer *
loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return NULL;
	LIST_REMOVE(timer, entry);
	free(timer);
	return NULL;
}

int
loop_timer_set(struct loop_timer *timer, uint64_t delay_usec)
{
	timer->is_set = true;
	timer->due_usec = fake_now_usec + delay_usec;
	timer->order = fake_order++;
	return 0;
}

void
loop_timer_clear(struct loop_timer *timer)
{
	timer->is_set = false;
}

bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->is_set;
}

/* ---- what a test does with it */

static struct loop_timer *
fake_loop_first_timer(const struct loop *loop)
{
	struct loop_timer *timer, *first = NULL;

	LIST_FOREACH(timer, &loop->timers, entry)
	if (timer->is_set &&
		(!first || timer->due_usec < first->due_usec ||
			(timer->due_usec == first->due_usec &&
				timer->order < first->order)))
		first = timer;
	return first;
}

bool
fake_loop_next_timer(const struct loop *loop, uint64_t *ret_delay_usec)
{
	const struct loop_timer *first = fake_loop_first_timer(loop);

	if (!first)
		return false;
	*ret_delay_usec = first->due_usec - fake_now_usec;
	return true;
}

bool
fake_loop_run_next_timer(struct loop *loop)
{
	struct loop_timer *first = fake_loop_first_timer(loop);

	if (!first)
		return false;
	fake_now_usec = first->due_usec;
	first->is_set = false;
	first->callback(first->context);
	return true;
}

void
fake_loop_advance(struct loop *loop, uint64_t usec)
{
	uint64_t end = fake_now_usec + usec;
	const struct loop_timer *first;

	while ((first = fake_loop_first_timer(loop)) && first->due_usec <= end)
		(void)fake_loop_run_next_timer(loop);
	fake_now_usec = end;
}

bool
fake_loop_deliver(struct loop *loop, int fd, enum loop_io_direction direction)
{
	struct loop_io *io;

	LIST_FOREACH(io, &loop->ios, entry)
	if (io->fd == fd && io->direction == direction) {
		io->callback(fd, io->context);
		return true;
	}
	return false;
}

/* A callback may free any other io, so after each one the search begins anew. */
unsigned
fake_loop_poll(struct loop *loop)
{
	struct pollfd probes[64];
	enum loop_io_direction directions[PK_ARRAY_SIZE(probes)];
	struct loop_io *io;
	nfds_t n = 0;
	unsigned n_called = 0;

	LIST_FOREACH(io, &loop->ios, entry)
	{
		if (n == PK_ARRAY_SIZE(probes))
			break;
		directions[n] = io->direction;
		probes[n++] = (struct pollfd){ .fd = io->fd,
			.events = io->direction == LOOP_READ ? POLLIN : POLLOUT };
	}
	if (poll(probes, n, 0) <= 0)
		return 0;
	for (nfds_t i = 0; i < n; i++)
		if (probes[i].revents &&
			fake_loop_deliver(loop, probes[i].fd, directions[i]))
			n_called++;
	return n_called;
}

size_t
fake_loop_n_ios(const struct loop *loop)
{
	const struct loop_io *io;
	size_t n = 0;

	LIST_FOREACH(io, &loop->ios, entry)
	n++;
	return n;
}

size_t
fake_loop_n_timers(const struct loop *loop)
{
	const struct loop_timer *timer;
	size_t n = 0;

	LIST_FOREACH(timer, &loop->timers, entry)
	n++;
	return n;
}
