/* SPDX-License-Identifier: MIT */
/*
 * service-processes: the part of service that starts, signals and watches its processes.
 *
 * All processes that hang below this process belong to the service (there is one service
 * per daemon so far), and so do those below the manager after an earlier portkeeperd
 * died: they are no children of ours, so each is watched by a pidfd (struct survivor).
 */
#include "policy/service-parts.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "mechanism/cgroup.h"
#include "mechanism/child.h"
#include "mechanism/listener.h"
#include "mechanism/process-holds.h"
#include "mechanism/process-tree.h"
#include "mechanism/spawn.h"
#include "protocol/pid-list.h"

struct survivor {
	struct survivor *next;
	struct service *service;
	pid_t pid;
	int pidfd;
	struct loop_io *io;
};

/* ---- the main process */

/*
 * On a shared terminal the program gets Ctrl-C from the kernel at the same time as the
 * manager, and may be dead before the manager's word is here. Only ends that Ctrl-C can
 * cause are in doubt.
 */
static bool
service_end_is_doubtful(const struct service *service, const struct sys_exit *exit)
{
	if (service->host->process_group == 0)
		return false;
	return !exit->by_signal || exit->status == SIGINT || exit->status == SIGQUIT ||
		exit->status == SIGTERM || exit->status == SIGHUP;
}

static void
service_on_main_exit(struct child *child, const struct sys_exit *exit, void *context)
{
	struct service *service = context;

	service->last_exit = *exit;
	service->has_exit = true;
	service->owes_report = true;
	service->uptime_usec = clock_monotonic_usec() - service->started_usec;
	if (service->result != SERVICE_RESULT_TIMEOUT)
		service->result = restart_classify(&service->unit->restart, exit);
	service->main = child_free(child);
	if (service->state == SERVICE_UP && service_end_is_doubtful(service, exit))
		service_raise(service, SERVICE_EVENT_MAIN_DOUBTFUL);
	else
		service_raise(service, SERVICE_EVENT_MAIN_EXITED);
}

static const char *
service_fd_name(const struct service *service, size_t i)
{
	const struct listen_spec *spec = service->listeners[i]->spec;

	if (spec->fd_name)
		return spec->fd_name;
	return service->unit->socket.fd_name ? service->unit->socket.fd_name
					     : service->unit->name;
}

static int
service_start_main(struct service *service, struct error *err)
{
	size_t n = service->n_listeners;
	PK_FREE int *fds = calloc(n + 1, sizeof(*fds));
	PK_FREE const char **names = calloc(n + 1, sizeof(*names));
	struct spawn_request request = {
		.exec = &service->unit->exec,
		.command = &service->unit->exec.main,
		.n_fds = n,
		.process_group = service->host->process_group,
		.cgroup_fd = cgroup_procs_fd(service->cgroup),
		.nofile = &service->host->nofile,
	};

	if (!fds || !names)
		return error_set(err, -ENOMEM, "no memory to start the program");
	for (size_t i = 0; i < n; i++) {
		fds[i] = service->listeners[i]->fd;
		names[i] = service_fd_name(service, i);
	}
	request.fds = fds;
	request.fd_names = names;
	return spawn_command(service->host->children, &request, service_on_main_exit,
		service, &service->main, err);
}

void
service_spawn_main(struct service *service)
{
	int r;

	service_listeners_prepare(service);
	service->started_usec = clock_monotonic_usec();
	backoff_on_start(&service->backoff, service->started_usec);
	r = service_start_main(service, &service->spawn_error);
	if (r < 0) {
		if (service->owes_report)
			service_report_end(service);
		service->has_exit = false;
		service->owes_report = true;
		service->uptime_usec = 0;
		service->result = spawn_error_is_shortage(r) ? SERVICE_RESULT_RESOURCES
							     : SERVICE_RESULT_EXIT_CODE;
		service_raise(service, SERVICE_EVENT_SPAWN_FAILED);
		return;
	}
	service->spawn_error.code = 0;
	service->has_run = true;
	service_report_start(service);
	service->result = SERVICE_RESULT_SUCCESS;
	service_listeners_settle(service);
}

void
service_signal_main(struct service *service, int signal)
{
	if (service->main)
		(void)child_signal(service->main, signal);
}

/* ---- ExecStop=, ExecStopPost= */

static void service_run_next_command(struct service *service);

static void
service_on_command_exit(struct child *child, const struct sys_exit *exit, void *context)
{
	struct service *service = context;
	const struct exec_command *command =
		&service->commands[service->next_command - 1];

	service->command = child_free(child);
	if ((exit->by_signal || exit->status != 0) && !command->ignore_failure) {
		log_line(service->host->log, LOG_LEVEL_WARNING, service->unit->name,
			"'%s' %s %d, the commands after it are left out", command->path,
			exit->by_signal ? "was killed by signal" : "exited with status",
			exit->status);
		service->next_command = service->n_commands;
	}
	service_run_next_command(service);
}

