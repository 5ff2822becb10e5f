/* SPDX-License-Identifier: MIT */
/* bind-diagnosis: see bind-diagnosis.h. */
#include "protocol/bind-diagnosis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/cleanup.h"
#include "protocol/timespan.h"

/* What follows 60 s of TIME_WAIT at the latest is worth a sentence, so this is the unit.
 */
#define BIND_MSEC_PER_SEC 1000

/* ---- addresses */

/* What of the two address families a socket covers. */
struct bind_cover {
	bool v4;
	bool v4_any;
	uint8_t v4_address[4];
	bool v6;
	bool v6_any;
	struct in6_addr v6_address;
};

static struct bind_cover
bind_cover_v4(const uint8_t address[4])
{
	static const uint8_t any[4];
	struct bind_cover cover = { .v4 = true, .v4_any = memcmp(address, any, 4) == 0 };

	memcpy(cover.v4_address, address, 4);
	return cover;
}

static struct bind_cover
bind_cover_v6(const struct in6_addr *address, bool v6only)
{
	struct bind_cover cover = { .v6 = true, .v6_address = *address };

	if (IN6_IS_ADDR_V4MAPPED(address))
		return bind_cover_v4(&address->s6_addr[12]);
	cover.v6_any = IN6_IS_ADDR_UNSPECIFIED(address);
	cover.v4 = cover.v6_any && !v6only;
	cover.v4_any = cover.v4;
	return cover;
}

static struct bind_cover
bind_cover_of_address(const struct socket_address *address)
{
	if (address->storage.any.sa_family == AF_INET)
		return bind_cover_v4((const uint8_t *)&address->storage.in.sin_addr);
	return bind_cover_v6(&address->storage.in6.sin6_addr, !address->dual_stack);
}

static struct bind_cover
bind_cover_of_socket(const struct sock_diag_socket *socket)
{
	if (socket->family == AF_INET)
		return bind_cover_v4(&socket->local.s6_addr[12]);
	/* Where the kernel does not tell, the address is a specific one and it plays no
	 * part. */
	return bind_cover_v6(&socket->local, socket->v6only == 1);
}

static bool
bind_cover_overlaps(const struct bind_cover *a, const struct bind_cover *b)
{
	if (a->v4 && b->v4 &&
		(a->v4_any || b->v4_any || memcmp(a->v4_address, b->v4_address, 4) == 0))
		return true;
	return a->v6 && b->v6 &&
		(a->v6_any || b->v6_any ||
			IN6_ARE_ADDR_EQUAL(&a->v6_address, &b->v6_address));
}

bool
bind_diagnosis_overlaps(
	const struct socket_address *address, const struct sock_diag_socket *socket)
{
	struct bind_cover wanted;
	struct bind_cover taken = bind_cover_of_socket(socket);

	if (address->storage.any.sa_family != AF_INET &&
		address->storage.any.sa_family != AF_INET6)
		return false;
	wanted = bind_cover_of_address(address);
	return socket_address_port(address) == socket->local_port &&
		bind_cover_overlaps(&wanted, &taken);
}

/* ---- the rule */

/* 1 both have it, 0 at least one has not, -1 unknown. */
static int
bind_both(bool ours, int theirs)
{
	return ours ? theirs : 0;
}

/* 1 the two conflict, 0 they do not, -1 it depends on what is not known. */
static int
bind_conflict(const struct bind_question *question, const struct sock_diag_socket *socket)
{
	bool udp = socket->protocol == IPPROTO_UDP;
	int by_address = bind_both(question->reuse_address, socket->reuse_address);
	int by_port = bind_both(question->reuse_port, socket->reuse_port);

	if (!udp && socket->state == SOCK_DIAG_LISTEN)
		by_address = 0;
	if (by_port && socket->state != SOCK_DIAG_TIME_WAIT &&
		socket->uid != question->uid)
		by_port = 0;
	if (by_address == 1 || by_port == 1)
		return 0;
	return by_address == -1 || by_port == -1 ? -1 : 1;
}

static bool
bind_takes_part(
	const struct bind_question *question, const struct sock_diag_socket *socket)
{
	bool udp = question->address->type == SOCK_DGRAM;

	if (socket->protocol != (udp ? IPPROTO_UDP : IPPROTO_TCP))
		return false;
	/* A half-open connection is a request in its listener's hands, it has bound
	 * nothing. */
	if (!udp && socket->state == SOCK_DIAG_SYN_RECV && socket->inode == 0)
		return false;
	return bind_diagnosis_overlaps(question->address, socket);
}

