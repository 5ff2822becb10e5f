/* SPDX-License-Identifier: MIT */
/*
 * fake-sys: daemon/base/sys.h over a table of processes that do not exist, put in the
 * place of sys.o as fake-loop.h tells. The question which process holds a listener
 * (mechanism/process-holds.h) is answered out of the same table.
 *
 * A fake process dies of any signal that it does not ignore, SIGCONT and SIGCHLD apart;
 * its children then become children of this process, which is a subreaper here as
 * portkeeperd is. Their numbers are above the kernel's largest, so that no real process
 * is ever meant.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAKE_SYS_FIRST_PID 5000001

/* No process, no failure, the numbers from the start. */
void fake_sys_reset(void);

/* The next `n` spawns fail with `error` (negative errno). */
void fake_sys_fail_spawns(int error, unsigned n);

/* Processes that sys_spawn() makes from now on ignore `signal` (never SIGKILL). */
void fake_sys_newborn_ignores(int signal);

/* How many have been spawned; the number of the latest, or of the latest that ran `path`.
 */
unsigned fake_sys_n_spawned(void);
pid_t fake_sys_latest(void);
pid_t fake_sys_latest_of(const char *path);

/* The value of NAME in the environment that `pid` was spawned with, or NULL. */
const char *fake_sys_environment(pid_t pid, const char *name);

/* `parent` (0: this process) gets one more child, without sys_spawn(). */
pid_t fake_sys_fork(pid_t parent);
void fake_sys_ignore(pid_t pid, int signal);
/* `pid` has the held listeners open. */
void fake_sys_hold(pid_t pid);

/* The process ends: with an exit status, or of a signal. */
void fake_sys_exit(pid_t pid, int status);
void fake_sys_die(pid_t pid, int signal, bool dumps_core);

/* A zombie is reaped by somebody else than this process. */
void fake_sys_reap(pid_t pid);
bool fake_sys_is_alive(pid_t pid);
/* How many have not been reaped. */
size_t fake_sys_n_there(void);
/* How often `signal` was sent to `pid`; 0 for any signal. */
unsigned fake_sys_n_signals(pid_t pid, int signal);
