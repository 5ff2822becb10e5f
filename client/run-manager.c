/* SPDX-License-Identifier: MIT */
/*
 * run-manager: the loop of `portkeeper run`: two descriptors (signals, and the socket
 * that portkeeperd notifies), poll(2), and no timer but the one between two starts of a
 * portkeeperd that dies again and again.
 *
 * This process must outlive portkeeperd, so it is small: it reads no address and no
 * directive, and what it is told it believes only from portkeeperd itself
 * (SCM_CREDENTIALS).
 */
#include "client/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "protocol/error.h"
#include "protocol/fd-passing.h"
#include "protocol/nonblocking-output.h"
#include "protocol/notify-message.h"
#include "protocol/pid-list.h"

/* So many deaths before READY=1 are answered at once; then the pauses grow to five
 * seconds. */
#define RUN_QUICK_DEATHS 3
#define RUN_PAUSE_MSEC 100
#define RUN_PAUSE_MAX_MSEC 5000
#define RUN_DAEMON_FDS_START 3
/* Read in one go: more than the kernel queues, so that a flood cannot keep us from
 * signals. */
#define RUN_MESSAGES_MAX 1024

struct run_manager {
	struct run_settings *settings;
	struct nonblocking_output output; /* standard error */
	int signal_fd;
	int notify_fd;
	char notify_address[32]; /* "@" and the name that the kernel chose */
	pid_t daemon;		 /* 0: not running */
	bool was_ready;		 /* some portkeeperd has said READY=1 */
	bool is_ready;		 /* this one has */
	bool is_burying;	 /* it is dead, and its last messages are being read */
	bool is_over;		 /* the service has ended for good */
	int stop_signal; /* by which the end was asked for, for a successor; 0: it was not
			  */
	int exit_status;
	struct rlimit nofile; /* as it was for us: the program's */
	char *siblings;	      /* children from before: not the service's; a pid-list */
	unsigned deaths;      /* in a row, before READY=1 */
	unsigned generation;  /* how many portkeeperds have been started */
	int64_t restart_msec; /* when the next is due, monotonic; -1: no pause */
};

extern char **environ;

static int64_t
run_now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What `run` itself has to say; everything else comes from portkeeperd. */
static void run_say(const struct run_manager *manager, const char *level,
	const char *format, ...) PK_PRINTF(3, 4);

static void
run_say(const struct run_manager *manager, const char *level, const char *format, ...)
{
	char text[512], line[640];
	PK_FREE char *json_text = NULL;
	va_list arguments;
	json_t *json;
	int n;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (manager->settings->is_json) {
		json = json_pack("{ss ss}", "level", level, "message", text);
		json_text = json ? json_dumps(json, JSON_COMPACT) : NULL;
		json_decref(json);
	}
	if (json_text)
		n = snprintf(line, sizeof(line), "%s\n", json_text);
	else
		n = snprintf(line, sizeof(line), "portkeeper: %s\n", text);
	/* what nobody reads is lost: to wait here would be to keep no port and reap no
	 * child */
	(void)nonblocking_output_write(&manager->output, line, strnlen(line, (size_t)n));
}

/* ---- setting up */

static int
run_open_signals(struct run_manager *manager)
{
	static const int wanted[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
		SIGUSR2, SIGWINCH };
	sigset_t mask;

	(void)sigemptyset(&mask);
	for (size_t i = 0; i < PK_ARRAY_SIZE(wanted); i++) {
		struct sigaction action;

		/* what nohup(1) or a shell's "&" told us to ignore stays ignored */
		if (wanted[i] != SIGCHLD && sigaction(wanted[i], NULL, &action) == 0 &&
			action.sa_handler == SIG_IGN)
			continue;
		(void)sigaddset(&mask, wanted[i]);
	}
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would reap by itself: waitpid(2) */
	(void)signal(SIGPIPE, SIG_IGN); /* standard error may be closed by its reader */
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	manager->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return manager->signal_fd < 0 ? -errno : 0;
}

/*
 * An abstract socket with a name that the kernel picks (unix(7), autobind): there is no
 * path to clean up and no folder that might be read-only. Anybody in the network
 * namespace can send to it, so only messages with portkeeperd's own pid count.
 */
