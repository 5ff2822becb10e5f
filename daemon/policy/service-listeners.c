/* SPDX-License-Identifier: MIT */
/*
 * service-listeners: the part of service that keeps its held listeners in order: before a
 * start, soon after it, when a child dies, and while nobody serves them.
 */
#include "policy/service-parts.h"

#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "mechanism/listener-watch.h"
#include "mechanism/listener.h"
#include "mechanism/store.h"
#include "protocol/timespan.h"

/*
 * A child that calls listen(fd, 5) shortens the queue of everybody, and the kernel tells
 * nobody. So it is looked at a few times while programs start, and not any more after
 * that.
 */
static const uint64_t service_settle_usec[] = { USEC_PER_SEC / 5, USEC_PER_SEC,
	5 * USEC_PER_SEC };

void
service_listeners_keep_queue(struct service *service)
{
	service->n_waiting = service_listeners_waiting(service);
	for (size_t i = 0; i < service->n_listeners; i++)
		(void)listener_restore_queue(service->listeners[i]);
}

unsigned
service_listeners_waiting(const struct service *service)
{
	unsigned sum = 0, waiting;

	for (size_t i = 0; i < service->n_listeners; i++)
		if (listener_queue(service->listeners[i], &waiting) >= 0)
			sum += waiting;
	return sum;
}

/* The manager keeps the old socket, which a successor could only throw away. */
static void
service_listener_store_again(struct service *service, struct listener *listener)
{
	int r = store_remove(service->host->store, listener->store_name);

	if (r >= 0)
		r = store_put(service->host->store, listener->store_name, listener->fd);
	if (r < 0)
		log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
			"cannot store %s: %s", listener->text, strerror(-r));
}

static void
service_listener_repair(
	struct service *service, struct listener *listener, bool before_start)
{
	int damage =
		listener_repair(listener, before_start, service->unit->exec.non_blocking);

	if (damage < 0) {
		log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
			"cannot repair %s: %s", listener->text, strerror(-damage));
		return;
	}
	if (damage & ~LISTENER_WAS_NONBLOCKING)
		service_report_damage(service, listener, damage);
	if (damage & (LISTENER_WAS_SHUT_DOWN | LISTENER_WAS_REPLACED))
		(void)listener_watch_add(service->host->watch, listener->fd);
	if (damage & LISTENER_WAS_REPLACED)
		service_listener_store_again(service, listener);
}

void
service_listeners_prepare(struct service *service)
{
	for (size_t i = 0; i < service->n_listeners; i++) {
		struct listener *listener = service->listeners[i];
		int r = listener_revive(listener);

		if (r < 0)
			log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
				"%s still refuses clients: %s", listener->text,
				strerror(-r));
		service_listener_repair(service, listener, true);
	}
}

void
service_listeners_settle(struct service *service)
{
	service->settle_step = 0;
	if (service->n_listeners > 0)
		(void)loop_timer_set(service->settle_timer, service_settle_usec[0]);
}

static void
service_listeners_look(struct service *service)
{
	for (size_t i = 0; i < service->n_listeners; i++)
		service_listener_repair(service, service->listeners[i], false);
}

void
service_on_settle(void *context)
{
	struct service *service = context;

	service_listeners_look(service);
	if (++service->settle_step < PK_ARRAY_SIZE(service_settle_usec))
		(void)loop_timer_set(service->settle_timer,
			service_settle_usec[service->settle_step] -
				service_settle_usec[service->settle_step - 1]);
}

void
service_on_listener_hangup(struct service *service)
{
	service_listeners_look(service);
}

void
service_listeners_away(struct service *service)
{
	if (service->unit->socket.while_down != WHILE_DOWN_REFUSE)
		return;
	for (size_t i = 0; i < service->n_listeners; i++) {
		int r = listener_refuse(service->listeners[i]);

		if (r < 0)
			log_line(service->host->log, LOG_LEVEL_ERROR, service->unit->name,
				"cannot refuse clients on %s: %s",
				service->listeners[i]->text, strerror(-r));
	}
}
