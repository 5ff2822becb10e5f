/* SPDX-License-Identifier: MIT */
/*
 * fake-sys: see fake-sys.h. A fake pidfd is the read end of a pipe: its inode number says
 * whose it is, whatever number dup() gave it, and it becomes readable when the process
 * ends, because then the write end is closed.
 */
#include "tests/unit/fake-sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "mechanism/process-holds.h"
#include "protocol/cleanup.h"

#define FAKE_SYS_MAX 4096
#define FAKE_SYS_SIGNALS 65

struct fake_process {
	pid_t pid;
	pid_t parent;
	bool is_alive; /* else a zombie */
	bool is_gone;  /* reaped */
	bool holds;
	uint64_t ignored; /* bit n: signal n */
	unsigned n_signals[FAKE_SYS_SIGNALS];
	struct sys_exit exit;
	char path[64];
	char *environment; /* NUL-terminated strings, one after the other, an empty one
			      last */
	ino_t inode;
	int read_end, write_end;
};

static struct fake_process fake_processes[FAKE_SYS_MAX];
static size_t fake_n_processes;
static unsigned fake_n_spawned;
static uint64_t fake_newborn_ignored;
static int fake_spawn_error;
static unsigned fake_n_failures;

void
fake_sys_reset(void)
{
	for (size_t i = 0; i < fake_n_processes; i++) {
		struct fake_process *process = &fake_processes[i];

		(void)pk_close(process->read_end);
		(void)pk_close(process->write_end);
		free(process->environment);
	}
	memset(fake_processes, 0, fake_n_processes * sizeof(fake_processes[0]));
	fake_n_processes = 0;
	fake_n_spawned = 0;
	fake_newborn_ignored = 0;
	fake_n_failures = 0;
}

static struct fake_process *
fake_find(pid_t pid)
{
	size_t i = (size_t)(pid - FAKE_SYS_FIRST_PID);

	return pid >= FAKE_SYS_FIRST_PID && i < fake_n_processes ? &fake_processes[i]
								 : NULL;
}

static struct fake_process *
fake_new(pid_t parent)
{
	struct fake_process *process = &fake_processes[fake_n_processes];
	struct stat st;
	int ends[2];

	if (fake_n_processes == FAKE_SYS_MAX || pipe2(ends, O_CLOEXEC) < 0 ||
		fstat(ends[0], &st) < 0)
		abort();
	process->pid = FAKE_SYS_FIRST_PID + (pid_t)fake_n_processes++;
	process->parent = parent;
	process->is_alive = true;
	process->inode = st.st_ino;
	process->read_end = ends[0];
	process->write_end = ends[1];
	return process;
}

static void
fake_end(struct fake_process *process, bool by_signal, int status, bool core_dumped)
{
	if (!process || !process->is_alive)
		return;
	process->is_alive = false;
	process->exit = (struct sys_exit){ .pid = process->pid,
		.by_signal = by_signal,
		.status = status,
		.core_dumped = core_dumped };
	process->write_end = pk_close(process->write_end);
	for (size_t i = 0; i < fake_n_processes; i++)
		if (fake_processes[i].parent == process->pid)
			fake_processes[i].parent = getpid();
}

static int
fake_signal(struct fake_process *process, int signal)
{
	if (!process || process->is_gone)
		return -ESRCH;
	process->n_signals[signal]++;
	process->n_signals[0]++;
	if (signal == 0 || signal == SIGCONT || signal == SIGCHLD)
		return 0;
	if (signal == SIGKILL || !(process->ignored >> signal & 1))
		fake_end(process, true, signal, false);
	return 0;
}

/* ---- sys.h */

static char *
fake_copy_environment(char *const *envp)
{
	size_t size = 1, at = 0;
	char *copy;

	for (size_t i = 0; envp[i]; i++)
		size += strlen(envp[i]) + 1;
	copy = calloc(1, size);
	if (!copy)
		abort();
	for (size_t i = 0; envp[i]; i++) {
		memcpy(copy + at, envp[i], strlen(envp[i]) + 1);
		if (envp[i][0] != '\0') /* an empty one would look like the end */
			at += strlen(envp[i]) + 1;
	}
	return copy;
}

int
sys_spawn(const struct sys_spawn *plan, pid_t *ret_pid, int *ret_pidfd,
	const char **ret_failed)
{
	struct fake_process *process;

	*ret_failed = "clone";
	if (fake_n_failures > 0) {
		fake_n_failures--;
		return fake_spawn_error;
	}
	process = fake_new(getpid());
	fake_n_spawned++;
	process->ignored = fake_newborn_ignored;
	(void)snprintf(process->path, sizeof(process->path), "%s", plan->path);
	process->environment = fake_copy_environment(plan->envp);
	*ret_pid = process->pid;
	*ret_pidfd = fcntl(process->read_end, F_DUPFD_CLOEXEC, 3);
	return *ret_pidfd < 0 ? -errno : 0;
}