static bool
bind_in_range(uint16_t port, struct bind_port_range range)
{
	return port >= range.low && port <= range.high;
}

bool
bind_diagnosis_is_outgoing(const struct sock_diag_socket *socket,
	const struct sock_diag_list *sockets, struct bind_port_range ephemeral)
{
	struct bind_cover cover = bind_cover_of_socket(socket);

	if (socket->remote_port == 0 || socket->protocol == IPPROTO_UDP)
		return false;
	if (sock_diag_is_self_connected(socket) || socket->state == SOCK_DIAG_SYN_SENT)
		return true;
	/* Before the list is searched: a busy server has thousands that end here. */
	if (!bind_in_range(socket->local_port, ephemeral) ||
		bind_in_range(socket->remote_port, ephemeral))
		return false;
	for (size_t i = 0; i < sockets->n_sockets; i++) {
		const struct sock_diag_socket *other = &sockets->sockets[i];
		struct bind_cover listening;

		if (other->state != SOCK_DIAG_LISTEN ||
			other->local_port != socket->local_port)
			continue;
		listening = bind_cover_of_socket(other);
		if (bind_cover_overlaps(&cover, &listening))
			return false;
	}
	return true;
}

enum bind_blocker
bind_diagnosis_classify(const struct sock_diag_socket *socket,
	const struct sock_diag_list *sockets, struct bind_port_range ephemeral)
{
	if (socket->protocol == IPPROTO_UDP || socket->state == SOCK_DIAG_BOUND_INACTIVE)
		return BIND_BLOCKER_BOUND;
	if (socket->state == SOCK_DIAG_LISTEN)
		return BIND_BLOCKER_LISTENER;
	if (socket->state == SOCK_DIAG_TIME_WAIT)
		return BIND_BLOCKER_TIME_WAIT;
	/* Without an inode, ESTABLISHED or CLOSE_WAIT waits in an accept queue. */
	if (socket->inode == 0 && socket->state != SOCK_DIAG_ESTABLISHED &&
		socket->state != SOCK_DIAG_CLOSE_WAIT)
		return BIND_BLOCKER_CLOSING;
	return bind_diagnosis_is_outgoing(socket, sockets, ephemeral)
		? BIND_BLOCKER_OUTGOING
		: BIND_BLOCKER_CONNECTION;
}

static void
bind_answer_count(struct bind_answer *answer, enum bind_blocker kind,
	const struct sock_diag_socket *socket)
{
	if (!answer->first[kind])
		answer->first[kind] = socket;
	answer->n_blockers[kind]++;
	if (!sock_diag_is_kernel_only(socket)) {
		answer->free_in_msec = BIND_FREE_UNKNOWN;
		answer->closing_msec = 0;
		return;
	}
	if (answer->free_in_msec != BIND_FREE_UNKNOWN &&
		socket->timer_msec > answer->free_in_msec)
		answer->free_in_msec = socket->timer_msec;
	if (kind == BIND_BLOCKER_TIME_WAIT && socket->timer_msec > answer->time_wait_msec)
		answer->time_wait_msec = socket->timer_msec;
	if (kind == BIND_BLOCKER_CLOSING && answer->free_in_msec != BIND_FREE_UNKNOWN &&
		socket->timer_msec > answer->closing_msec)
		answer->closing_msec = socket->timer_msec;
}

void
bind_diagnosis_ask(const struct bind_question *question,
	const struct sock_diag_list *sockets, struct bind_answer *ret_answer)
{
	*ret_answer = (struct bind_answer){ .verdict = BIND_POSSIBLE };
	for (size_t i = 0; i < sockets->n_sockets; i++) {
		const struct sock_diag_socket *socket = &sockets->sockets[i];
		enum bind_blocker kind;
		int conflict;

		if (!bind_takes_part(question, socket))
			continue;
		conflict = bind_conflict(question, socket);
		if (conflict == 0)
			continue;
		if (conflict == 1)
			ret_answer->verdict = BIND_BLOCKED;
		else if (ret_answer->verdict == BIND_POSSIBLE)
			ret_answer->verdict = BIND_UNCERTAIN;
		kind = bind_diagnosis_classify(socket, sockets, question->ephemeral);
		if (kind == BIND_BLOCKER_TIME_WAIT && !ret_answer->first[kind])
			ret_answer->time_wait_outgoing = bind_diagnosis_is_outgoing(
				socket, sockets, question->ephemeral);
		bind_answer_count(ret_answer, kind, socket);
	}
}

