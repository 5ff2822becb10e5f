/* SPDX-License-Identifier: MIT */
/* notify: see notify.h. */
#include "mechanism/notify.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/un.h>

#include "base/loop.h"
#include "protocol/fd-passing.h"

#define NOTIFY_FDS_MAX 4
#define NOTIFY_RETRY_USEC UINT64_C(100000)

struct notify_pending {
	STAILQ_ENTRY(notify_pending) entry;
	size_t n_fds;
	int fds[NOTIFY_FDS_MAX]; /* owned copies */
	char text[];
};

STAILQ_HEAD(notify_queue, notify_pending);

struct notify {
	struct loop *loop;
	int socket; /* connected, so that it is writable when the manager's queue has room
		     */
	struct loop_io *writable;
	struct loop_timer *retry;
	struct notify_queue queue;
	int barrier_fd;
	struct loop_io *barrier;
	notify_barrier_fn barrier_callback;
	void *barrier_context;
};

static void notify_on_retry(void *context);

static int
notify_connect(struct notify *notify, const char *address, struct error *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t length = strlen(address);
	socklen_t size;

	if (length < 2 || length >= sizeof(un.sun_path) ||
		(address[0] != '/' && address[0] != '@'))
		return error_set(err, -EINVAL,
			"NOTIFY_SOCKET='%.100s' is no socket address", address);
	memcpy(un.sun_path, address, length);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (address[0] == '@')
		un.sun_path[0] = '\0';
	else
		size++;
	notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->socket < 0)
		return error_set_errno(
			err, -errno, "cannot make a socket for the manager");
	if (connect(notify->socket, (struct sockaddr *)&un, size) < 0)
		return error_set_errno(
			err, -errno, "cannot reach the manager at %s", address);
	return 0;
}

int
notify_new(struct loop *loop, const char *address, struct notify **ret_notify,
	struct error *err)
{
	struct notify *notify = calloc(1, sizeof(*notify));
	int r;

	if (!notify)
		return -ENOMEM;
	notify->loop = loop;
	notify->socket = notify->barrier_fd = -1;
	STAILQ_INIT(&notify->queue);
	r = loop_timer_new(loop, notify_on_retry, notify, &notify->retry);
	if (r >= 0 && address)
		r = notify_connect(notify, address, err);
	if (r < 0) {
		(void)notify_free(notify);
		return r;
	}
	*ret_notify = notify;
	return 0;
}

static void
notify_drop_first(struct notify *notify)
{
	struct notify_pending *pending = STAILQ_FIRST(&notify->queue);

	STAILQ_REMOVE_HEAD(&notify->queue, entry);
	while (pending->n_fds > 0)
		(void)pk_close(pending->fds[--pending->n_fds]);
	free(pending);
}

/* The kernel is short of something, though the manager's queue has room: not to be
 * polled. */
static bool
notify_is_shortage(int code)
{
	return code == -ENOBUFS || code == -ENOMEM || code == -ETOOMANYREFS;
}

/*
 * Sends what is kept as far as it goes; a message that can never go is dropped. Waits for
 * the rest: for room in the manager's queue, or, in a shortage, for a while.
 */
static void
notify_flush(struct notify *notify)
{
	struct notify_pending *pending;
	int r = 0;

	while ((pending = STAILQ_FIRST(&notify->queue))) {
		r = fd_passing_send(notify->socket, NULL, 0, pending->text,
			strlen(pending->text), pending->fds, pending->n_fds,
			MSG_DONTWAIT);
		if (r == -EAGAIN || notify_is_shortage(r))
			break;
		notify_drop_first(notify);
	}
	if (!pending || notify_is_shortage(r))
		notify->writable = loop_io_free(notify->writable);
	if (pending && notify_is_shortage(r))
		(void)loop_timer_set(notify->retry, NOTIFY_RETRY_USEC);
}

static void
notify_on_writable(int fd, void *context)
{
	(void)fd;
	notify_flush(context);
}

static int
notify_wait_writable(struct notify *notify)
{
	if (notify->writable)
		return 0;
	return loop_io_new(notify->loop, notify->socket, LOOP_WRITE, notify_on_writable,
		notify, &notify->writable);
}

static void
notify_on_retry(void *context)
{
	struct notify *notify = context;

	if (notify_wait_writable(notify) < 0)
		(void)loop_timer_set(notify->retry, NOTIFY_RETRY_USEC);
}

struct notify *
notify_free(struct notify *notify)
{
	if (!notify)
		return NULL;
	if (notify->socket >= 0)
		notify_flush(notify);
	while (!STAILQ_EMPTY(&notify->queue))
		notify_drop_first(notify);
	(void)loop_io_free(notify->writable);
	(void)loop_timer_free(notify->retry);
	(void)loop_io_free(notify->barrier);
	(void)pk_close(notify->barrier_fd);
	(void)pk_close(notify->socket);
	free(notify);
	return NULL;
}

static int
notify_keep(struct notify *notify, const char *text, const int *fds, size_t n_fds)
{
	size_t size = strlen(text) + 1;
	struct notify_pending *pending = calloc(1, sizeof(*pending) + size);
	int r = 0;

	if (!pending)
		return -ENOMEM;
	memcpy(pending->text, text, size);
	STAILQ_INSERT_TAIL(&notify->queue, pending, entry);
	for (size_t i = 0; i < n_fds && r >= 0; i++) {
		pending->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (pending->fds[i] < 0)
			r = -errno;
		else
			pending->n_fds++;
	}
	if (r >= 0)
		r = notify_wait_writable(notify);
	if (r < 0) {
		STAILQ_REMOVE(&notify->queue, pending, notify_pending, entry);
		while (pending->n_fds > 0)
			(void)pk_close(pending->fds[--pending->n_fds]);
		free(pending);
	}
	return r;
}

int
notify_send(struct notify *notify, const char *text, const int *fds, size_t n_fds)
{
	int r = -EAGAIN;

	if (n_fds > NOTIFY_FDS_MAX)
		return -EINVAL;
	if (notify->socket < 0)
		return 0;
	if (STAILQ_EMPTY(&notify->queue))
		r = fd_passing_send(notify->socket, NULL, 0, text, strlen(text), fds,
			n_fds, MSG_DONTWAIT);
	if (r == -EAGAIN || notify_is_shortage(r))
		r = notify_keep(notify, text, fds, n_fds);
	return r;
}

/* The manager has closed its copy of the write end: end of file here. */
static void
notify_on_barrier(int fd, void *context)
{
	struct notify *notify = context;

	(void)fd;
	notify->barrier = loop_io_free(notify->barrier);
	notify->barrier_fd = pk_close(notify->barrier_fd);
	notify->barrier_callback(notify->barrier_context);
}

int
notify_barrier(struct notify *notify, notify_barrier_fn callback, void *context)
{
	int ends[2], r;

	if (notify->barrier)
		return -EBUSY;
	notify->barrier_callback = callback;
	notify->barrier_context = context;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	notify->barrier_fd = ends[0];
	r = loop_io_new(notify->loop, ends[0], LOOP_READ, notify_on_barrier, notify,
		&notify->barrier);
	/* without a manager nobody has a copy: our own close() below is the answer */
	if (r >= 0)
		r = notify_send(notify, "BARRIER=1", &ends[1], 1);
	(void)pk_close(ends[1]);
	if (r < 0) {
		notify->barrier = loop_io_free(notify->barrier);
		notify->barrier_fd = pk_close(notify->barrier_fd);
	}
	return r;
}
