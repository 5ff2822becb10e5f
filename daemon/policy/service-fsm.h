/* SPDX-License-Identifier: MIT */
/*
 * service-fsm: the life of a service as data: [state][event] gives the next state and
 * what to do. Nothing here does anything; service.c does. ARCHITECTURE.md shows the table
 * as it is printed by service_fsm_print(), and a test compares the two.
 *
 * An empty cell means: that event changes nothing in that state.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum service_state {
	SERVICE_DOWN,	      /* nothing runs: not started yet, or ended for good */
	SERVICE_UP,	      /* the main process runs */
	SERVICE_JUDGING,      /* it died on a shared terminal: was that Ctrl-C? */
	SERVICE_CLEANING,     /* it died; what it left behind is being killed */
	SERVICE_STOP_GRACE,   /* the terminal has sent it SIGINT: it may end by itself */
	SERVICE_STOP_COMMAND, /* ExecStop= runs */
	SERVICE_STOP_SIGNAL,  /* KillSignal= was sent */
	SERVICE_STOP_KILL,    /* FinalKillSignal= was sent */
	SERVICE_STOP_POST,    /* ExecStopPost= runs */
	SERVICE_STOP_POST_KILL, /* and was killed, for it took too long */
	SERVICE_ENDED,		/* nothing runs; what is next is being decided */
	SERVICE_BACKOFF,	/* waits for its restart */
	SERVICE_PAUSED,		/* waits until the start limit allows one */
	SERVICE_STATE_MAX,
};

enum service_event {
	SERVICE_EVENT_START,	 /* somebody wants it up */
	SERVICE_EVENT_ADOPT,	 /* processes of an earlier portkeeperd are still there */
	SERVICE_EVENT_STOP,	 /* somebody wants it down, or restarted */
	SERVICE_EVENT_INTERRUPT, /* the same by Ctrl-C, which the program has got as well
				  */
	SERVICE_EVENT_KILL,	 /* somebody wants it down at once */
	SERVICE_EVENT_SPAWN_FAILED, /* the main process could not be started */
	SERVICE_EVENT_MAIN_EXITED,
	SERVICE_EVENT_MAIN_DOUBTFUL, /* it exited, and only the manager knows whether of
					Ctrl-C */
	SERVICE_EVENT_JUDGED,	     /* the manager has said all it had to say */
	SERVICE_EVENT_TREE_EMPTY,    /* no process of the service is left */
	SERVICE_EVENT_COMMANDS_DONE, /* the last command of ExecStop= or ExecStopPost=
					ended */
	SERVICE_EVENT_TIMEOUT,	     /* the state's timer */
	SERVICE_EVENT_RESTART_NOW,   /* decided in ENDED, as the three below */
	SERVICE_EVENT_RESTART_LATER,
	SERVICE_EVENT_RESTART_LIMITED,
	SERVICE_EVENT_REST,
	SERVICE_EVENT_MAX,
};

/* In the order in which they are carried out. */
enum service_action {
	ACT_ASK_MANAGER = 1 << 0,   /* a barrier: JUDGED */
	ACT_KEEP_QUEUE = 1 << 1,    /* put the accept queues back to their full length */
	ACT_KILL_COMMANDS = 1 << 2, /* FinalKillSignal= to a command that runs */
	ACT_SIGNAL = 1 << 3,	    /* KillSignal=, by KillMode= */
	ACT_KILL = 1 << 4,	    /* FinalKillSignal= to everything, by KillMode= */
	ACT_KILL_LEFTOVERS =
		1 << 5,	       /* the same to what is left when the main process died */
	ACT_RUN_STOP = 1 << 6, /* ExecStop= */
	ACT_RUN_STOP_POST = 1 << 7, /* ExecStopPost= */
	ACT_STOP_TIMER = 1 << 8,    /* TIMEOUT after TimeoutStopSec= */
	ACT_GRACE_TIMER = 1 << 9,   /* TIMEOUT after a short while */
	ACT_CHECK_TREE = 1 << 10,   /* TREE_EMPTY if it is */
	ACT_DECIDE = 1 << 11,	    /* one of the four events of ENDED */
	ACT_SPAWN = 1 << 12,
	ACT_DELAY_TIMER = 1 << 13, /* TIMEOUT when the restart is due */
	ACT_AWAY = 1 << 14,	   /* WhileDown= begins */
	ACT_REPORT_END = 1 << 15,  /* tell who waits that the service has ended */
};

#define SERVICE_N_ACTIONS 16

struct service_transition {
	bool is_set;
	enum service_state next;
	unsigned actions;
};

/* The cell, or NULL when it is empty. */
const struct service_transition *service_fsm_lookup(
	enum service_state state, enum service_event event);

const char *service_state_name(enum service_state state);
const char *service_event_name(enum service_event event);
const char *service_action_name(unsigned action); /* one bit */

/* Whether a process of the service may be running in this state. */
bool service_state_has_processes(enum service_state state);

/* The table as a list of lines "state + event -> next: actions", for ARCHITECTURE.md. */
void service_fsm_print(FILE *out);
