/* SPDX-License-Identifier: MIT */
/* portkeeperd: options, and one call. */
#include "config.h"

#include "base/log.h"
#include "config/unit.h"
#include "policy/manager.h"
#include "surface/options.h"

static int
main_exit_status(int code)
{
	if (code == -ENOENT)
		return MANAGER_EXIT_NOT_FOUND;
	return code == -EACCES ? MANAGER_EXIT_NOT_EXECUTABLE : MANAGER_EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	struct manager_options options = { .log_level = LOG_LEVEL_INFO };
	struct error err = ERROR_NONE;
	struct unit *unit = NULL;
	struct log *log = NULL;
	int r = options_parse(argc, argv, &unit, &options, &err);

	if (r > 0)
		return 0;
	if (r < 0) {
		if (log_new(options.log_format, LOG_LEVEL_ERROR, &log) >= 0)
			log_error_object(log, LOG_LEVEL_ERROR, NULL, &err);
		(void)log_free(log);
		return main_exit_status(r);
	}
	r = manager_run(unit, &options);
	(void)unit_free(unit);
	return r;
}
