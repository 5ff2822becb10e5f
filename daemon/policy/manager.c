/* SPDX-License-Identifier: MIT */
/*
 * manager: see manager.h.
 *
 * Above it stands `portkeeper run` (the manager of DESIGN's terms), which keeps the
 * listeners by the fd store, starts this process again when it dies, and passes signals
 * on. When that one dies, nobody is left who could keep anything: the service is stopped
 * in order.
 */
#include "policy/manager.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "config/unit.h"
#include "mechanism/cgroup.h"
#include "mechanism/child.h"
#include "mechanism/listener-watch.h"
#include "mechanism/listener.h"
#include "mechanism/notify.h"
#include "mechanism/store.h"
#include "policy/handover.h"
#include "policy/service.h"
#include "protocol/timespan.h"

#define MANAGER_RETRY_USEC (50 * USEC_PER_MSEC)
#define MANAGER_RETRY_MAX_USEC (500 * USEC_PER_MSEC)

struct manager {
	const struct unit *unit;
	const struct manager_options *options;
	struct loop *loop;
	struct log *log;
	struct notify *notify;
	struct store *store;
	struct child_table *children;
	struct listener_watch *watch;
	struct service_host host;
	struct service *service;
	int signal_fd;
	struct loop_io *signal_io;
	int above_fd; /* pidfd of `portkeeper run` */
	struct loop_io *above_io;
	struct loop_timer *retry_timer;
	uint64_t retry_usec;
	uint64_t give_up_usec; /* monotonic */
	bool is_successor;     /* an earlier portkeeperd has left its sockets */
	bool tree_changed;
	bool stop_requested;
	bool is_over;
	int exit_status;
};

/* ---- what happens */

/* Ends manager_run(), now or as soon as its loop would run. */
static void
manager_finish(struct manager *manager, int exit_status)
{
	manager->exit_status = exit_status;
	manager->is_over = true;
	loop_stop(manager->loop);
}

static void
manager_on_orphan(pid_t pid, void *context)
{
	struct manager *manager = context;

	(void)pid;
	manager->tree_changed = true;
}

static void
manager_reap(struct manager *manager)
{
	child_table_reap(manager->children);
	if (manager->tree_changed && manager->service)
		service_on_tree_changed(manager->service);
	manager->tree_changed = false;
}

typedef void (*manager_stop_fn)(struct service *service);

static void
manager_stop(struct manager *manager, manager_stop_fn stop)
{
	manager->stop_requested = true;
	if (manager->service)
		stop(manager->service);
	else /* still waiting for the port */
		manager_finish(manager, MANAGER_EXIT_FAILED);
}

/* Ctrl-C once stops in order, twice at once. */
static void
manager_interrupt(struct manager *manager)
{
	if (manager->stop_requested)
		manager_stop(manager, service_kill);
	else if (manager->host.process_group > 0)
		manager_stop(manager, service_interrupt);
	else
		manager_stop(manager, service_stop);
}

static void
manager_on_signal(struct manager *manager, int signal)
{
	bool by_terminal = manager->host.process_group > 0;

	if (signal == SIGCHLD)
		manager_reap(manager);
	else if (signal == SIGTERM)
		manager_stop(manager, service_stop);
	else if (signal == SIGINT || (signal == SIGQUIT && by_terminal))
		manager_interrupt(manager);
	else if (manager->service)
		service_signal_main(manager->service, signal);
}

