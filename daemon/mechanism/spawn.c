/* SPDX-License-Identifier: MIT */
/* spawn: see spawn.h. */
#include "mechanism/spawn.h"

#include <string.h>
#include <sys/random.h>

/* Room behind a variable's name for what the child itself writes there: a 64-bit number.
 */
#define SPAWN_NUMBER_ROOM 24

/* What describes portkeeperd's own relation to its manager is no business of the service.
 */
static const char *const spawn_dropped[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID",
	"LISTEN_FDNAMES", "NOTIFY_SOCKET", "INVOCATION_ID", "WATCHDOG_USEC",
	"WATCHDOG_PID", "FDSTORE", "PORTKEEPER_MANAGER_PID", "PORTKEEPER_SIBLINGS",
	"PORTKEEPER_NOFILE", "PORTKEEPER_SUCCESSOR" };

extern char **environ;

struct spawn_environment {
	char **variables;
	size_t n, room;
	char *owned[5]; /* those that were made here */
	size_t n_owned;
};

static bool
spawn_same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && (b[n] == '=' || b[n] == '\0');
}

static bool
spawn_is_dropped(const char *variable)
{
	for (size_t i = 0; i < PK_ARRAY_SIZE(spawn_dropped); i++)
		if (spawn_same_name(variable, spawn_dropped[i]))
			return true;
	return false;
}

/* Puts `variable` (borrowed) in, instead of one of the same name. The room was counted
 * before. */
static void
spawn_set(struct spawn_environment *environment, char *variable)
{
	for (size_t i = 0; i < environment->n; i++)
		if (spawn_same_name(variable, environment->variables[i])) {
			environment->variables[i] = variable;
			return;
		}
	environment->variables[environment->n++] = variable;
}

static char *
spawn_own(struct spawn_environment *environment, char *variable)
{
	if (variable) {
		environment->owned[environment->n_owned++] = variable;
		environment->variables[environment->n++] = variable;
	}
	return variable;
}

static size_t
spawn_count(char *const *variables)
{
	size_t n = 0;

	while (variables && variables[n])
		n++;
	return n;
}

static char *
spawn_number_variable(const char *prefix)
{
	size_t size = strlen(prefix) + SPAWN_NUMBER_ROOM;
	char *variable = malloc(size);

	if (variable)
		(void)snprintf(variable, size, "%s", prefix);
	return variable;
}

/* LISTEN_FDNAMES=a:b:c, in the order of the descriptors. */
static char *
spawn_fd_names(const struct spawn_request *request)
{
	size_t size = sizeof("LISTEN_FDNAMES="), at;
	char *variable;

	for (size_t i = 0; i < request->n_fds; i++)
		size += strlen(request->fd_names[i]) + 1;
	variable = malloc(size);
	if (!variable)
		return NULL;
	at = (size_t)snprintf(variable, size, "LISTEN_FDNAMES=");
	for (size_t i = 0; i < request->n_fds; i++)
		at += (size_t)snprintf(variable + at, size - at, "%s%s", i > 0 ? ":" : "",
			request->fd_names[i]);
	return variable;
}

/* A fresh 128-bit number for each start, as systemd gives one: systemd.exec(5). */
static char *
spawn_invocation_id(void)
{
	unsigned char id[16];
	char *variable = malloc(sizeof("INVOCATION_ID=") + 2 * sizeof(id));

	if (!variable)
		return NULL;
	if (getrandom(id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id))
		memset(id, 0, sizeof(id));
	(void)sprintf(variable, "INVOCATION_ID=");
	for (size_t i = 0; i < sizeof(id); i++)
		(void)sprintf(variable + strlen("INVOCATION_ID=") + 2 * i, "%02x", id[i]);
	return variable;
}

static void
spawn_environment_done(struct spawn_environment *environment)
{
	for (size_t i = 0; i < environment->n_owned; i++)
		free(environment->owned[i]);
	free(environment->variables);
}

static int
spawn_add_listeners(const struct spawn_request *request,
	struct spawn_environment *environment, struct sys_spawn *plan)
{
	char *count;

	if (request->n_fds == 0)
		return 0;
	plan->listen_fds = request->fds;
	plan->n_listen_fds = request->n_fds;
	count = spawn_own(environment, spawn_number_variable("LISTEN_FDS="));
	if (!count)
		return -ENOMEM;
	(void)snprintf(count + strlen(count), SPAWN_NUMBER_ROOM, "%zu", request->n_fds);
	plan->listen_pid_text =
		spawn_own(environment, spawn_number_variable("LISTEN_PID="));
	plan->listen_pidfdid_text =
		spawn_own(environment, spawn_number_variable("LISTEN_PIDFDID="));
	if (!plan->listen_pid_text || !plan->listen_pidfdid_text ||
		!spawn_own(environment, spawn_fd_names(request)))
		return -ENOMEM;
	return 0;
}

static int
spawn_make_environment(const struct spawn_request *request,
	struct spawn_environment *environment, struct sys_spawn *plan)
{
	char **added = request->exec->environment;

	environment->room = spawn_count(environ) + spawn_count(added) +
		spawn_count((char *const *)(const void *)request->environment) +
		PK_ARRAY_SIZE(environment->owned) + 1;
	environment->variables = calloc(environment->room, sizeof(char *));
	if (!environment->variables)
		return -ENOMEM;
	for (char **variable = environ; *variable; variable++)
		if (!spawn_is_dropped(*variable))
			environment->variables[environment->n++] = *variable;
	for (size_t i = 0; added && added[i]; i++)
		spawn_set(environment, added[i]);
	for (size_t i = 0; request->environment && request->environment[i]; i++)
		spawn_set(environment, (char *)(uintptr_t)request->environment[i]);
	if (!spawn_own(environment, spawn_invocation_id()))
		return -ENOMEM;
	/* last, so that an emptied LISTEN_PIDFDID= is a gap that ends nothing of ours */
	return spawn_add_listeners(request, environment, plan);
}

bool
spawn_error_is_shortage(int code)
{
	return code == -EAGAIN || code == -ENOMEM || code == -EMFILE || code == -ENFILE ||
		code == -ENOSPC || code == -ETXTBSY;
}

int
spawn_command(struct child_table *table, const struct spawn_request *request,
	child_exit_fn on_exit, void *context, struct child **ret_child, struct error *err)
{
	struct spawn_environment environment = { .n = 0 };
	struct sys_spawn plan = {
		.path = request->command->path,
		.argv = request->command->argv,
		.working_directory = request->exec->working_directory,
		.umask = request->exec->umask,
		.process_group = request->process_group,
		.cgroup_fd = request->cgroup_fd,
		.nofile = request->nofile,
	};
	const char *failed = "memory for its environment";
	int r;

	r = spawn_make_environment(request, &environment, &plan);
	if (r >= 0) {
		plan.envp = environment.variables;
		r = child_start(table, &plan, on_exit, context, ret_child, &failed);
	}
	if (r < 0)
		(void)error_set_errno(
			err, r, "cannot start '%s' (%s)", request->command->path, failed);
	if (r == -EMFILE)
		error_set_hint(err, "raise the limit of open files: ulimit -n");
	spawn_environment_done(&environment);
	return r;
}
