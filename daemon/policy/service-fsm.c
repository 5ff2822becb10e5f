/* SPDX-License-Identifier: MIT */
/* service-fsm: see service-fsm.h. */
#include "policy/service-fsm.h"

#include <stddef.h>

#define GO(state, what) \
	{ \
		.is_set = true, .next = SERVICE_##state, .actions = (what) \
	}

/* clang-format off */
static const struct service_transition service_table[SERVICE_STATE_MAX][SERVICE_EVENT_MAX] = {
	[SERVICE_DOWN] = {
		[SERVICE_EVENT_START]           = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_ADOPT]           = GO(STOP_SIGNAL, ACT_KEEP_QUEUE | ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
	},
	[SERVICE_UP] = {
		[SERVICE_EVENT_STOP]            = GO(STOP_COMMAND, ACT_RUN_STOP | ACT_STOP_TIMER),
		[SERVICE_EVENT_INTERRUPT]       = GO(STOP_GRACE, ACT_GRACE_TIMER),
		[SERVICE_EVENT_KILL]            = GO(STOP_KILL, ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_SPAWN_FAILED]    = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_MAIN_EXITED]     = GO(CLEANING, ACT_KEEP_QUEUE | ACT_KILL_LEFTOVERS | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_MAIN_DOUBTFUL]   = GO(JUDGING, ACT_ASK_MANAGER | ACT_KEEP_QUEUE),
	},
	[SERVICE_JUDGING] = {
		[SERVICE_EVENT_JUDGED]          = GO(CLEANING, ACT_KILL_LEFTOVERS | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_STOP]            = GO(STOP_SIGNAL, ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_INTERRUPT]       = GO(STOP_SIGNAL, ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_KILL]            = GO(STOP_KILL, ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
	},
	[SERVICE_CLEANING] = {
		[SERVICE_EVENT_TREE_EMPTY]      = GO(STOP_POST, ACT_RUN_STOP_POST | ACT_STOP_TIMER),
		/* killed, but not gone: it hangs in the kernel and can accept no more; go on without it */
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_POST, ACT_RUN_STOP_POST | ACT_STOP_TIMER),
	},
	[SERVICE_STOP_GRACE] = {
		[SERVICE_EVENT_MAIN_EXITED]     = GO(STOP_SIGNAL, ACT_KEEP_QUEUE | ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_COMMAND, ACT_RUN_STOP | ACT_STOP_TIMER),
		[SERVICE_EVENT_STOP]            = GO(STOP_COMMAND, ACT_RUN_STOP | ACT_STOP_TIMER),
		[SERVICE_EVENT_KILL]            = GO(STOP_KILL, ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
	},
	[SERVICE_STOP_COMMAND] = {
		[SERVICE_EVENT_COMMANDS_DONE]   = GO(STOP_SIGNAL, ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_SIGNAL, ACT_KILL_COMMANDS | ACT_SIGNAL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_KILL]            = GO(STOP_KILL, ACT_KILL_COMMANDS | ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_MAIN_EXITED]     = GO(STOP_COMMAND, ACT_KEEP_QUEUE),
	},
	[SERVICE_STOP_SIGNAL] = {
		[SERVICE_EVENT_MAIN_EXITED]     = GO(STOP_SIGNAL, ACT_KEEP_QUEUE | ACT_CHECK_TREE),
		/* a command that was killed may be the last one to go */
		[SERVICE_EVENT_COMMANDS_DONE]   = GO(STOP_SIGNAL, ACT_CHECK_TREE),
		[SERVICE_EVENT_TREE_EMPTY]      = GO(STOP_POST, ACT_RUN_STOP_POST | ACT_STOP_TIMER),
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_KILL, ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
		[SERVICE_EVENT_KILL]            = GO(STOP_KILL, ACT_KILL | ACT_STOP_TIMER | ACT_CHECK_TREE),
	},
	[SERVICE_STOP_KILL] = {
		[SERVICE_EVENT_MAIN_EXITED]     = GO(STOP_KILL, ACT_KEEP_QUEUE | ACT_CHECK_TREE),
		[SERVICE_EVENT_COMMANDS_DONE]   = GO(STOP_KILL, ACT_CHECK_TREE),
		[SERVICE_EVENT_TREE_EMPTY]      = GO(STOP_POST, ACT_RUN_STOP_POST | ACT_STOP_TIMER),
		/* the same */
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_POST, ACT_RUN_STOP_POST | ACT_STOP_TIMER),
	},
	[SERVICE_STOP_POST] = {
		[SERVICE_EVENT_COMMANDS_DONE]   = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_TIMEOUT]         = GO(STOP_POST_KILL, ACT_KILL_COMMANDS | ACT_STOP_TIMER),
		[SERVICE_EVENT_KILL]            = GO(STOP_POST_KILL, ACT_KILL_COMMANDS | ACT_STOP_TIMER),
	},
	[SERVICE_STOP_POST_KILL] = {
		[SERVICE_EVENT_COMMANDS_DONE]   = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_TIMEOUT]         = GO(ENDED, ACT_DECIDE),
	},
	[SERVICE_ENDED] = {
		[SERVICE_EVENT_RESTART_NOW]     = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_RESTART_LATER]   = GO(BACKOFF, ACT_DELAY_TIMER | ACT_AWAY),
		[SERVICE_EVENT_RESTART_LIMITED] = GO(PAUSED, ACT_DELAY_TIMER | ACT_AWAY),
		[SERVICE_EVENT_REST]            = GO(DOWN, ACT_AWAY | ACT_REPORT_END),
	},
	[SERVICE_BACKOFF] = {
		[SERVICE_EVENT_TIMEOUT]         = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_START]           = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_STOP]            = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_INTERRUPT]       = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_KILL]            = GO(ENDED, ACT_DECIDE),
	},
	[SERVICE_PAUSED] = {
		[SERVICE_EVENT_TIMEOUT]         = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_START]           = GO(UP, ACT_SPAWN),
		[SERVICE_EVENT_STOP]            = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_INTERRUPT]       = GO(ENDED, ACT_DECIDE),
		[SERVICE_EVENT_KILL]            = GO(ENDED, ACT_DECIDE),
	},
};