/* ---- words */

static void __attribute__((format(printf, 3, 4)))
bind_append(char *buffer, size_t size, const char *format, ...)
{
	size_t used = strlen(buffer);
	va_list arguments;

	if (used + 1 >= size)
		return;
	va_start(arguments, format);
	(void)vsnprintf(buffer + used, size - used, format, arguments);
	va_end(arguments);
}

const char *
bind_diagnosis_owner(const struct sock_diag_socket *socket,
	const struct socket_owner_list *owners, char *buffer, size_t size)
{
	const struct socket_owner *holder;
	size_t n = 0;
	const struct socket_owner *owner =
		socket_owner_to_name(owners, socket->inode, &holder, &n);

	buffer[0] = '\0';
	if (!owner) {
		if (socket->inode == 0)
			bind_append(buffer, size, "no process");
		else
			bind_append(buffer, size,
				"a process that may not be seen (uid %u)",
				(unsigned)socket->uid);
		return buffer;
	}
	bind_append(buffer, size, "%s (pid %d", owner->comm, (int)owner->pid);
	if (owner->unit[0])
		bind_append(buffer, size, ", %s", owner->unit);
	if (owner->container[0])
		bind_append(buffer, size, ", %s", owner->container);
	if (owner->other_netns)
		bind_append(buffer, size, ", lives in another network namespace");
	if (holder && holder != owner)
		bind_append(buffer, size, ", held by %s, pid %d", holder->comm,
			(int)holder->pid);
	else if (n > 1)
		bind_append(buffer, size, ", and %zu more", n - 1);
	bind_append(buffer, size, ")");
	return buffer;
}

struct bind_reason {
	const struct bind_answer *answer;
	const struct socket_owner_list *owners;
	struct bind_port_range ephemeral;
	char *buffer;
	size_t size;
};

static void
bind_reason_alive(const struct bind_reason *reason, enum bind_blocker kind)
{
	const struct sock_diag_socket *socket = reason->answer->first[kind];
	size_t n = reason->answer->n_blockers[kind];
	char owner[256];
	char local[SOCK_DIAG_ENDPOINT_MAX];
	char remote[SOCK_DIAG_ENDPOINT_MAX];

	(void)bind_diagnosis_owner(socket, reason->owners, owner, sizeof(owner));
	(void)sock_diag_format_endpoint(
		&socket->local, socket->local_port, local, sizeof(local));
	(void)sock_diag_format_endpoint(
		&socket->remote, socket->remote_port, remote, sizeof(remote));
	if (kind == BIND_BLOCKER_LISTENER) {
		bind_append(
			reason->buffer, reason->size, "%s listens on %s", owner, local);
	} else if (kind == BIND_BLOCKER_BOUND) {
		bind_append(
			reason->buffer, reason->size, "%s has bound %s", owner, local);
	} else if (sock_diag_is_self_connected(socket)) {
		bind_append(reason->buffer, reason->size,
			"%s has connected to itself on %s", owner, local);
	} else if (kind == BIND_BLOCKER_OUTGOING) {
		bind_append(reason->buffer, reason->size,
			"an outgoing connection of %s to %s uses the port", owner,
			remote);
		if (bind_in_range(socket->local_port, reason->ephemeral))
			bind_append(reason->buffer, reason->size,
				" from the ephemeral range %u-%u", reason->ephemeral.low,
				reason->ephemeral.high);
	} else if (socket->inode == 0) {
		bind_append(reason->buffer, reason->size,
			"a connection from %s waits in the accept queue of %s", remote,
			local);
	} else {
		bind_append(reason->buffer, reason->size,
			"%s has a live connection from %s", owner, remote);
	}
	if (n > 1)
		bind_append(reason->buffer, reason->size, " (and %zu more)", n - 1);
}

