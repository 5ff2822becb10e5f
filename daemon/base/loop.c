/* SPDX-License-Identifier: MIT */
/*
 * loop: see loop.h. libevent with the epoll back end and nothing more: no threads, no
 * signal handlers (signals arrive by signalfd, as one more descriptor), no buffers.
 */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

struct loop {
	struct event_base *base;
};

struct loop_io {
	struct event *event;
	loop_io_fn callback;
	void *context;
};

struct loop_timer {
	struct event *event;
	loop_timer_fn callback;
	void *context;
};

/* An epoll instance, and the pipes that libevent makes for signals and wake-ups. */
#define LOOP_FDS 5

/*
 * libevent 2.1 ends the process when it gets no descriptors for its pipes (evsig_init_()
 * in its signal.c calls event_sock_err(1, ...)), so it is asked first whether there are
 * enough.
 */
static int
loop_probe_fds(void)
{
	int fds[LOOP_FDS], n = 0, r = 0;

	while (n < LOOP_FDS && r == 0) {
		fds[n] = open("/", O_PATH | O_CLOEXEC);
		if (fds[n] < 0)
			r = -errno;
		else
			n++;
	}
	while (n > 0)
		(void)close(fds[--n]);
	return r;
}

int
loop_new(struct loop **ret_loop)
{
	int r = loop_probe_fds();
	struct event_config *config;
	struct loop *loop;

	if (r < 0)
		return r;
	config = event_config_new();
	loop = calloc(1, sizeof(*loop));
	if (!config || !loop)
		goto fail;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) < 0 ||
		event_config_require_features(config, EV_FEATURE_O1) < 0)
		goto fail;
	loop->base = event_base_new_with_config(config);
	if (!loop->base)
		goto fail;
	event_config_free(config);
	*ret_loop = loop;
	return 0;
fail:
	if (config)
		event_config_free(config);
	free(loop);
	return errno ? -errno : -ENOMEM;
}

struct loop *
loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	event_base_free(loop->base);
	free(loop);
	return NULL;
}

int
loop_run(struct loop *loop)
{
	return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -EIO : 0;
}

void
loop_stop(struct loop *loop)
{
	(void)event_base_loopbreak(loop->base);
}

static void
loop_on_io(evutil_socket_t fd, short what, void *context)
{
	struct loop_io *io = context;

	(void)what;
	io->callback(fd, io->context);
}

int
loop_io_new(struct loop *loop, int fd, enum loop_io_direction direction,
	loop_io_fn callback, void *context, struct loop_io **ret_io)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	short what = (short)((direction == LOOP_READ ? EV_READ : EV_WRITE) | EV_PERSIST);

	if (!io)
		return -ENOMEM;
	io->callback = callback;
	io->context = context;
	io->event = event_new(loop->base, fd, what, loop_on_io, io);
	if (!io->event || event_add(io->event, NULL) < 0) {
		(void)loop_io_free(io);
		return errno ? -errno : -ENOMEM;
	}
	*ret_io = io;
	return 0;
}

struct loop_io *
loop_io_free(struct loop_io *io)
{
	if (!io)
		return NULL;
	if (io->event)
		event_free(io->event);
	free(io);
	return NULL;
}

static void
loop_on_timer(evutil_socket_t fd, short what, void *context)
{
	struct loop_timer *timer = context;

	(void)fd;
	(void)what;
	timer->callback(timer->context);
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
	timer->event = evtimer_new(loop->base, loop_on_timer, timer);
	if (!timer->event) {
		free(timer);
		return -ENOMEM;
	}
	*ret_timer = timer;
	return 0;
}

struct loop_timer *
loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return NULL;
	event_free(timer->event);
	free(timer);
	return NULL;
}

int
loop_timer_set(struct loop_timer *timer, uint64_t delay_usec)
{
	/* a year is for ever; more would overflow struct timeval on 32-bit machines */
	const uint64_t longest = UINT64_C(31536000) * 1000000;
	struct timeval delay;

	if (delay_usec > longest)
		delay_usec = longest;
	delay.tv_sec = (time_t)(delay_usec / 1000000);
	delay.tv_usec = (suseconds_t)(delay_usec % 1000000);
	return evtimer_add(timer->event, &delay) < 0 ? -ENOMEM : 0;
}

void
loop_timer_clear(struct loop_timer *timer)
{
	(void)evtimer_del(timer->event);
}

bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return evtimer_pending(timer->event, NULL) != 0;
}