static int
run_open_notify(struct run_manager *manager)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(un);
	const int on = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	manager->notify_fd = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t)) < 0 ||
		getsockname(fd, (struct sockaddr *)&un, &length) < 0)
		return -errno;
	(void)snprintf(manager->notify_address, sizeof(manager->notify_address), "@%.*s",
		(int)(length - offsetof(struct sockaddr_un, sun_path) - 1),
		un.sun_path + 1);
	return 0;
}

/* To keep as many descriptors as portkeeperd may send; portkeeperd gives the program its
 * own. */
static void
run_raise_limit(struct run_manager *manager)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &manager->nofile) < 0)
		return;
	most = manager->nofile;
	most.rlim_cur = most.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &most);
}

/* ---- starting portkeeperd */

/* LISTEN_FDNAMES of all that is stored. The caller frees it. */
static char *
run_store_names(const struct run_store *store)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < store->n; i++)
		(void)fprintf(out, "%s%s", i > 0 ? ":" : "", store->entries[i].name);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* In the child: the stored descriptors become 3, 4, ...; returns what failed, or NULL. */
static const char *
run_place_store(const struct run_store *store)
{
	int floor = RUN_DAEMON_FDS_START + (int)store->n;
	PK_FREE int *moved = calloc(store->n + 1, sizeof(*moved));

	if (!moved)
		return "no memory";
	for (size_t i = 0; i < store->n; i++) {
		moved[i] = store->entries[i].fd;
		if (moved[i] < floor)
			moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, floor);
		if (moved[i] < 0)
			return "cannot move a descriptor";
	}
	for (size_t i = 0; i < store->n; i++)
		if (dup2(moved[i], RUN_DAEMON_FDS_START + (int)i) < 0)
			return "cannot place a descriptor";
	return NULL;
}

static void
run_set_number(const char *name, long number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%ld", number);
	(void)setenv(name, text, 1);
}

_Noreturn static void
run_become_daemon(struct run_manager *manager, const char *names, pid_t parent)
{
	const struct run_settings *settings = manager->settings;
	const char *failed;

	/* of its own group, so that a terminal's Ctrl-C does not reach it */
	(void)setpgid(0, 0);
	(void)setenv("NOTIFY_SOCKET", manager->notify_address, 1);
	run_set_number("PORTKEEPER_MANAGER_PID", parent);
	if (manager->generation > 0)
		(void)setenv("PORTKEEPER_SUCCESSOR", "1", 1);
	run_set_number("PORTKEEPER_NOFILE", (long)manager->nofile.rlim_cur);
	if (manager->siblings)
		(void)setenv("PORTKEEPER_SIBLINGS", manager->siblings, 1);
	(void)unsetenv("LISTEN_PIDFDID");
	if (settings->store.n > 0) {
		run_set_number("LISTEN_FDS", (long)settings->store.n);
		run_set_number("LISTEN_PID", getpid());
		(void)setenv("LISTEN_FDNAMES", names, 1);
	}
	failed = run_place_store(&settings->store);
	/* signals stay blocked: one that comes before portkeeperd looks waits for it */
	if (!failed) {
		(void)execv(settings->daemon_path, settings->daemon_argv);
		failed = "cannot execute it";
	}
	run_say(manager, "error", "%s: %s: %s", settings->daemon_path, failed,
		strerror(errno));
	_exit(RUN_EXIT_FAILED);
}

static void
run_pause(struct run_manager *manager)
{
	int64_t pause = RUN_PAUSE_MSEC;

	for (unsigned i = RUN_QUICK_DEATHS;
		i < manager->deaths && pause < RUN_PAUSE_MAX_MSEC; i++)
		pause *= 2;
	if (pause > RUN_PAUSE_MAX_MSEC)
		pause = RUN_PAUSE_MAX_MSEC;
	manager->restart_msec = run_now_msec() + pause;
}

/* What a portkeeperd has left that cannot be started again: nobody else would end it. */
static void
run_kill_orphans(const struct run_manager *manager)
{
	bool killed;

	/* the children of the dead become ours: again, until there are none */
	do {
		PK_FREE char *children = pid_list_of_children();
		char *rest = children, *word;

		killed = false;
		while (rest && (word = strsep(&rest, " "))) {
			pid_t pid = (pid_t)strtol(word, NULL, 10);

			if (pid <= 0 || pid_list_has(manager->siblings, pid))
				continue;
			(void)kill(pid, SIGKILL);
			killed = waitpid(pid, NULL, 0) == pid;
		}
	} while (killed);
}