static int
service_start_command(
	struct service *service, const struct exec_command *command, struct error *err)
{
	char main_pid[32] = "MAINPID=", result[48];
	const char *environment[] = { main_pid, result, NULL };
	struct spawn_request request = {
		.exec = &service->unit->exec,
		.command = command,
		.environment = environment,
		.process_group = service->host->process_group,
		.cgroup_fd = cgroup_procs_fd(service->cgroup),
		.nofile = &service->host->nofile,
	};

	if (service->main)
		(void)snprintf(main_pid, sizeof(main_pid), "MAINPID=%d",
			(int)child_pid(service->main));
	(void)snprintf(result, sizeof(result), "SERVICE_RESULT=%s",
		service_result_name(service->result));
	return spawn_command(service->host->children, &request, service_on_command_exit,
		service, &service->command, err);
}

static void
service_run_next_command(struct service *service)
{
	struct error err = ERROR_NONE;

	while (service->next_command < service->n_commands) {
		const struct exec_command *command =
			&service->commands[service->next_command++];

		if (service_start_command(service, command, &err) >= 0)
			return;
		log_error_object(
			service->host->log, LOG_LEVEL_WARNING, service->unit->name, &err);
	}
	service_raise(service, SERVICE_EVENT_COMMANDS_DONE);
}

void
service_run_commands(
	struct service *service, const struct exec_command *commands, size_t n_commands)
{
	service->commands = commands;
	service->n_commands = n_commands;
	service->next_command = 0;
	service_run_next_command(service);
}

void
service_kill_commands(struct service *service)
{
	service->next_command = service->n_commands;
	if (service->command)
		(void)child_signal(service->command, service->unit->kill.final_signal);
}

/* ---- the tree */

struct service_walk {
	struct service *service;
	bool pass_main;	   /* leave the main process alone */
	bool holders_only; /* take those that have a held listener */
	bool watch;	   /* what is found is no child of ours */
	ino_t *inodes;
};

static void
service_on_survivor_exit(int fd, void *context)
{
	struct survivor *survivor = context;
	struct service *service = survivor->service;
	struct survivor **link = &service->survivors;

	(void)fd;
	while (*link != survivor)
		link = &(*link)->next;
	*link = survivor->next;
	(void)loop_io_free(survivor->io);
	(void)pk_close(survivor->pidfd);
	free(survivor);
	service_on_tree_changed(service);
}

/*
 * Whether there is something to wait for: false for a process that has ended, also when
 * the manager has not reaped it yet. Out of descriptors or memory it is waited for all
 * the same, then by the state's time-out.
 */
static bool
service_watch_survivor(struct service *service, pid_t pid)
{
	struct survivor *survivor;
	struct pollfd probe = { .events = POLLIN };

	for (survivor = service->survivors; survivor; survivor = survivor->next)
		if (survivor->pid == pid)
			return true;
	probe.fd = sys_pidfd_open(pid);
	if (probe.fd == -ESRCH)
		return false;
	/* a pidfd is readable when its process has ended: pidfd_open(2) */
	if (probe.fd >= 0 && poll(&probe, 1, 0) > 0) {
		(void)pk_close(probe.fd);
		return false;
	}
	survivor = calloc(1, sizeof(*survivor));
	if (!survivor || probe.fd < 0) {
		free(survivor);
		(void)pk_close(probe.fd);
		return true;
	}
	survivor->service = service;
	survivor->pid = pid;
	survivor->pidfd = probe.fd;
	if (loop_io_new(service->host->loop, survivor->pidfd, LOOP_READ,
		    service_on_survivor_exit, survivor, &survivor->io) < 0) {
		(void)pk_close(survivor->pidfd);
		free(survivor);
		return true;
	}
	survivor->next = service->survivors;
	service->survivors = survivor;
	return true;
}

void
service_free_survivors(struct service *service)
{
	struct survivor *survivor;

	while ((survivor = service->survivors)) {
		service->survivors = survivor->next;
		(void)loop_io_free(survivor->io);
		(void)pk_close(survivor->pidfd);
		free(survivor);
	}
}

static enum process_tree_choice
service_choose(pid_t pid, void *context)
{
	struct service_walk *walk = context;
	struct service *service = walk->service;

	if (pid == getpid() ||
		(walk->watch && pid_list_has(service->host->siblings, pid)))
		return PROCESS_TREE_SKIP;
	if (walk->pass_main && service->main && pid == child_pid(service->main))
		return PROCESS_TREE_PASS;
	if (walk->holders_only &&
		!process_holds_socket(pid, walk->inodes, service->n_listeners))
		return PROCESS_TREE_PASS;
	if (walk->watch && !service_watch_survivor(service, pid))
		return PROCESS_TREE_PASS;
	return PROCESS_TREE_TAKE;
}

