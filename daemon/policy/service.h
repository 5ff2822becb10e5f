/* SPDX-License-Identifier: MIT */
/*
 * service: one unit at work: its held listeners, its processes, its state.
 *
 * What is wanted (`wanted`) is a field apart from what is (`state`). Everything that
 * happens comes in as an event; service_raise() looks it up in the table of service-fsm
 * and carries the actions out; service_set_state() is the only place where the state
 * changes. The listeners belong to the service from service_new() to service_free(),
 * whatever its processes do.
 *
 * The parts: service.c (events, states, decisions), service-processes.c (starting,
 * signalling, watching), service-listeners.c (what keeps the port in order),
 * service-reap.c (ReapSec=), service-report.c (words).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sys.h"
#include "config/unit.h"
#include "policy/backoff.h"
#include "policy/restart.h"
#include "policy/service-fsm.h"
#include "protocol/error.h"

struct cgroup;
struct child;
struct child_table;
struct listener;
struct listener_watch;
struct log;
struct loop;
struct loop_timer;
struct notify;
struct store;
struct service;
struct survivor;

typedef void (*service_end_fn)(struct service *service, void *context);

/* What the daemon lends to its services; all borrowed. */
struct service_host {
	struct loop *loop;
	struct log *log;
	struct child_table *children;
	struct notify *notify;
	struct store *store;
	struct listener_watch *watch;
	pid_t process_group;  /* that of a shared terminal's foreground; 0: none is shared
			       */
	struct rlimit nofile; /* what the programs get as RLIMIT_NOFILE */
	const char *siblings; /* a pid-list: children of the manager that are nobody's */
	pid_t survivors_root; /* below it are processes of a dead portkeeperd; 0: there
				 are none */
	service_end_fn on_end;
	void (*fetch_signals)(
		void *context); /* handles the signals that are pending, now */
	void *context;
};

#define SERVICE_EVENT_QUEUE 8

struct service {
	const struct unit *unit;   /* borrowed */
	struct service_host *host; /* borrowed */
	struct listener **listeners;
	size_t n_listeners;
	struct cgroup *cgroup; /* NULL: there is none delegated */

	enum service_state state;
	bool wanted;
	enum service_event events[SERVICE_EVENT_QUEUE]; /* raised, not yet handled */
	unsigned n_events;
	bool is_handling;

	struct child *main;
	struct child *command; /* of ExecStop= or ExecStopPost= */
	const struct exec_command *commands;
	size_t n_commands;
	size_t next_command;
	struct survivor *survivors; /* watched processes of a dead portkeeperd */

	struct sys_exit last_exit;
	bool has_exit;	    /* whether last_exit says anything */
	bool was_adopted;   /* what is ending now belonged to a dead portkeeperd */
	bool owes_report;   /* the end has not been logged yet */
	bool has_run;	    /* some main process has been started at least once */
	unsigned n_waiting; /* clients in the queues when it ended */
	enum service_result result;
	struct error spawn_error;
	uint64_t started_usec;
	uint64_t uptime_usec; /* of the process that ended last */
	uint64_t delay_usec;
	bool is_limited; /* the delay is the start limit's */
	unsigned n_restarts;
	struct backoff backoff;
	struct loop_timer *timer;	 /* the state's time-out */
	struct loop_timer *settle_timer; /* looks at the listeners soon after a start */
	unsigned settle_step;
	struct loop_timer *reap_timer; /* ReapSec= */
};

/*
 * Makes the service of `unit`, down, with `listeners` (taken over with the array, on
 * success only). Returns 0 or -ENOMEM.
 */
int service_new(const struct unit *unit, struct service_host *host,
	struct listener **listeners, size_t n_listeners, struct service **ret_service);
struct service *service_free(struct service *service, bool at_stop);

/* What a person or the manager wants. */
void service_start(struct service *service);
void service_stop(struct service *service);
void service_kill(struct service *service);

/* Ctrl-C: as service_stop(), but the program has been asked by the terminal already. */
void service_interrupt(struct service *service);

/* Ends what a dead portkeeperd's service left running, then starts. */
void service_adopt(struct service *service);

/* Passes a signal on to the main process; nothing if there is none. */
void service_signal_main(struct service *service, int signal);

/* Processes of the service may be gone: orphans were reaped. */
void service_on_tree_changed(struct service *service);

/* A held listener has hung up. */
void service_on_listener_hangup(struct service *service);

/* The exit status of the last main process as a shell tells it: 128+n for signal n. */
int service_exit_status(const struct service *service);

/* Handles `event` now, or after the one that is being handled. For the parts of service.
 */
void service_raise(struct service *service, enum service_event event);
