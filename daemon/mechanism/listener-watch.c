/* SPDX-License-Identifier: MIT */
/* listener-watch: see listener-watch.h. */
#include "mechanism/listener-watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/loop.h"
#include "protocol/cleanup.h"

struct listener_watch {
	int epoll_fd;
	struct loop_io *io;
	listener_watch_fn callback;
	void *context;
};

static void
listener_watch_on_readable(int fd, void *context)
{
	struct listener_watch *watch = context;
	struct epoll_event events[16];

	/* edge-triggered: to fetch an event is to be told once, however many listeners
	 * hung up */
	while (epoll_wait(fd, events, (int)PK_ARRAY_SIZE(events), 0) ==
		(int)PK_ARRAY_SIZE(events))
		;
	watch->callback(watch->context);
}

int
listener_watch_new(struct loop *loop, listener_watch_fn callback, void *context,
	struct listener_watch **ret_watch)
{
	struct listener_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->callback = callback;
	watch->context = context;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = watch->epoll_fd < 0 ? -errno
				: loop_io_new(loop, watch->epoll_fd, LOOP_READ,
					  listener_watch_on_readable, watch, &watch->io);
	if (r < 0) {
		(void)listener_watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

struct listener_watch *
listener_watch_free(struct listener_watch *watch)
{
	if (!watch)
		return NULL;
	(void)loop_io_free(watch->io);
	(void)pk_close(watch->epoll_fd);
	free(watch);
	return NULL;
}

int
listener_watch_add(struct listener_watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLET, .data.fd = fd };

	if (epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}
