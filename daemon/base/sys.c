/* SPDX-License-Identifier: MIT */
/*
 * sys: see sys.h.
 *
 * The child is made by clone(CLONE_VM | CLONE_VFORK) on a stack of its own, as
 * posix_spawn() does it: no page table is copied, and the parent sleeps until execve(),
 * so the child may write into the parent's memory (LISTEN_PID, the failed step). It only
 * makes system calls. All signals are blocked around it, so that no handler of the parent
 * runs in the child, and CLONE_CLEAR_SIGHAND's work is done by hand: what is ignored
 * would stay ignored over execve() (signal(7)). The loader's cost, not ours, is what then
 * remains.
 */
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/cleanup.h"

#define SYS_STACK_SIZE (64 * 1024)
#define SYS_LISTEN_FDS_START 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446 /* linux/magic.h, since Linux 6.9 */
#endif

struct sys_birth {
	const struct sys_spawn *plan;
	int *moved; /* room for its listeners */
	int error;  /* negative errno of the step that failed, written by the child */
	const char *failed;
};

static char *
sys_append_number(char *p, uint64_t number)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		*p++ = digits[--n];
	*p = '\0';
	return p;
}

/*
 * LISTEN_PIDFDID= is the inode number of the process's pidfd, unique for the time that
 * the machine runs, where pidfds live on pidfs (Linux 6.9; sd_listen_fds(3) of systemd
 * 259).
 */
static void
sys_write_pidfdid(char *text)
{
	struct statfs fs;
	struct stat st;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (pidfd >= 0 && fstatfs(pidfd, &fs) == 0 && fs.f_type == PID_FS_MAGIC &&
		fstat(pidfd, &st) == 0)
		(void)sys_append_number(text + strlen(text), (uint64_t)st.st_ino);
	else
		text[0] = '\0'; /* "" in the environment is no variable */
	(void)pk_close(pidfd);
}

/* A number at or above RLIMIT_NOFILE is EINVAL to fcntl() and EBADF to dup2(): fcntl(2),
 * dup(2). */
static const char *
sys_place_failed(void)
{
	if (errno == EINVAL || errno == EBADF)
		errno = EMFILE;
	return "placing the listeners";
}

/* Puts the listeners at 3, 4, ...: first all of them out of the way, then each to its
 * place. */
static const char *
sys_place_listeners(const struct sys_spawn *plan, int *moved)
{
	int floor = SYS_LISTEN_FDS_START + (int)plan->n_listen_fds;

	/* its own limit comes later: the way to the last places needs twice the room */
	if (plan->nofile && plan->n_listen_fds > 0 &&
		(rlim_t)floor >= plan->nofile->rlim_cur) {
		errno = EMFILE;
		return "placing the listeners";
	}
	for (size_t i = 0; i < plan->n_listen_fds; i++) {
		moved[i] = plan->listen_fds[i];
		if (moved[i] < floor)
			moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, floor);
		if (moved[i] < 0)
			return sys_place_failed();
	}
	for (size_t i = 0; i < plan->n_listen_fds; i++)
		if (dup2(moved[i], SYS_LISTEN_FDS_START + (int)i) < 0)
			return sys_place_failed();
	return NULL;
}

/* Returns what failed, with errno set, or NULL. */
static const char *
sys_prepare_child(const struct sys_spawn *plan, int *moved)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	const char *failed;
	sigset_t none;

	if (plan->cgroup_fd >= 0 && write(plan->cgroup_fd, "0", 1) < 0)
		return "joining its cgroup";
	if (plan->process_group > 0 ? setpgid(0, plan->process_group) < 0 : setsid() < 0)
		return plan->process_group > 0 ? "setpgid" : "setsid";
	if (plan->umask != (mode_t)-1)
		(void)umask(plan->umask);
	if (plan->working_directory && chdir(plan->working_directory) < 0)
		return "chdir";
	failed = sys_place_listeners(plan, moved);
	if (failed)
		return failed;
	if (plan->nofile && setrlimit(RLIMIT_NOFILE, plan->nofile) < 0)
		return "setrlimit";
	if (plan->listen_pid_text)
		(void)sys_append_number(
			plan->listen_pid_text + strlen(plan->listen_pid_text),
			(uint64_t)getpid());
	if (plan->listen_pidfdid_text)
		sys_write_pidfdid(plan->listen_pidfdid_text);
	/* the only signals that portkeeperd ignores */
	(void)sigaction(SIGPIPE, &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return NULL;
}

static int
sys_child(void *context)
{
	struct sys_birth *birth = context;
	const struct sys_spawn *plan = birth->plan;

	birth->failed = sys_prepare_child(plan, birth->moved);
	if (!birth->failed) {
		(void)execve(plan->path, plan->argv, plan->envp);
		birth->failed = "execve";
	}
	birth->error = -errno;
	_exit(127);
}