/* Counts a death before READY=1. Returns true if that was one too many for an end that is
 * due. */
static bool
run_count_death(struct run_manager *manager, const char *what)
{
	manager->deaths++;
	if (manager->stop_signal == 0 || manager->deaths <= RUN_QUICK_DEATHS)
		return false;
	run_say(manager, "error", "portkeeperd %s again and again: kills the program",
		what);
	run_kill_orphans(manager);
	manager->is_over = true;
	return true;
}

static void
run_start_daemon(struct run_manager *manager)
{
	PK_FREE char *names = run_store_names(&manager->settings->store);
	pid_t parent = getpid(), pid;

	manager->restart_msec = -1;
	manager->is_ready = false;
	pid = names ? fork() : -1;
	if (pid == 0)
		run_become_daemon(manager, names, parent);
	if (pid < 0) {
		int error = names ? errno : ENOMEM;

		/* short of memory or processes: what is stored stays until there is room
		 */
		if (run_count_death(manager, "cannot be started"))
			return;
		run_say(manager, "error", "cannot start portkeeperd: %s, tries again",
			strerror(error));
		run_pause(manager);
		return;
	}
	(void)setpgid(pid, pid);
	manager->daemon = pid;
	manager->generation++;
	if (manager->stop_signal > 0)
		(void)kill(pid, manager->stop_signal);
}

/* ---- what portkeeperd says */

static void run_on_signals(struct run_manager *manager);

static void
run_on_message(struct run_manager *manager, const struct notify_message *message,
	int *fds, size_t n_fds)
{
	struct run_store *store = &manager->settings->store;

	if (message->fd_store && message->fd_name[0])
		for (size_t i = 0; i < n_fds; i++) {
			int r = run_store_add_consume(
				store, message->fd_name, pk_take_fd(&fds[i]));

			if (r < 0)
				run_say(manager, "error",
					"cannot keep the descriptor '%s': %s",
					message->fd_name, strerror(-r));
		}
	if (message->fd_store_remove && message->fd_name[0])
		run_store_remove(store, message->fd_name);
	if (message->ready) {
		manager->was_ready = manager->is_ready = true;
		manager->deaths = 0;
	}
	/* a successor that could not begin has ended nothing: another one tries */
	if (message->stopping && message->exit_status >= 0 &&
		(manager->is_ready || !manager->was_ready)) {
		manager->is_over = true;
		manager->exit_status = message->exit_status;
	}
	/*
	 * A barrier passes when its descriptor is closed, by our caller. Who waits for it
	 * also wants to know of the signals that came before: they go first.
	 */
	if (message->barrier && !manager->is_burying)
		run_on_signals(manager);
}

static void
run_on_notify(struct run_manager *manager)
{
	char data[NOTIFY_MESSAGE_MAX];
	int fds[FD_PASSING_MAX];
	struct notify_message message;
	struct ucred sender;
	ssize_t size;
	size_t n_fds;

	for (unsigned n = 0; n < RUN_MESSAGES_MAX; n++) {
		bool is_daemon;

		size = fd_passing_receive(manager->notify_fd, data, sizeof(data), fds,
			PK_ARRAY_SIZE(fds), &n_fds, &sender);
		if (size < 0 && size != -EMSGSIZE)
			return;
		is_daemon = manager->daemon > 0 && sender.pid == manager->daemon;
		if (size == -EMSGSIZE) {
			if (is_daemon)
				run_say(manager, "error",
					"cannot keep what portkeeperd sent: out of descriptors; "
					"raise the limit: ulimit -n");
			continue;
		}
		if (is_daemon && notify_message_parse(data, (size_t)size, &message) >= 0)
			run_on_message(manager, &message, fds, n_fds);
		for (size_t i = 0; i < n_fds; i++)
			(void)pk_close(fds[i]);
	}
}

/* ---- deaths and signals */

static const char *
run_describe_death(const siginfo_t *info, char *buffer, size_t size)
{
	const char *name = sigabbrev_np(info->si_status);

	if (info->si_code == CLD_EXITED)
		(void)snprintf(buffer, size, "exited with status %d", info->si_status);
	else
		(void)snprintf(buffer, size, "was killed by SIG%s", name ? name : "?");
	return buffer;
}

