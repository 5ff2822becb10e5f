/* SPDX-License-Identifier: MIT */
/*
 * bind-explain: what a user reads after a bind() that failed: one line with the reason,
 * one with the way out. See bind_diagnosis_explain() in bind-diagnosis.h.
 */
#include "protocol/bind-diagnosis.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "protocol/cleanup.h"

#define BIND_MSEC_PER_SEC 1000

static void
bind_explain_hint(const struct bind_answer *answer,
	const struct socket_owner_list *owners, uint16_t port, struct error *err)
{
	const struct sock_diag_socket *listener = answer->first[BIND_BLOCKER_LISTENER];
	const struct socket_owner *holder;
	const struct socket_owner *owner;

	if (!listener)
		listener = answer->first[BIND_BLOCKER_BOUND];
	if (listener) {
		owner = socket_owner_to_name(owners, listener->inode, &holder, NULL);
		if (holder && strncmp(holder->comm, "portkeeper", 10) == 0)
			error_set_hint(err,
				"a portkeeper keeps it open: stop that with 'kill %d', "
				"or take "
				"another port",
				(int)holder->pid);
		else if (owner && owner->unit[0] && strstr(owner->unit, ".service"))
			error_set_hint(err,
				"stop it with 'systemctl stop %s', or take another port",
				owner->unit);
		else if (owner)
			error_set_hint(err,
				"stop it with 'kill %d', or take another port",
				(int)owner->pid);
		else
			error_set_hint(err,
				"'sudo portkeeper inspect %u' names the process", port);
	} else if (answer->n_blockers[BIND_BLOCKER_OUTGOING]) {
		error_set_hint(err,
			"'portkeeper release %u --state established' cuts it now; "
			"'portkeeper "
			"doctor %u --fix' keeps the port out of the ephemeral range from "
			"then on",
			port, port);
	} else if (answer->n_blockers[BIND_BLOCKER_CONNECTION] ||
		answer->n_blockers[BIND_BLOCKER_CLOSING]) {
		error_set_hint(err, "'portkeeper release %u --all' ends them now", port);
	} else if (answer->n_blockers[BIND_BLOCKER_TIME_WAIT]) {
		error_set_hint(err,
			"'portkeeper release %u' ends them now; '--wait %llu' waits "
			"until they "
			"are gone",
			port,
			(unsigned long long)((answer->time_wait_msec + BIND_MSEC_PER_SEC -
						     1) /
				BIND_MSEC_PER_SEC));
	}
}

/* EADDRINUSE of TCP and UDP. Returns false if the kernel could not be asked. */
static bool
bind_explain_in_use(const struct socket_address *address, const char *text,
	int bind_errno, struct error *err)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	struct bind_question question = { .address = address, .uid = geteuid() };
	uint16_t port = socket_address_port(address);
	struct socket_owner_list owners = { 0 };
	struct sock_diag_list sockets = { 0 };
	struct bind_answer answer;
	char reason[ERROR_TEXT_MAX / 2];

	if (sock_diag_open(&diag) < 0 ||
		sock_diag_collect_port(diag, port, false, &sockets) < 0)
		return false;
	(void)socket_owner_find_all(&sockets, &owners);
	question.ephemeral = bind_diagnosis_ephemeral();
	bind_diagnosis_ask(&question, &sockets, &answer);
	(void)bind_diagnosis_reason(
		&answer, &owners, question.ephemeral, reason, sizeof(reason));
	if (reason[0]) {
		error_set(err, bind_errno, "cannot bind %s: %s", text, reason);
		bind_explain_hint(&answer, &owners, port, err);
	} else {
		error_set(err, bind_errno,
			"cannot bind %s: the port was in use a moment ago, and no socket "
			"that "
			"blocks it is there any more",
			text);
		error_set_hint(err,
			"try again; 'portkeeper inspect %u --watch' shows who comes "
			"and goes",
			port);
	}
	socket_owner_list_done(&owners);
	sock_diag_list_done(&sockets);
	return true;
}

