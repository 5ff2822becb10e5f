/* SPDX-License-Identifier: MIT */
/* service: see service.h. This file: events, states, decisions. */
#include "policy/service.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "mechanism/cgroup.h"
#include "mechanism/child.h"
#include "mechanism/listener.h"
#include "mechanism/notify.h"
#include "policy/service-parts.h"
#include "protocol/timespan.h"

/*
 * What a program does with Ctrl-C it does by itself (a Python program unwinds, a shell
 * waits): so long it is left alone before KillSignal= might cut it short.
 */
#define SERVICE_GRACE_USEC USEC_PER_SEC

static void
service_on_timer(void *context)
{
	service_raise(context, SERVICE_EVENT_TIMEOUT);
}

int
service_new(const struct unit *unit, struct service_host *host,
	struct listener **listeners, size_t n_listeners, struct service **ret_service)
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service)
		return -ENOMEM;
	service->unit = unit;
	service->host = host;
	if (loop_timer_new(host->loop, service_on_timer, service, &service->timer) < 0 ||
		loop_timer_new(host->loop, service_on_settle, service,
			&service->settle_timer) < 0 ||
		loop_timer_new(
			host->loop, service_on_reap, service, &service->reap_timer) < 0) {
		(void)service_free(service, false);
		return -ENOMEM;
	}
	service->listeners = listeners;
	service->n_listeners = n_listeners;
	service_reap_start(service);
	*ret_service = service;
	return 0;
}

struct service *
service_free(struct service *service, bool at_stop)
{
	if (!service)
		return NULL;
	for (size_t i = 0; i < service->n_listeners; i++)
		(void)listener_free(service->listeners[i], at_stop);
	free(service->listeners);
	(void)child_free(service->main);
	(void)child_free(service->command);
	service_free_survivors(service);
	(void)cgroup_free(service->cgroup);
	(void)loop_timer_free(service->timer);
	(void)loop_timer_free(service->settle_timer);
	(void)loop_timer_free(service->reap_timer);
	free(service);
	return NULL;
}

/* The choke point: whatever a new state must not inherit from the old one ends here. */
static void
service_set_state(struct service *service, enum service_state next)
{
	/* the main process's end within a stop ends no time-out */
	if (service->state == next)
		return;
	log_line(service->host->log, LOG_LEVEL_DEBUG, service->unit->name,
		"changed %s -> %s", service_state_name(service->state),
		service_state_name(next));
	service->state = next;
	loop_timer_clear(service->timer);
	if (next != SERVICE_UP)
		loop_timer_clear(service->settle_timer);
}

static void
service_arm(struct service *service, uint64_t delay_usec)
{
	if (delay_usec == USEC_INFINITY)
		return;
	if (loop_timer_set(service->timer, delay_usec) < 0)
		log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
			"no memory for a timer: waits without a time-out");
}

/*
 * How long until the next start: 0 at once. The counts of it are made here, so this is
 * asked once for each end.
 */
static enum service_event
service_decide_delay(struct service *service)
{
	const struct restart_spec *spec = &service->unit->restart;
	uint64_t pause = backoff_pause(&service->backoff, spec, clock_monotonic_usec());
	uint64_t delay =
		backoff_next_delay(&service->backoff, spec, service->uptime_usec);

	delay += clock_jitter_usec(backoff_jitter_limit(spec, delay));
	service->n_restarts++;
	service->delay_usec = pause > delay ? pause : delay;
	service->is_limited = pause > delay;
	if (service->is_limited)
		return SERVICE_EVENT_RESTART_LIMITED;
	return delay > 0 ? SERVICE_EVENT_RESTART_LATER : SERVICE_EVENT_RESTART_NOW;
}

static enum service_event
service_decide(struct service *service)
{
	const struct sys_exit *exit = service->has_exit ? &service->last_exit : NULL;

	if (!service->wanted)
		return SERVICE_EVENT_REST;
	if (service->was_adopted) {
		service->was_adopted = false;
		return SERVICE_EVENT_RESTART_NOW;
	}
	/* what is short now will not be for ever, and the port is held meanwhile; only a
	 * limit of our own that leaves no room for the very first start stays what it is
	 */
	if (service->result == SERVICE_RESULT_RESOURCES &&
		(service->has_run || service->spawn_error.code != -EMFILE))
		return service_decide_delay(service);
	/* what could never be started was mistyped: waiting does not help */
	if (!service->has_run && service->spawn_error.code < 0)
		return SERVICE_EVENT_REST;
	if (!restart_is_due(&service->unit->restart, service->result, exit))
		return SERVICE_EVENT_REST;
	return service_decide_delay(service);
}

/* What the manager had to say is a signal: it is there, but may be behind us in the loop.
 */
static void
service_on_judged(void *context)
{
	struct service *service = context;

	service->host->fetch_signals(service->host->context);
	service_raise(service, SERVICE_EVENT_JUDGED);
}