static void
manager_fetch_signals(void *context)
{
	struct manager *manager = context;
	struct signalfd_siginfo info;

	while (read(manager->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		manager_on_signal(manager, (int)info.ssi_signo);
}

static void
manager_on_signal_fd(int fd, void *context)
{
	(void)fd;
	manager_fetch_signals(context);
}

static void
manager_on_above_gone(int fd, void *context)
{
	struct manager *manager = context;

	(void)fd;
	manager->above_io = loop_io_free(manager->above_io);
	log_line(manager->log, LOG_LEVEL_ERROR, NULL,
		"'portkeeper run' has died: stops %s in order", manager->unit->name);
	manager_stop(manager, service_stop);
}

static void
manager_on_hangup(void *context)
{
	struct manager *manager = context;

	if (manager->service)
		service_on_listener_hangup(manager->service);
}

static void
manager_on_service_end(struct service *service, void *context)
{
	struct manager *manager = context;

	manager_finish(manager, service_exit_status(service));
}

/* ---- the listeners, and the start */

/* A first portkeeperd is ready when the program runs, a successor when it holds the
 * ports. */
static void
manager_say_ready(struct manager *manager)
{
	if (manager->service->main || manager->is_successor)
		(void)notify_send(manager->notify, "READY=1", NULL, 0);
}

static void
manager_announce_listeners(struct manager *manager)
{
	const char *holds = manager->is_successor ? "still holds" : "holds";
	struct service *service = manager->service;

	for (size_t i = 0; i < service->n_listeners; i++) {
		struct listener *listener = service->listeners[i];

		(void)listener_watch_add(manager->watch, listener->fd);
		if (listener->queue_limit > 0)
			log_line(manager->log, LOG_LEVEL_INFO, manager->unit->name,
				"%s %s, queue %u", holds, listener->text,
				listener->queue_limit);
		else
			log_line(manager->log, LOG_LEVEL_INFO, manager->unit->name,
				"%s %s", holds, listener->text);
	}
}

/* With all listeners there: the service begins. */
static int
manager_begin(struct manager *manager, struct listener **listeners, struct error *err)
{
	size_t n_listeners = manager->unit->n_listens;

	if (service_new(manager->unit, &manager->host, listeners, n_listeners,
		    &manager->service) < 0) {
		while (n_listeners > 0)
			(void)listener_free(listeners[--n_listeners], false);
		free(listeners);
		return error_set(err, -ENOMEM, "no memory for the service");
	}
	(void)cgroup_open(manager->unit->name, getppid(), &manager->service->cgroup);
	manager_announce_listeners(manager);
	if (manager->is_successor) {
		manager->host.survivors_root = getppid();
		service_adopt(manager->service);
	} else {
		service_start(manager->service);
	}
	manager_say_ready(manager);
	return 0;
}

/* Returns 0, or -errno of the listener that could not be had, with `err`. */
static int
manager_try(struct manager *manager, struct error *err)
{
	struct listener **listeners;
	int r = handover_listeners(manager->unit, manager->store, &listeners, err);

	return r < 0 ? r : manager_begin(manager, listeners, err);
}

static void
manager_give_up(struct manager *manager, const struct error *err)
{
	log_error_object(manager->log, LOG_LEVEL_ERROR, manager->unit->name, err);
	manager_finish(manager, MANAGER_EXIT_FAILED);
}

/* --wait: the same port again and again, never the next one. */
static void
manager_on_retry(void *context)
{
	struct manager *manager = context;
	struct error err = ERROR_NONE;
	int r = manager_try(manager, &err);

	if (r >= 0)
		return;
	if (r != -EADDRINUSE || clock_monotonic_usec() >= manager->give_up_usec) {
		manager_give_up(manager, &err);
		return;
	}
	manager->retry_usec *= 2;
	if (manager->retry_usec > MANAGER_RETRY_MAX_USEC)
		manager->retry_usec = MANAGER_RETRY_MAX_USEC;
	(void)loop_timer_set(manager->retry_timer, manager->retry_usec);
}

static void
manager_first_try(struct manager *manager)
{
	struct error err = ERROR_NONE;
	char span[48];
	int r = manager_try(manager, &err);

	if (r >= 0)
		return;
	if (r != -EADDRINUSE || manager->options->wait_usec == 0) {
		manager_give_up(manager, &err);
		return;
	}
	log_line(manager->log, LOG_LEVEL_NOTICE, manager->unit->name,
		"%s; waits for it up to %s", err.text,
		timespan_format(manager->options->wait_usec, span, sizeof(span)));
	if (__builtin_add_overflow(clock_monotonic_usec(), manager->options->wait_usec,
		    &manager->give_up_usec))
		manager->give_up_usec = USEC_INFINITY;
	manager->retry_usec = MANAGER_RETRY_USEC;
	(void)loop_timer_set(manager->retry_timer, manager->retry_usec);
}

/* ---- set up and down */

static int
manager_open_signals(struct manager *manager, struct error *err)
{
	/* clang-format off */
	static const int handled[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1,
		SIGUSR2, SIGWINCH };
	/* a terminal's stop signals: this process group is never its foreground */
	static const int ignored_by_blocking[] = { SIGTTOU, SIGTTIN, SIGTSTP };
	/* clang-format on */
	sigset_t mask, blocked;

	(void)sigemptyset(&mask);
	for (size_t i = 0; i < PK_ARRAY_SIZE(handled); i++)
		(void)sigaddset(&mask, handled[i]);
	blocked = mask;
	for (size_t i = 0; i < PK_ARRAY_SIZE(ignored_by_blocking); i++)
		(void)sigaddset(&blocked, ignored_by_blocking[i]);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	manager->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (manager->signal_fd < 0)
		return error_set_errno(err, -errno, "cannot watch for signals");
	return loop_io_new(manager->loop, manager->signal_fd, LOOP_READ,
		manager_on_signal_fd, manager, &manager->signal_io);
}

/* PORTKEEPER_MANAGER_PID says who started us; is it not our parent any more, it is dead.
 */
static int
manager_watch_above(struct manager *manager, struct error *err)
{
	const char *text = getenv("PORTKEEPER_MANAGER_PID");
	pid_t above = text ? (pid_t)strtol(text, NULL, 10) : 0;

	if (above <= 0)
		return 0;
	manager->above_fd = sys_pidfd_open(above);
	if (manager->above_fd < 0 || getppid() != above)
		return error_set(err, -ESRCH, "'portkeeper run' has died already");
	return loop_io_new(manager->loop, manager->above_fd, LOOP_READ,
		manager_on_above_gone, manager, &manager->above_io);
}

/*
 * Its own limit goes up as far as it may; the programs get what it was, for `portkeeper
 * run`, too, which has raised its own before.
 */
static void
manager_raise_limits(struct manager *manager)
{
	const char *before = getenv("PORTKEEPER_NOFILE");
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return;
	manager->host.nofile = most;
	if (before)
		manager->host.nofile.rlim_cur = strtoul(before, NULL, 10);
	if (manager->host.nofile.rlim_cur > most.rlim_max)
		manager->host.nofile.rlim_cur = most.rlim_max;
	most.rlim_cur = most.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &most);
}

static int
manager_set_up(struct manager *manager, struct error *err)
{
	int r = loop_new(&manager->loop);

	if (r < 0)
		return error_set_errno(err, r, "cannot make the event loop");
	manager_raise_limits(manager);
	/* what the services leave behind comes to us: prctl(2); without it they would get
	 * away */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_set_errno(err, -errno, "cannot become a subreaper");
	(void)setpgid(
		0, 0); /* fails for a session leader, which is in a group of its own */
	r = manager_open_signals(manager, err);
	if (r >= 0)
		r = manager_watch_above(manager, err);
	if (r >= 0)
		r = notify_new(
			manager->loop, getenv("NOTIFY_SOCKET"), &manager->notify, err);
	if (r >= 0)
		r = store_new(manager->notify, &manager->store, err);
	if (r >= 0)
		r = child_table_new(manager_on_orphan, manager, &manager->children);
	if (r >= 0)
		r = listener_watch_new(
			manager->loop, manager_on_hangup, manager, &manager->watch);
	if (r >= 0)
		r = loop_timer_new(
			manager->loop, manager_on_retry, manager, &manager->retry_timer);
	if (r < 0 && err->code == 0)
		(void)error_set_errno(err, r, "cannot start");
	return r;
}

static void
manager_tear_down(struct manager *manager)
{
	(void)service_free(manager->service, manager->is_over);
	(void)loop_timer_free(manager->retry_timer);
	(void)listener_watch_free(manager->watch);
	(void)child_table_free(manager->children);
	(void)store_free(manager->store);
	(void)notify_free(manager->notify);
	(void)loop_io_free(manager->above_io);
	(void)pk_close(manager->above_fd);
	(void)loop_io_free(manager->signal_io);
	(void)pk_close(manager->signal_fd);
	(void)loop_free(manager->loop);
	(void)log_free(manager->log);
}

static void
manager_say_end(struct manager *manager)
{
	char text[64];

	(void)snprintf(
		text, sizeof(text), "STOPPING=1\nEXIT_STATUS=%d", manager->exit_status);
	if (manager->notify)
		(void)notify_send(manager->notify, text, NULL, 0);
}

int
manager_run(const struct unit *unit, const struct manager_options *options)
{
	struct manager manager = { .unit = unit,
		.options = options,
		.signal_fd = -1,
		.above_fd = -1,
		.is_successor = getenv("PORTKEEPER_SUCCESSOR") != NULL,
		.exit_status = MANAGER_EXIT_FAILED };
	struct error err = ERROR_NONE;

	if (log_new(options->log_format, options->log_level, &manager.log) < 0)
		return MANAGER_EXIT_FAILED;
	manager.host.process_group = options->process_group;
	if (manager_set_up(&manager, &err) >= 0) {
		manager.host.loop = manager.loop;
		manager.host.log = manager.log;
		manager.host.children = manager.children;
		manager.host.notify = manager.notify;
		manager.host.store = manager.store;
		manager.host.watch = manager.watch;
		manager.host.on_end = manager_on_service_end;
		manager.host.fetch_signals = manager_fetch_signals;
		manager.host.context = &manager;
		manager.host.siblings = getenv("PORTKEEPER_SIBLINGS");
		manager_first_try(&manager);
		if (!manager.is_over)
			(void)loop_run(manager.loop);
	} else {
		log_error_object(manager.log, LOG_LEVEL_ERROR, unit->name, &err);
	}
	/* a loop that failed under a service is no end: another portkeeperd goes on */
	if (manager.is_over || !manager.service)
		manager_say_end(&manager);
	manager_tear_down(&manager);
	return manager.exit_status;
}