int
sys_spawn(const struct sys_spawn *plan, pid_t *ret_pid, int *ret_pidfd,
	const char **ret_failed)
{
	/* for one child at a time: until it has executed its program, we do not run */
	static char stack[SYS_STACK_SIZE] __attribute__((aligned(16)));
	PK_FREE int *moved = calloc(plan->n_listen_fds + 1, sizeof(*moved));
	struct sys_birth birth = { .plan = plan, .moved = moved, .failed = "clone" };
	sigset_t all, before;
	int pidfd = -1, error;
	pid_t pid;

	*ret_failed = birth.failed;
	if (!moved)
		return -ENOMEM;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(sys_child, stack + SYS_STACK_SIZE,
		CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &birth, &pidfd);
	error = pid < 0 ? -errno : birth.error;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (error < 0) {
		*ret_failed = birth.failed;
		if (pid > 0)
			(void)waitpid(
				pid, NULL, 0); /* it is in _exit(): this does not wait */
		(void)pk_close(pidfd);
		return error;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

int
sys_wait_next(struct sys_exit *ret_exit)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	*ret_exit = (struct sys_exit){
		.pid = info.si_pid,
		.by_signal = info.si_code != CLD_EXITED,
		.status = info.si_status,
		.core_dumped = info.si_code == CLD_DUMPED,
	};
	return 1;
}

int
sys_pidfd_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int
sys_pidfd_open(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? -errno : pidfd;
}

/* Field 4 of /proc/PID/stat; the command in field 2 may contain anything, even ") ". */
static int
sys_parent_of(pid_t pid, pid_t *ret_parent)
{
	char path[64], text[512];
	PK_CLOSE int fd = -1;
	const char *end;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %d", ret_parent) != 1)
		return -EBADMSG;
	return 0;
}

/* Where the kernel lacks CONFIG_PROC_CHILDREN: all of /proc, asking each for its parent.
 */
static ssize_t
sys_children_by_scan(pid_t parent, pid_t *children, size_t max)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), its_parent;

		if (pid <= 0 || sys_parent_of(pid, &its_parent) < 0 ||
			its_parent != parent)
			continue;
		if (n < max)
			children[n] = pid;
		n++;
	}
	(void)closedir(proc);
	return (ssize_t)n;
}

/* Adds the children of one thread behind the `n` that are there; returns the new count.
 */
static ssize_t
sys_children_of_thread(pid_t pid, pid_t thread, pid_t *children, size_t max, size_t n)
{
	char path[96], text[4096];
	PK_CLOSE int fd = -1;
	pid_t number = 0;
	ssize_t got;

	(void)snprintf(
		path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((got = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				number = number * 10 + (text[i] - '0');
			} else if (number > 0) {
				if (n < max)
					children[n] = number;
				n++;
				number = 0;
			}
		}
	return got < 0 ? -errno : (ssize_t)n;
}

/*
 * Whether this process has no child at all. It is asked between a death and a restart,
 * while clients wait, and costs one system call where the file in /proc costs three and a
 * look-up.
 */
static bool
sys_is_childless(void)
{
	return waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 &&
		errno == ECHILD;
}

ssize_t
sys_children(pid_t parent, pid_t *children, size_t max)
{
	char path[64];
	struct dirent *entry;
	ssize_t n = 0;
	DIR *tasks;

	/* a process of one thread, portkeeperd above all, is asked without a directory
	 * scan */
	if (parent == getpid()) {
		if (sys_is_childless())
			return 0;
		n = sys_children_of_thread(parent, parent, children, max, 0);
		return n == -ENOENT ? sys_children_by_scan(parent, children, max) : n;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
	tasks = opendir(path);
	if (!tasks)
		return -errno;
	while (n >= 0 && (entry = readdir(tasks))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
		ssize_t r;

		if (thread <= 0)
			continue;
		r = sys_children_of_thread(parent, thread, children, max, (size_t)n);
		if (r == -ENOENT && thread == parent)
			n = sys_children_by_scan(parent, children, max);
		else if (r >= 0)
			n = r;
		if (r == -ENOENT && thread == parent)
			break;
	}
	(void)closedir(tasks);
	return n;
}

int
sys_signal_child(pid_t pid, pid_t parent, int signal)
{
	PK_CLOSE int pidfd = sys_pidfd_open(pid);
	pid_t its_parent;
	int r;

	if (pidfd < 0)
		return pidfd;
	/* after the pidfd is open the number cannot mean anybody else behind our back */
	r = sys_parent_of(pid, &its_parent);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return its_parent == parent ? sys_pidfd_signal(pidfd, signal) : -ESRCH;
}