static void
service_ask_manager(struct service *service)
{
	if (notify_barrier(service->host->notify, service_on_judged, service) < 0)
		service_raise(service, SERVICE_EVENT_JUDGED);
}

static void
service_do_decide(struct service *service)
{
	enum service_event decision;

	service->delay_usec = 0;
	decision = service_decide(service);
	/* a restart at once comes first; its report follows when the child is on its way
	 */
	if (service->owes_report && decision != SERVICE_EVENT_RESTART_NOW)
		service_report_end(service);
	else if (!service->wanted)
		log_line(service->host->log, LOG_LEVEL_NOTICE, service->unit->name,
			"stopped while it waited for its restart");
	service_raise(service, decision);
}

/* Carries out the bits of `actions` in the order of enum service_action. */
static void
service_act(struct service *service, unsigned actions)
{
	const struct exec_spec *exec = &service->unit->exec;

	if (actions & ACT_ASK_MANAGER)
		service_ask_manager(service);
	if (actions & ACT_KEEP_QUEUE)
		service_listeners_keep_queue(service);
	if (actions & ACT_KILL_COMMANDS)
		service_kill_commands(service);
	if (actions & ACT_SIGNAL)
		service_signal_tree(service);
	if (actions & ACT_KILL)
		service_kill_tree(service);
	if (actions & ACT_KILL_LEFTOVERS)
		service_kill_leftovers(service);
	if (actions & ACT_RUN_STOP)
		service_run_commands(service, exec->stop, exec->n_stop);
	if (actions & ACT_RUN_STOP_POST)
		service_run_commands(service, exec->stop_post, exec->n_stop_post);
	if (actions & ACT_STOP_TIMER)
		service_arm(service, service->unit->kill.timeout_stop_usec);
	if (actions & ACT_GRACE_TIMER)
		service_arm(service, SERVICE_GRACE_USEC);
	if (actions & ACT_CHECK_TREE)
		service_check_tree(service);
	if (actions & ACT_DECIDE)
		service_do_decide(service);
	if (actions & ACT_SPAWN)
		service_spawn_main(service);
	if (actions & ACT_DELAY_TIMER)
		service_arm(service, service->delay_usec);
	if (actions & ACT_AWAY)
		service_listeners_away(service);
	if (actions & ACT_REPORT_END)
		service->host->on_end(service, service->host->context);
}

void
service_raise(struct service *service, enum service_event event)
{
	if (service->n_events == SERVICE_EVENT_QUEUE) {
		/* cannot be: an action raises one event at the most */
		log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
			"too many events at once, '%s' is lost",
			service_event_name(event));
		return;
	}
	service->events[service->n_events++] = event;
	if (service->is_handling)
		return;
	service->is_handling = true;
	while (service->n_events > 0) {
		enum service_event next = service->events[0];
		const struct service_transition *cell =
			service_fsm_lookup(service->state, next);

		service->n_events--;
		memmove(service->events, service->events + 1,
			service->n_events * sizeof(service->events[0]));
		if (!cell) {
			log_line(service->host->log, LOG_LEVEL_DEBUG, service->unit->name,
				"'%s' changes nothing in state %s",
				service_event_name(next),
				service_state_name(service->state));
			continue;
		}
		if (next == SERVICE_EVENT_TIMEOUT && cell->next == SERVICE_STOP_KILL)
			service->result = SERVICE_RESULT_TIMEOUT;
		service_set_state(service, cell->next);
		service_act(service, cell->actions);
	}
	service->is_handling = false;
}

void
service_start(struct service *service)
{
	service->wanted = true;
	backoff_reset(&service->backoff);
	service_raise(service, SERVICE_EVENT_START);
}

void
service_stop(struct service *service)
{
	service->wanted = false;
	service_raise(service, SERVICE_EVENT_STOP);
}

void
service_kill(struct service *service)
{
	service->wanted = false;
	service_raise(service, SERVICE_EVENT_KILL);
}

void
service_interrupt(struct service *service)
{
	service->wanted = false;
	service_raise(service, SERVICE_EVENT_INTERRUPT);
}

void
service_adopt(struct service *service)
{
	service->wanted = true;
	service->was_adopted = true;
	log_line(service->host->log, LOG_LEVEL_WARNING, service->unit->name,
		"ends the processes of the portkeeperd that died, then starts anew; "
		"the port stays held");
	service_raise(service, SERVICE_EVENT_ADOPT);
}

int
service_exit_status(const struct service *service)
{
	if (service->result == SERVICE_RESULT_RESOURCES)
		return 125;
	if (service->spawn_error.code < 0)
		return service->spawn_error.code == -ENOENT ? 127 : 126;
	if (!service->has_exit)
		return 0;
	return service->last_exit.by_signal ? 128 + service->last_exit.status
					    : service->last_exit.status;
}
