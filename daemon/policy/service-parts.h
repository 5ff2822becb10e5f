/* SPDX-License-Identifier: MIT */
/*
 * service-parts: what the files of service call of each other; nobody else includes this.
 */
#pragma once

#include "policy/service.h"

/* ---- service-processes.c */

/* Starts the main process; raises SPAWN_FAILED when that fails. */
void service_spawn_main(struct service *service);
/* Runs commands one after the other, then raises COMMANDS_DONE. */
void service_run_commands(
	struct service *service, const struct exec_command *commands, size_t n_commands);
void service_kill_commands(struct service *service);
/* KillSignal= and SendSIGHUP=, by KillMode=. */
void service_signal_tree(struct service *service);
/* FinalKillSignal=, by KillMode=. */
void service_kill_tree(struct service *service);
/* Kills what must not live on beside the next main process. */
void service_kill_leftovers(struct service *service);
/* Raises TREE_EMPTY if nothing is left that the stop has to wait for. */
void service_check_tree(struct service *service);
void service_free_survivors(struct service *service);

/* ---- service-listeners.c */

void service_listeners_keep_queue(struct service *service);
/* Before a start: revived, repaired. */
void service_listeners_prepare(struct service *service);
/* After a start: looks at them again a little later. */
void service_listeners_settle(struct service *service);
/* WhileDown= */
void service_listeners_away(struct service *service);
unsigned service_listeners_waiting(const struct service *service);
void service_on_settle(void *context);

/* ---- service-reap.c */

void service_reap_start(struct service *service);
void service_on_reap(void *context);

/* ---- service-report.c */

void service_report_start(struct service *service);
void service_report_end(struct service *service);
void service_report_damage(
	struct service *service, struct listener *listener, int damage);