static void
bind_reason_dead(const struct bind_reason *reason, enum bind_blocker kind)
{
	const struct sock_diag_socket *socket = reason->answer->first[kind];
	size_t n = reason->answer->n_blockers[kind];
	uint64_t msec = reason->answer->time_wait_msec;
	const char *whose;
	char span[64];

	if (kind == BIND_BLOCKER_CLOSING)
		msec = reason->answer->closing_msec;
	/* Whole seconds, rounded up: who waits that long finds the port free. */
	msec = (msec + BIND_MSEC_PER_SEC - 1) / BIND_MSEC_PER_SEC * BIND_MSEC_PER_SEC;
	(void)timespan_format(msec * USEC_PER_MSEC, span, sizeof(span));
	if (kind == BIND_BLOCKER_CLOSING) {
		bind_append(reason->buffer, reason->size,
			"%zu %s of a dead process %s still closing (%s)", n,
			n == 1 ? "connection" : "connections", n == 1 ? "is" : "are",
			sock_diag_state_name(socket));
		if (msec)
			bind_append(reason->buffer, reason->size, ", gone in %s", span);
		return;
	}
	/* An outgoing one, or one beside a listener, may be over without any death. */
	if (reason->answer->time_wait_outgoing)
		whose = n == 1 ? "outgoing connection that ended"
			       : "outgoing connections that ended";
	else if (reason->answer->n_blockers[BIND_BLOCKER_LISTENER])
		whose = n == 1 ? "connection that ended" : "connections that ended";
	else
		whose = n == 1 ? "connection of a dead process"
			       : "connections of a dead process";
	bind_append(reason->buffer, reason->size, "%zu %s %s in TIME_WAIT, %s %s", n,
		whose, n == 1 ? "is" : "are", n == 1 ? "gone in" : "the last one gone in",
		span);
}

const char *
bind_diagnosis_reason(const struct bind_answer *answer,
	const struct socket_owner_list *owners, struct bind_port_range ephemeral,
	char *buffer, size_t size)
{
	const struct bind_reason reason = { answer, owners, ephemeral, buffer, size };
	int n_told = 0;

	buffer[0] = '\0';
	/* The two gravest kinds are enough for one line. */
	for (int kind = 0; kind < BIND_BLOCKER_MAX && n_told < 2; kind++) {
		if (!answer->n_blockers[kind])
			continue;
		if (n_told++)
			bind_append(buffer, size, "; ");
		if (kind == BIND_BLOCKER_CLOSING || kind == BIND_BLOCKER_TIME_WAIT)
			bind_reason_dead(&reason, (enum bind_blocker)kind);
		else
			bind_reason_alive(&reason, (enum bind_blocker)kind);
	}
	return buffer;
}

/* ---- the machine */

static int
bind_read_numbers(const char *path, unsigned numbers[2])
{
	PK_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	char *end;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	numbers[0] = (unsigned)strtoul(text, &end, 10);
	if (end == text)
		return 0;
	numbers[1] = (unsigned)strtoul(end, &end, 10);
	return numbers[1] ? 2 : 1;
}

struct bind_port_range
bind_diagnosis_ephemeral(void)
{
	struct bind_port_range range = { .low = 32768, .high = 60999 };
	unsigned numbers[2] = { 0 };

	if (bind_read_numbers("/proc/sys/net/ipv4/ip_local_port_range", numbers) == 2 &&
		numbers[0] <= UINT16_MAX && numbers[1] <= UINT16_MAX) {
		range.low = (uint16_t)numbers[0];
		range.high = (uint16_t)numbers[1];
	}
	return range;
}

unsigned
bind_diagnosis_unprivileged_start(void)
{
	unsigned numbers[2] = { 1024, 0 };

	(void)bind_read_numbers("/proc/sys/net/ipv4/ip_unprivileged_port_start", numbers);
	return numbers[0];
}

int
bind_diagnosis_try(const struct socket_address *address, bool reuse_address)
{
	int family = address->storage.any.sa_family;
	PK_CLOSE int fd = socket(family, address->type | SOCK_CLOEXEC, address->protocol);
	int one = 1;
	int v6only = !address->dual_stack;

	if (fd < 0)
		return -errno;
	if (reuse_address &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	if (family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0)
		return -errno;
	return bind(fd, &address->storage.any, address->length) < 0 ? -errno : 0;
}
