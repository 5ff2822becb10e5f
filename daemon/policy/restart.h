/* SPDX-License-Identifier: MIT */
/*
 * restart: whether an end of a service calls for a restart: the table of Restart= in
 * systemd.service(5), and the exit statuses that override it. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/spec.h"

/* How a service's main process came to its end. */
enum service_result {
	SERVICE_RESULT_SUCCESS, /* exit status 0, a clean signal, or SuccessExitStatus= */
	SERVICE_RESULT_EXIT_CODE, /* another exit status */
	SERVICE_RESULT_SIGNAL,
	SERVICE_RESULT_CORE_DUMP,
	SERVICE_RESULT_TIMEOUT,	  /* it had to be killed */
	SERVICE_RESULT_RESOURCES, /* it could not be started for want of something */
	SERVICE_RESULT_MAX,
};

struct sys_exit;

enum service_result restart_classify(
	const struct restart_spec *spec, const struct sys_exit *exit);

/* Whether `result` with `exit` (NULL: no process was there) is followed by a restart. */
bool restart_is_due(const struct restart_spec *spec, enum service_result result,
	const struct sys_exit *exit);

const char *service_result_name(enum service_result result);