static void
bind_explain_path_in_use(const struct socket_address *address, const char *text,
	int bind_errno, struct error *err)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	const char *name = address->storage.un.sun_path;
	size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
	struct sock_diag_socket socket = { .uid = (uid_t)-1 };
	struct socket_owner_list owners = { 0 };
	char owner[256];
	int r;

	if (name[0])
		length = strnlen(name, length);
	r = sock_diag_open(&diag);
	if (r == 0)
		r = sock_diag_find_unix(diag, name, length, &socket.inode);
	if (r == -ENOENT && name[0]) {
		error_set(err, bind_errno,
			"cannot bind %s: the file is left over, no process listens on it",
			text);
		error_set_hint(err, "remove it: rm '%s'", name);
		return;
	}
	(void)socket_owner_find(&socket.inode, 1, &owners);
	if (r < 0 || !owners.n_owners) {
		error_set(
			err, bind_errno, "cannot bind %s: another process has it", text);
		error_set_hint(err, "root can see whose it is");
	} else {
		(void)bind_diagnosis_owner(&socket, &owners, owner, sizeof(owner));
		error_set(
			err, bind_errno, "cannot bind %s: %s listens on it", text, owner);
		error_set_hint(err, "stop it with 'kill %d', or take another path",
			(int)owners.owners[0].pid);
	}
	socket_owner_list_done(&owners);
}

static void
bind_explain_denied(const struct socket_address *address, const char *text,
	int bind_errno, struct error *err)
{
	unsigned start = bind_diagnosis_unprivileged_start();
	uint16_t port = socket_address_port(address);

	if (address->storage.any.sa_family == AF_UNIX) {
		error_set(err, bind_errno,
			"cannot bind %s: no right to create a file in that directory",
			text);
		error_set_hint(
			err, "choose another directory, or change its owner or mode");
	} else if (port < start) {
		error_set(err, bind_errno,
			"cannot bind %s: ports below %u need CAP_NET_BIND_SERVICE "
			"(net.ipv4.ip_unprivileged_port_start)",
			text, start);
		error_set_hint(err,
			"run it as root, take a port from %u up, or allow it to "
			"everybody: "
			"sysctl -w net.ipv4.ip_unprivileged_port_start=%u",
			start, port);
	} else {
		error_set(err, bind_errno,
			"cannot bind %s: permission denied, though the port is not a "
			"privileged "
			"one: a security module or a BPF program of the cgroup forbids "
			"it",
			text);
		error_set_hint(err,
			"look for the refusal with 'journalctl -k' or 'ausearch -m "
			"avc'; systemd's SocketBindDeny= is such a program");
	}
}

void
bind_diagnosis_explain(
	const struct socket_address *address, int bind_errno, struct error *err)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	bool is_unix = address->storage.any.sa_family == AF_UNIX;

	if (!err)
		return;
	(void)socket_address_format(address, text, sizeof(text));
	switch (-bind_errno) {
	case EADDRINUSE:
		if (is_unix) {
			bind_explain_path_in_use(address, text, bind_errno, err);
			return;
		}
		if (bind_explain_in_use(address, text, bind_errno, err))
			return;
		break;
	case EACCES:
		bind_explain_denied(address, text, bind_errno, err);
		return;
	case EADDRNOTAVAIL:
		error_set(err, bind_errno,
			"cannot bind %s: this machine has no such address", text);
		error_set_hint(err,
			"'ip address' lists those it has; if this one comes later, "
			"FreeBind=yes binds it before");
		return;
	case EAFNOSUPPORT:
		error_set(err, bind_errno,
			"cannot bind %s: the kernel has no such address "
			"family (is IPv6 disabled?)",
			text);
		error_set_hint(err, "give an IPv4 address, such as 0.0.0.0:%u",
			socket_address_port(address));
		return;
	default:
		break;
	}
	error_set_errno(err, bind_errno, "cannot bind %s", text);
}