/* In the order in which they were born, as the kernel goes through the list of children.
 */
int
sys_wait_next(struct sys_exit *ret_exit)
{
	for (size_t i = 0; i < fake_n_processes; i++) {
		struct fake_process *process = &fake_processes[i];

		if (process->is_alive || process->is_gone || process->parent != getpid())
			continue;
		process->is_gone = true;
		process->read_end = pk_close(process->read_end);
		*ret_exit = process->exit;
		return 1;
	}
	return 0;
}

int
sys_pidfd_signal(int pidfd, int signal)
{
	struct stat st;

	if (fstat(pidfd, &st) < 0)
		return -errno;
	for (size_t i = 0; i < fake_n_processes; i++)
		if (fake_processes[i].inode == st.st_ino && !fake_processes[i].is_gone)
			return fake_signal(&fake_processes[i], signal);
	return -ESRCH;
}

int
sys_pidfd_open(pid_t pid)
{
	const struct fake_process *process = fake_find(pid);
	int pidfd;

	if (!process || process->is_gone)
		return -ESRCH;
	pidfd = fcntl(process->read_end, F_DUPFD_CLOEXEC, 3);
	return pidfd < 0 ? -errno : pidfd;
}

ssize_t
sys_children(pid_t parent, pid_t *children, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < fake_n_processes; i++) {
		if (fake_processes[i].is_gone || fake_processes[i].parent != parent)
			continue;
		if (n < max)
			children[n] = fake_processes[i].pid;
		n++;
	}
	return (ssize_t)n;
}

int
sys_signal_child(pid_t pid, pid_t parent, int signal)
{
	struct fake_process *process = fake_find(pid);

	return process && process->parent == parent ? fake_signal(process, signal)
						    : -ESRCH;
}

/* ---- process-holds.h */

bool
process_holds_socket(pid_t pid, const ino_t *inodes, size_t n)
{
	const struct fake_process *process = fake_find(pid);

	(void)inodes;
	return n > 0 && process && process->is_alive && process->holds;
}

/* ---- what a test does with it */

void
fake_sys_fail_spawns(int error, unsigned n)
{
	fake_spawn_error = error;
	fake_n_failures = n;
}

void
fake_sys_newborn_ignores(int signal)
{
	fake_newborn_ignored |= UINT64_C(1) << signal;
}

unsigned
fake_sys_n_spawned(void)
{
	return fake_n_spawned;
}

pid_t
fake_sys_latest(void)
{
	return fake_n_processes > 0 ? fake_processes[fake_n_processes - 1].pid : 0;
}

pid_t
fake_sys_latest_of(const char *path)
{
	for (size_t i = fake_n_processes; i > 0; i--)
		if (strcmp(fake_processes[i - 1].path, path) == 0)
			return fake_processes[i - 1].pid;
	return 0;
}

const char *
fake_sys_environment(pid_t pid, const char *name)
{
	const struct fake_process *process = fake_find(pid);
	size_t n = strlen(name);

	if (!process || !process->environment)
		return NULL;
	for (const char *p = process->environment; *p; p += strlen(p) + 1)
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return p + n + 1;
	return NULL;
}

pid_t
fake_sys_fork(pid_t parent)
{
	return fake_new(parent ? parent : getpid())->pid;
}

void
fake_sys_ignore(pid_t pid, int signal)
{
	fake_find(pid)->ignored |= UINT64_C(1) << signal;
}

void
fake_sys_hold(pid_t pid)
{
	fake_find(pid)->holds = true;
}

void
fake_sys_exit(pid_t pid, int status)
{
	fake_end(fake_find(pid), false, status, false);
}

void
fake_sys_die(pid_t pid, int signal, bool dumps_core)
{
	fake_end(fake_find(pid), true, signal, dumps_core);
}

void
fake_sys_reap(pid_t pid)
{
	struct fake_process *process = fake_find(pid);

	process->is_gone = true;
	process->read_end = pk_close(process->read_end);
}

bool
fake_sys_is_alive(pid_t pid)
{
	const struct fake_process *process = fake_find(pid);

	return process && process->is_alive;
}

size_t
fake_sys_n_there(void)
{
	size_t n = 0;

	for (size_t i = 0; i < fake_n_processes; i++)
		if (!fake_processes[i].is_gone)
			n++;
	return n;
}

unsigned
fake_sys_n_signals(pid_t pid, int signal)
{
	const struct fake_process *process = fake_find(pid);

	return process ? process->n_signals[signal] : 0;
}
