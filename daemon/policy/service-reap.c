/* SPDX-License-Identifier: MIT */
/*
 * service-reap: the part of service that carries ReapSec= out: a timer, only where the
 * directive is set, that looks at the half-closed connections of the held TCP ports.
 */
#include "policy/service-parts.h"

#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "mechanism/connection-reap.h"
#include "mechanism/listener.h"
#include "protocol/timespan.h"

#define SERVICE_REAP_PERIOD_MIN_USEC (USEC_PER_SEC / 4)
#define SERVICE_REAP_PERIOD_MAX_USEC (15 * USEC_PER_SEC)

/* A quarter of the limit, so that a connection lives a quarter longer at the most. */
static uint64_t
service_reap_period(uint64_t limit_usec)
{
	uint64_t period = limit_usec / 4;

	if (period < SERVICE_REAP_PERIOD_MIN_USEC)
		return SERVICE_REAP_PERIOD_MIN_USEC;
	return period > SERVICE_REAP_PERIOD_MAX_USEC ? SERVICE_REAP_PERIOD_MAX_USEC
						     : period;
}

void
service_reap_start(struct service *service)
{
	uint64_t base = service->unit->socket.reap_usec;

	if (base > 0 && base != USEC_INFINITY && service->n_listeners > 0)
		(void)loop_timer_set(service->reap_timer, service_reap_period(base));
}

/* Returns the limit that was applied, or 0 when it is of no use to go on. */
static uint64_t
service_reap_listener(struct service *service, const struct listener *listener)
{
	uint64_t base = service->unit->socket.reap_usec;
	struct connection_reap_result result;
	char span[48];
	int r;

	if (listener->address.type != SOCK_STREAM ||
		socket_address_port(&listener->address) == 0)
		return base;
	r = connection_reap(&listener->address, base, &result);
	if (r == -EPERM || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT) {
		log_line(service->host->log, LOG_LEVEL_WARNING, service->unit->name,
			"ReapSec= cannot end connections here (%s), ignoring it%s",
			strerror(-r), r == -EPERM ? "; it needs CAP_NET_ADMIN" : "");
		return 0;
	}
	if (result.n_ended > 0)
		log_line(service->host->log, LOG_LEVEL_NOTICE, service->unit->name,
			"ended %zu of %zu half-closed connections on %s that were quiet "
			"for %s",
			result.n_ended, result.n_found, listener->text,
			timespan_format(result.limit_usec, span, sizeof(span)));
	/* a failed look changes nothing: the next one comes */
	return r < 0 || result.limit_usec == 0 ? base : result.limit_usec;
}

void
service_on_reap(void *context)
{
	struct service *service = context;
	uint64_t shortest = USEC_INFINITY;

	for (size_t i = 0; i < service->n_listeners; i++) {
		uint64_t limit = service_reap_listener(service, service->listeners[i]);

		if (limit == 0)
			return;
		if (limit < shortest)
			shortest = limit;
	}
	(void)loop_timer_set(service->reap_timer, service_reap_period(shortest));
}
