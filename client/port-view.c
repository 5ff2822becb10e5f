/* SPDX-License-Identifier: MIT */
/* port-view: see port-view.h. */
#include "client/port-view.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/cleanup.h"

#define PORT_ARGUMENTS_MAX 65536
#define PORT_SUPERVISORS_MAX 16

/* ---- which port */

/* Reads a whole small file of /proc, NUL-terminated; its length or -errno. */
static ssize_t
port_read_proc(const char *pid, const char *name, char *buffer, size_t size)
{
	char path[64];
	PK_CLOSE int fd = -1;
	size_t used = 0;
	ssize_t n = 1;

	(void)snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (n > 0 && used < size - 1) {
		n = read(fd, buffer + used, size - 1 - used);
		if (n < 0)
			return -errno;
		used += (size_t)n;
	}
	buffer[used] = '\0';
	return (ssize_t)used;
}

/* Whether the argument vector (NUL after each) has "--name NAME" or "--name=NAME". */
static bool
port_arguments_have_name(const char *arguments, size_t length, const char *name)
{
	const char *end = arguments + length;
	bool next = false;

	for (const char *a = arguments; a < end; a += strlen(a) + 1) {
		if (next)
			return strcmp(a, name) == 0;
		next = strcmp(a, "--name") == 0;
		if (strncmp(a, "--name=", 7) == 0 && strcmp(a + 7, name) == 0)
			return true;
		if (strcmp(a, "--") == 0)
			break;
	}
	return false;
}

/* Whether the process is the supervisor of that name. */
static bool
port_is_supervisor(const char *pid, const char *name, char *buffer)
{
	ssize_t length = port_read_proc(pid, "comm", buffer, PORT_ARGUMENTS_MAX);

	if (length < 0 || strcmp(buffer, "portkeeperd\n") != 0)
		return false;
	length = port_read_proc(pid, "cmdline", buffer, PORT_ARGUMENTS_MAX);
	return length > 0 && port_arguments_have_name(buffer, (size_t)length, name);
}