static const char *const service_state_names[SERVICE_STATE_MAX] = {
	[SERVICE_DOWN] = "down",
	[SERVICE_UP] = "up",
	[SERVICE_JUDGING] = "judging",
	[SERVICE_CLEANING] = "cleaning",
	[SERVICE_STOP_GRACE] = "stop-grace",
	[SERVICE_STOP_COMMAND] = "stop-command",
	[SERVICE_STOP_SIGNAL] = "stop-signal",
	[SERVICE_STOP_KILL] = "stop-kill",
	[SERVICE_STOP_POST] = "stop-post",
	[SERVICE_STOP_POST_KILL] = "stop-post-kill",
	[SERVICE_ENDED] = "ended",
	[SERVICE_BACKOFF] = "backoff",
	[SERVICE_PAUSED] = "paused",
};

static const char *const service_event_names[SERVICE_EVENT_MAX] = {
	[SERVICE_EVENT_START] = "start",
	[SERVICE_EVENT_ADOPT] = "adopt",
	[SERVICE_EVENT_STOP] = "stop",
	[SERVICE_EVENT_INTERRUPT] = "interrupt",
	[SERVICE_EVENT_KILL] = "kill",
	[SERVICE_EVENT_SPAWN_FAILED] = "spawn-failed",
	[SERVICE_EVENT_MAIN_EXITED] = "main-exited",
	[SERVICE_EVENT_MAIN_DOUBTFUL] = "main-doubtful",
	[SERVICE_EVENT_JUDGED] = "judged",
	[SERVICE_EVENT_TREE_EMPTY] = "tree-empty",
	[SERVICE_EVENT_COMMANDS_DONE] = "commands-done",
	[SERVICE_EVENT_TIMEOUT] = "timeout",
	[SERVICE_EVENT_RESTART_NOW] = "restart-now",
	[SERVICE_EVENT_RESTART_LATER] = "restart-later",
	[SERVICE_EVENT_RESTART_LIMITED] = "restart-limited",
	[SERVICE_EVENT_REST] = "rest",
};

static const char *const service_action_names[SERVICE_N_ACTIONS] = {
	"ask-manager", "keep-queue", "kill-commands", "signal", "kill", "kill-leftovers",
	"run-stop", "run-stop-post", "stop-timer", "grace-timer", "check-tree", "decide", "spawn",
	"delay-timer", "away", "report-end",
};
/* clang-format on */

const struct service_transition *
service_fsm_lookup(enum service_state state, enum service_event event)
{
	const struct service_transition *cell = &service_table[state][event];

	return cell->is_set ? cell : NULL;
}

const char *
service_state_name(enum service_state state)
{
	return service_state_names[state];
}

const char *
service_event_name(enum service_event event)
{
	return service_event_names[event];
}

const char *
service_action_name(unsigned action)
{
	return service_action_names[__builtin_ctz(action)];
}

bool
service_state_has_processes(enum service_state state)
{
	switch (state) {
	case SERVICE_DOWN:
	case SERVICE_ENDED:
	case SERVICE_BACKOFF:
	case SERVICE_PAUSED:
		return false;
	case SERVICE_UP:
	case SERVICE_JUDGING:
	case SERVICE_CLEANING:
	case SERVICE_STOP_GRACE:
	case SERVICE_STOP_COMMAND:
	case SERVICE_STOP_SIGNAL:
	case SERVICE_STOP_KILL:
	case SERVICE_STOP_POST:
	case SERVICE_STOP_POST_KILL:
	case SERVICE_STATE_MAX:
		break;
	}
	return true;
}

void
service_fsm_print(FILE *out)
{
	for (unsigned state = 0; state < SERVICE_STATE_MAX; state++)
		for (unsigned event = 0; event < SERVICE_EVENT_MAX; event++) {
			const struct service_transition *cell = service_fsm_lookup(
				(enum service_state)state, (enum service_event)event);

			if (!cell)
				continue;
			(void)fprintf(out,
				"%-14s + %-15s -> %-14s :", service_state_names[state],
				service_event_names[event],
				service_state_names[cell->next]);
			for (unsigned i = 0; i < SERVICE_N_ACTIONS; i++)
				if (cell->actions & 1u << i)
					(void)fprintf(
						out, " %s", service_action_names[i]);
			(void)fputc('\n', out);
		}
}
