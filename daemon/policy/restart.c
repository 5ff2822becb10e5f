/* SPDX-License-Identifier: MIT */
/* restart: see restart.h. */
#include "policy/restart.h"

#include <signal.h>

#include "base/sys.h"

const char *
service_result_name(enum service_result result)
{
	static const char *const names[SERVICE_RESULT_MAX] = {
		[SERVICE_RESULT_SUCCESS] = "success",
		[SERVICE_RESULT_EXIT_CODE] = "exit-code",
		[SERVICE_RESULT_SIGNAL] = "signal",
		[SERVICE_RESULT_CORE_DUMP] = "core-dump",
		[SERVICE_RESULT_TIMEOUT] = "timeout",
		[SERVICE_RESULT_RESOURCES] = "resources",
	};

	return names[result];
}

static bool
restart_set_has(const struct exit_set *set, const struct sys_exit *exit)
{
	if (exit->by_signal)
		return exit->status >= 1 && exit->status <= 64 &&
			(set->signals >> (exit->status - 1) & 1);
	return set->statuses[exit->status / 64 & 3] >> (exit->status % 64) & 1;
}

/* SIGHUP, SIGINT, SIGTERM and SIGPIPE are a clean end: systemd.service(5),
 * SuccessExitStatus=. */
static bool
restart_signal_is_clean(int signal)
{
	return signal == SIGHUP || signal == SIGINT || signal == SIGTERM ||
		signal == SIGPIPE;
}

enum service_result
restart_classify(const struct restart_spec *spec, const struct sys_exit *exit)
{
	if (restart_set_has(&spec->success, exit))
		return SERVICE_RESULT_SUCCESS;
	if (!exit->by_signal)
		return exit->status == 0 ? SERVICE_RESULT_SUCCESS
					 : SERVICE_RESULT_EXIT_CODE;
	if (restart_signal_is_clean(exit->status))
		return SERVICE_RESULT_SUCCESS;
	return exit->core_dumped ? SERVICE_RESULT_CORE_DUMP : SERVICE_RESULT_SIGNAL;
}

bool
restart_is_due(const struct restart_spec *spec, enum service_result result,
	const struct sys_exit *exit)
{
	bool abnormal = result == SERVICE_RESULT_SIGNAL ||
		result == SERVICE_RESULT_CORE_DUMP || result == SERVICE_RESULT_TIMEOUT;

	if (exit && restart_set_has(&spec->prevent, exit))
		return false;
	if (exit && restart_set_has(&spec->force, exit))
		return true;
	switch ((enum restart_mode)spec->mode) {
	case RESTART_NO:
	case RESTART_ON_WATCHDOG: /* there is no watchdog yet, so none can have fired */
	case RESTART_MODE_MAX:
		return false;
	case RESTART_ALWAYS:
		return true;
	case RESTART_ON_SUCCESS:
		return result == SERVICE_RESULT_SUCCESS;
	case RESTART_ON_FAILURE:
		return result != SERVICE_RESULT_SUCCESS;
	case RESTART_ON_ABNORMAL:
		return abnormal;
	case RESTART_ON_ABORT:
		return result == SERVICE_RESULT_SIGNAL ||
			result == SERVICE_RESULT_CORE_DUMP;
	}
	return false;
}