static ino_t *
service_listener_inodes(const struct service *service)
{
	ino_t *inodes = calloc(service->n_listeners + 1, sizeof(*inodes));
	struct stat st;

	for (size_t i = 0; inodes && i < service->n_listeners; i++)
		if (fstat(service->listeners[i]->fd, &st) == 0)
			inodes[i] = st.st_ino;
	return inodes;
}

/* Signals (0: counts) below this process, and below the manager while survivors are
 * there. */
static size_t
service_walk_tree(struct service *service, int signal, bool pass_main, bool holders_only)
{
	struct service_walk walk = {
		.service = service, .pass_main = pass_main, .holders_only = holders_only
	};
	PK_FREE ino_t *inodes = holders_only ? service_listener_inodes(service) : NULL;
	ssize_t ours, survivors = 0;

	if (holders_only && !inodes)
		walk.holders_only = false;
	walk.inodes = inodes;
	/* where there is a cgroup, no fork can outrun it; the walk then only counts the
	 * dead */
	if (signal == SIGKILL && !holders_only)
		(void)cgroup_kill(service->cgroup);
	ours = process_tree_signal(getpid(), signal, service_choose, &walk);
	if (service->host->survivors_root > 0) {
		walk.watch = true;
		survivors = process_tree_signal(
			service->host->survivors_root, signal, service_choose, &walk);
	}
	return (ours > 0 ? (size_t)ours : 0) + (survivors > 0 ? (size_t)survivors : 0);
}

/* Whether KillMode= means more than the main process. */
static bool
service_kills_all(const struct service *service)
{
	int mode = service->unit->kill.mode;

	return mode == KILL_MODE_CONTROL_GROUP || mode == KILL_MODE_MIXED;
}

static void
service_signal_everybody(struct service *service, int signal)
{
	bool all = service->unit->kill.mode == KILL_MODE_CONTROL_GROUP ||
		service->was_adopted;

	if (service->unit->kill.mode == KILL_MODE_NONE && !service->was_adopted)
		return;
	/* the main process first: a master that sees its workers die would replace them
	 */
	service_signal_main(service, signal);
	if (all)
		(void)service_walk_tree(service, signal, true, false);
}

void
service_signal_tree(struct service *service)
{
	const struct kill_spec *kill = &service->unit->kill;

	service_signal_everybody(service, kill->signal);
	if (kill->send_sighup)
		service_signal_everybody(service, SIGHUP);
	/* a stopped process can only act on a signal when it runs again: systemd.kill(5)
	 */
	if (kill->signal != SIGKILL && kill->signal != SIGCONT)
		service_signal_everybody(service, SIGCONT);
}

void
service_kill_tree(struct service *service)
{
	const struct kill_spec *kill = &service->unit->kill;

	if (!kill->send_sigkill)
		return;
	if (service_kills_all(service) || service->was_adopted)
		(void)service_walk_tree(service, kill->final_signal, false, false);
	else if (kill->mode == KILL_MODE_PROCESS)
		service_signal_main(service, kill->final_signal);
}

/*
 * What the dead main process has left: all of it, or with KillMode=process and none those
 * that hold a listener. For these would go on accepting beside the next main process.
 */
void
service_kill_leftovers(struct service *service)
{
	(void)service_walk_tree(service, service->unit->kill.final_signal, false,
		!service_kills_all(service));
}

/*
 * Whether what is left gets FinalKillSignal= by now: after a crash always, for it must
 * not live on beside the next main process; in a stop when its time is over, and with
 * KillMode=mixed as soon as the main process has ended: systemd.kill(5).
 */
static bool
service_kills_the_rest(const struct service *service)
{
	const struct kill_spec *kill = &service->unit->kill;

	if (service->state == SERVICE_CLEANING)
		return true;
	if (!kill->send_sigkill || kill->mode == KILL_MODE_NONE)
		return false;
	return service->state == SERVICE_STOP_KILL || kill->mode == KILL_MODE_MIXED;
}

void
service_check_tree(struct service *service)
{
	bool holders_only = !service_kills_all(service) && !service->was_adopted;
	int signal =
		service_kills_the_rest(service) ? service->unit->kill.final_signal : 0;
	size_t left = 0;

	if (service->main || service->command)
		return;
	/* with KillMode=process what does not accept beside the next one may live on */
	if (!holders_only || service->wanted)
		left = service_walk_tree(service, signal, false, holders_only);
	/* a survivor may have changed its parent between two looks, or lost its manager
	 */
	if (left > 0 || service->survivors)
		return;
	service->host->survivors_root = 0;
	service_raise(service, SERVICE_EVENT_TREE_EMPTY);
}

void
service_on_tree_changed(struct service *service)
{
	if (service->state == SERVICE_CLEANING || service->state == SERVICE_STOP_SIGNAL ||
		service->state == SERVICE_STOP_KILL)
		service_check_tree(service);
}
