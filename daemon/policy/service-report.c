/* SPDX-License-Identifier: MIT */
/* service-report: the part of service that puts into words what happened: one line an
 * event. */
#include "policy/service-parts.h"

#include <string.h>

#include "base/log.h"
#include "mechanism/child.h"
#include "mechanism/listener.h"
#include "protocol/timespan.h"

/* "killed by SIGSEGV (core dumped)", "exited with status 1", ... */
static const char *
service_describe_end(const struct service *service, char *buffer, size_t size)
{
	const struct sys_exit *exit = &service->last_exit;
	const char *name;

	if (!service->has_exit)
		(void)snprintf(buffer, size, "%s%s%s", service->spawn_error.text,
			service->spawn_error.hint[0] ? "; " : "",
			service->spawn_error.hint);
	else if (!exit->by_signal)
		(void)snprintf(buffer, size, "exited with status %d", exit->status);
	else if ((name = sigabbrev_np(exit->status)))
		(void)snprintf(buffer, size, "killed by SIG%s%s", name,
			exit->core_dumped ? " (core dumped)" : "");
	else
		(void)snprintf(buffer, size, "killed by signal %d", exit->status);
	return buffer;
}

/* "; 14 clients are waiting", or nothing */
static const char *
service_describe_waiting(const struct service *service, char *buffer, size_t size)
{
	buffer[0] = '\0';
	if (service->n_waiting == 1)
		(void)snprintf(buffer, size, "; 1 client is waiting");
	else if (service->n_waiting > 1)
		(void)snprintf(
			buffer, size, "; %u clients are waiting", service->n_waiting);
	return buffer;
}

/* "; restart 3 in 40 ms", or what else comes next */
static const char *
service_describe_next(const struct service *service, char *buffer, size_t size)
{
	char delay[48];

	(void)timespan_format(service->delay_usec, delay, sizeof(delay));
	buffer[0] = '\0';
	if (service->main)
		(void)snprintf(buffer, size, "; restart %u at once, as pid %d",
			service->n_restarts, (int)child_pid(service->main));
	else if (!service->wanted)
		(void)snprintf(buffer, size, "; stopped");
	else if (service->delay_usec > 0)
		(void)snprintf(buffer, size, "; %srestart %u in %s",
			service->is_limited ? "too many starts, so " : "",
			service->n_restarts, delay);
	return buffer;
}

void
service_report_start(struct service *service)
{
	int pid = (int)child_pid(service->main);

	if (service->owes_report) {
		service_report_end(service);
		return;
	}
	log_line(service->host->log, LOG_LEVEL_INFO, service->unit->name,
		"%s %s as pid %d", service->n_restarts > 0 ? "restarted" : "started",
		service->unit->exec.main.path, pid);
}

void
service_report_end(struct service *service)
{
	char end[ERROR_TEXT_MAX + ERROR_HINT_MAX + 2], waiting[64], next[96],
		uptime[64] = "", span[48];
	bool is_failure = service->result != SERVICE_RESULT_SUCCESS;

	service->owes_report = false;
	if (service->has_exit) {
		(void)timespan_format(service->uptime_usec, span, sizeof(span));
		(void)snprintf(uptime, sizeof(uptime), " after %s", span);
	}
	log_line(service->host->log, is_failure ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
		service->unit->name, "%s%s%s%s",
		service_describe_end(service, end, sizeof(end)), uptime,
		service_describe_waiting(service, waiting, sizeof(waiting)),
		service_describe_next(service, next, sizeof(next)));
}

void
service_report_damage(struct service *service, struct listener *listener, int damage)
{
	struct log *log = service->host->log;
	const char *name = service->unit->name;

	if (damage & LISTENER_WAS_REPLACED)
		log_line(log, LOG_LEVEL_WARNING, name,
			"%s was shut down by the program, which is for good on a Unix "
			"socket: made anew, and served after a restart of the program",
			listener->text);
	else if (damage & LISTENER_WAS_SHUT_DOWN)
		log_line(log, LOG_LEVEL_WARNING, name,
			"%s was shut down by the program: listens again, clients that "
			"were waiting have been reset",
			listener->text);
	if (!(damage & LISTENER_QUEUE_WAS_SHORT))
		return;
	/* it will do so at every start: once is enough */
	log_line(log, listener->was_short ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, name,
		"the program shortened the queue of %s: put back to %u", listener->text,
		listener->queue_limit);
	listener->was_short = true;
}