static void
run_on_daemon_death(struct run_manager *manager, const siginfo_t *info)
{
	char how[64];

	/* what it sent before it died counts, and its pid is still its own: not yet
	 * reaped */
	manager->is_burying = true;
	run_on_notify(manager);
	manager->is_burying = false;
	manager->daemon = 0;
	if (manager->is_over)
		return;
	if (info->si_code == CLD_EXITED && !manager->was_ready) {
		/* it could not begin: its own message says why */
		manager->is_over = true;
		manager->exit_status = info->si_status;
		return;
	}
	(void)run_describe_death(info, how, sizeof(how));
	if (run_count_death(manager, how))
		return;
	run_say(manager, "warning", "portkeeperd %s: starts it again, %zu socket%s kept",
		how, manager->settings->store.n,
		manager->settings->store.n == 1 ? " is" : "s are");
	if (manager->deaths > RUN_QUICK_DEATHS)
		run_pause(manager);
	else
		run_start_daemon(manager);
}

static void
run_reap(struct run_manager *manager)
{
	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid == 0)
			return;
		if (info.si_pid == manager->daemon)
			run_on_daemon_death(manager, &info);
		if (manager->siblings)
			pid_list_remove(manager->siblings, info.si_pid);
		(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static void
run_on_signal(struct run_manager *manager, int signal)
{
	bool by_terminal = manager->settings->has_terminal;

	if (signal == SIGCHLD) {
		run_reap(manager);
		return;
	}
	if (signal == SIGWINCH && by_terminal)
		return; /* the program has got it as well */
	if (signal == SIGHUP && by_terminal)
		signal = SIGTERM; /* the terminal is gone */
	/* remembered, for it may reach a portkeeperd that has just died */
	if (signal == SIGTERM || signal == SIGINT || (signal == SIGQUIT && by_terminal))
		manager->stop_signal = signal;
	if (manager->daemon > 0)
		(void)kill(manager->daemon, signal);
	else if (manager->stop_signal > 0) /* in a pause: a successor ends what is left */
		run_start_daemon(manager);
}

static void
run_on_signals(struct run_manager *manager)
{
	struct signalfd_siginfo info;

	while (read(manager->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		run_on_signal(manager, (int)info.ssi_signo);
}

/* ---- the loop */

static int
run_timeout(const struct run_manager *manager)
{
	int64_t left;

	if (manager->restart_msec < 0)
		return -1;
	left = manager->restart_msec - run_now_msec();
	return left > 0 ? (int)left : 0;
}

static void
run_loop(struct run_manager *manager)
{
	struct pollfd ready[] = {
		{ .fd = manager->signal_fd, .events = POLLIN },
		{ .fd = manager->notify_fd, .events = POLLIN },
	};

	/* over is over only when portkeeperd has gone, too: it tidies up after its last
	 * word */
	while (!manager->is_over || manager->daemon > 0) {
		int n = poll(ready, PK_ARRAY_SIZE(ready), run_timeout(manager));

		if (n > 0 && ready[0].revents)
			run_on_signals(manager);
		if (n > 0 && ready[1].revents)
			run_on_notify(manager);
		if (manager->restart_msec >= 0 && run_timeout(manager) == 0)
			run_start_daemon(manager);
	}
}

int
run_manager_main(struct run_settings *settings)
{
	struct run_manager manager = { .settings = settings,
		.output = nonblocking_output_open(STDERR_FILENO),
		.siblings = pid_list_of_children(),
		.signal_fd = -1,
		.notify_fd = -1,
		.restart_msec = -1,
		.exit_status = RUN_EXIT_FAILED };
	int r = run_open_signals(&manager);

	if (r >= 0)
		r = run_open_notify(&manager);
	run_raise_limit(&manager);
	/* orphans of a dead portkeeperd come to us, and its successor finds them here */
	if (r >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = -errno;
	if (r < 0) {
		run_say(&manager, "error", "cannot start: %s", strerror(-r));
	} else {
		run_start_daemon(&manager);
		run_loop(&manager);
	}
	(void)pk_close(manager.signal_fd);
	(void)pk_close(manager.notify_fd);
	nonblocking_output_close(&manager.output);
	free(manager.siblings);
	return manager.exit_status;
}