/* All of that name: other users and other network namespaces may have one as well. */
static size_t
port_find_supervisors(const char *name, pid_t pids[PORT_SUPERVISORS_MAX])
{
	PK_FREE char *buffer = malloc(PORT_ARGUMENTS_MAX);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	while (buffer && proc && n < PORT_SUPERVISORS_MAX && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
			port_is_supervisor(entry->d_name, name, buffer))
			pids[n++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (proc)
		closedir(proc);
	return n;
}

/* The address that `socket` is bound to, as one would type it. */
static struct socket_address
port_address_of_socket(const struct sock_diag_socket *socket)
{
	struct socket_address address = {
		.type = socket->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM,
	};

	if (socket->family == AF_INET) {
		address.length = sizeof(address.storage.in);
		address.storage.in.sin_family = AF_INET;
		address.storage.in.sin_port = htons(socket->local_port);
		memcpy(&address.storage.in.sin_addr, &socket->local.s6_addr[12], 4);
	} else {
		address.length = sizeof(address.storage.in6);
		address.storage.in6.sin6_family = AF_INET6;
		address.storage.in6.sin6_port = htons(socket->local_port);
		address.storage.in6.sin6_addr = socket->local;
		address.dual_stack = socket->v6only != 1;
	}
	return address;
}

static void
port_targets_add_held(struct port_target_list *targets,
	const struct sock_diag_list *sockets, const struct socket_owner_list *owners,
	pid_t pid)
{
	for (size_t i = 0; i < owners->n_owners; i++) {
		const struct sock_diag_socket *socket = NULL;

		if (owners->owners[i].pid != pid ||
			targets->n_targets == PORT_TARGETS_MAX)
			continue;
		for (size_t s = 0; s < sockets->n_sockets && !socket; s++) {
			if (sockets->sockets[s].inode == owners->owners[i].inode)
				socket = &sockets->sockets[s];
		}
		if (!socket)
			continue;
		targets->targets[targets->n_targets++] = (struct port_target){
			.address = port_address_of_socket(socket),
		};
	}
}

static int
port_targets_of_supervisors(
	const pid_t *pids, size_t n_pids, struct port_target_list *targets)
{
	static const struct sock_diag_query queries[] = {
		{ .protocol = IPPROTO_TCP,
			.states = SOCK_DIAG_STATE_BIT(SOCK_DIAG_LISTEN) },
		{ .protocol = IPPROTO_UDP },
	};
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	struct socket_owner_list owners = { 0 };
	struct sock_diag_list sockets = { 0 };
	int r = sock_diag_open(&diag);

	for (size_t i = 0; i < PK_ARRAY_SIZE(queries) && r == 0; i++)
		r = sock_diag_collect(diag, &queries[i], &sockets);
	if (r == 0)
		r = socket_owner_find_all(&sockets, &owners);
	for (size_t i = 0; i < n_pids && r == 0; i++)
		port_targets_add_held(targets, &sockets, &owners, pids[i]);
	socket_owner_list_done(&owners);
	sock_diag_list_done(&sockets);
	return r;
}

/* The ports that the supervisors of that name hold. */
static int
port_targets_of_name(
	const char *name, struct port_target_list *targets, struct error *err)
{
	pid_t pids[PORT_SUPERVISORS_MAX];
	size_t n_pids = port_find_supervisors(name, pids);
	int r;

	if (n_pids == 0) {
		error_set(err, -ENOENT,
			"'%s' is neither a port nor the name of a running 'portkeeper "
			"run'",
			name);
		error_set_hint(err,
			"give PORT, ADDRESS:PORT, udp:PORT, or a name that "
			"'portkeeper run --name NAME' was started with");
		return -ENOENT;
	}
	r = port_targets_of_supervisors(pids, n_pids, targets);
	if (r < 0)
		return error_set_errno(err, r,
			"cannot tell the ports that '%s' (pid %d) holds", name,
			(int)pids[0]);
	if (targets->n_targets)
		return 0;
	error_set(err, -ENOENT, "'%s' (pid %d) holds no port that can be seen from here",
		name, (int)pids[0]);
	error_set_hint(err,
		"run as root or as the user of that process, and in its network "
		"namespace: nsenter --net=/proc/%d/ns/net",
		(int)pids[0]);
	return -ENOENT;
}

static bool
port_text_is_port(const char *text)
{
	return text[0] && strspn(text, "0123456789") == strlen(text);
}

int
port_targets_find(
	const char *text, struct port_target_list *ret_targets, struct error *err)
{
	struct port_target target = { 0 };
	const char *rest = text;
	int r;

	ret_targets->n_targets = 0;
	/* A word without a colon and a slash that is no number can only be a name. */
	if (!port_text_is_port(text) && !strpbrk(text, ":/@"))
		return port_targets_of_name(text, ret_targets, err);
	r = socket_address_parse(text, SOCK_STREAM, &target.address, err);
	if (r < 0)
		return r;
	if (target.address.storage.any.sa_family == AF_UNIX ||
		!socket_address_port(&target.address)) {
		error_set(err, -EINVAL, "'%s' names no port", text);
		error_set_hint(err, "give PORT or ADDRESS:PORT, from 1 to 65535");
		return -EINVAL;
	}
	if (strncmp(rest, "tcp:", 4) == 0 || strncmp(rest, "udp:", 4) == 0)
		rest += 4;
	target.any_protocol = rest == text;
	target.any_address = port_text_is_port(rest);
	ret_targets->targets[ret_targets->n_targets++] = target;
	return 0;
}

/* ---- what is on it */

/* Keeps the sockets that the target means. */
static void
port_view_filter(struct port_view *view, const struct port_target *target)
{
	size_t kept = 0;

	for (size_t i = 0; i < view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &view->sockets.sockets[i];
		bool udp = socket->protocol == IPPROTO_UDP;

		if (!target->any_protocol && udp != (target->address.type == SOCK_DGRAM))
			continue;
		if (!target->any_address &&
			!bind_diagnosis_overlaps(&target->address, socket))
			continue;
		view->sockets.sockets[kept++] = *socket;
	}
	view->sockets.n_sockets = kept;
}

int
port_view_load(
	struct port_view *view, const struct port_target *target, struct error *err)
{
	uint16_t port = socket_address_port(&target->address);
	int r;

	*view = (struct port_view){ .ephemeral = bind_diagnosis_ephemeral() };
	r = sock_diag_open(&view->diag);
	if (r == 0)
		r = sock_diag_collect_port(view->diag, port, true, &view->sockets);
	if (r < 0) {
		error_set_errno(err, r,
			"cannot ask the kernel for the sockets on port %u "
			"(netlink sock_diag)",
			port);
		error_set_hint(err,
			"the kernel needs CONFIG_INET_DIAG (modprobe inet_diag "
			"tcp_diag udp_diag); a sandbox may forbid AF_NETLINK sockets");
		return r;
	}
	port_view_filter(view, target);
	r = socket_owner_find_all(&view->sockets, &view->owners);
	if (r < 0)
		return error_set_errno(
			err, r, "cannot read /proc to find the owners of port %u", port);
	socket_owner_read_all_options(&view->owners, &view->sockets);
	return 0;
}

void
port_view_done(struct port_view *view)
{
	socket_owner_list_done(&view->owners);
	sock_diag_list_done(&view->sockets);
	view->diag = sock_diag_close(view->diag);
}

void
port_view_cleanup(struct port_view *view)
{
	port_view_done(view);
}

/* ---- can it be bound */

static int
port_try(const struct socket_address *address, bool reuse_address)
{
	struct socket_address v4 = {
		.type = address->type,
		.length = sizeof(v4.storage.in),
		.storage.in = {
			.sin_family = AF_INET,
			.sin_port = htons(socket_address_port(address)),
		},
	};
	int r = bind_diagnosis_try(address, reuse_address);

	if (r == -EAFNOSUPPORT && address->dual_stack)
		r = bind_diagnosis_try(&v4, reuse_address);
	return r;
}

int
port_target_try(const struct port_target *target)
{
	return port_try(&target->address, false);
}

/* Turns "uncertain" into what the kernel says, where it says anything. */
static void
port_verdict_settle(struct bind_answer *answer, const struct socket_address *address)
{
	int r;

	if (answer->verdict != BIND_UNCERTAIN)
		return;
	/* Nobody's bind is disturbed: without SO_REUSEADDR none could succeed now, and
	 * with it sockets that do not listen live side by side. */
	r = port_try(address, true);
	if (r == 0)
		answer->verdict = BIND_POSSIBLE;
	else if (r == -EADDRINUSE)
		answer->verdict = BIND_BLOCKED;
}

static void
port_verdict_write(
	struct port_verdict *verdict, const char *what, unsigned privileged_below)
{
	char *to = verdict->sentence;
	size_t size = sizeof(verdict->sentence);
	bool root_only = privileged_below > 0;

	if (verdict->plain.verdict == BIND_POSSIBLE) {
		if (root_only)
			(void)snprintf(to, size,
				"A program with CAP_NET_BIND_SERVICE can bind %s "
				"now (ports below %u need it).",
				what, privileged_below);
		else
			(void)snprintf(to, size, "A program can bind %s now.", what);
		return;
	}
	/* When that is over stands in the reason, where anybody can know it. */
	if (verdict->reuse.verdict == BIND_BLOCKED)
		(void)snprintf(to, size,
			"No program can bind %s now, with or without SO_REUSEADDR: %s.",
			what, verdict->reuse_reason);
	else
		(void)snprintf(to, size,
			"A program without SO_REUSEADDR cannot bind %s now: %s; one with "
			"SO_REUSEADDR %s.",
			what, verdict->reason,
			verdict->reuse.verdict == BIND_POSSIBLE
				? "can"
				: "can only if the other had set it too");
}

void
port_verdict_ask(const struct port_view *view, const struct port_target *target, int type,
	struct port_verdict *ret_verdict)
{
	struct socket_address address = target->address;
	struct bind_question question = {
		.address = &address,
		.uid = geteuid(),
		.ephemeral = view->ephemeral,
	};
	uint16_t port = socket_address_port(&address);
	unsigned start = bind_diagnosis_unprivileged_start();
	char what[SOCKET_ADDRESS_TEXT_MAX + 16];

	address.type = type;
	bind_diagnosis_ask(&question, &view->sockets, &ret_verdict->plain);
	question.reuse_address = true;
	bind_diagnosis_ask(&question, &view->sockets, &ret_verdict->reuse);
	port_verdict_settle(&ret_verdict->reuse, &address);
	(void)bind_diagnosis_reason(&ret_verdict->plain, &view->owners, view->ephemeral,
		ret_verdict->reason, sizeof(ret_verdict->reason));
	(void)bind_diagnosis_reason(&ret_verdict->reuse, &view->owners, view->ephemeral,
		ret_verdict->reuse_reason, sizeof(ret_verdict->reuse_reason));
	if (target->any_address) {
		(void)snprintf(what, sizeof(what), "%s port %u",
			type == SOCK_DGRAM ? "udp" : "tcp", port);
	} else {
		char text[SOCKET_ADDRESS_TEXT_MAX];

		(void)snprintf(what, sizeof(what), "%s",
			socket_address_format(&address, text, sizeof(text)));
	}
	port_verdict_write(ret_verdict, what, port < start && geteuid() != 0 ? start : 0);
}

const char *
port_verdict_word(enum bind_verdict verdict)
{
	switch (verdict) {
	case BIND_POSSIBLE:
		return "possible";
	case BIND_BLOCKED:
		return "blocked";
	case BIND_UNCERTAIN:
		return "uncertain";
	}
	return "?";
}

static json_t *
port_answer_json(const struct bind_answer *answer, const char *reason)
{
	json_t *free_in = answer->free_in_msec == BIND_FREE_UNKNOWN
		? json_null()
		: json_integer((json_int_t)answer->free_in_msec);

	return json_pack("{s:s, s:s, s:o}", "bind", port_verdict_word(answer->verdict),
		"reason", answer->verdict == BIND_POSSIBLE ? "" : reason, "free_in_msec",
		free_in);
}

json_t *
port_verdict_json(const struct port_verdict *verdict, int type)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "protocol",
		type == SOCK_DGRAM ? "udp" : "tcp", "sentence", verdict->sentence,
		"without_reuseaddr", port_answer_json(&verdict->plain, verdict->reason),
		"with_reuseaddr",
		port_answer_json(&verdict->reuse, verdict->reuse_reason));
}
