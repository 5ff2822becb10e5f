/* SPDX-License-Identifier: MIT */
/* doctor-port: what may go wrong with the port that was named. See doctor.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/doctor.h"
#include "protocol/timespan.h"

/* Below this a restart of some tenths of a second loses clients on any busy server. */
#define DOCTOR_BACKLOG_SMALL 128
/* The kernel's own default since Linux 5.4. */
#define DOCTOR_SOMAXCONN_DEFAULT 4096

static uint16_t
doctor_port(const struct doctor *doctor)
{
	return socket_address_port(&doctor->target->address);
}

const struct sock_diag_socket *
doctor_listener(const struct doctor *doctor)
{
	for (size_t i = 0; doctor->view && i < doctor->view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &doctor->view->sockets.sockets[i];

		if (socket->protocol == IPPROTO_TCP && socket->state == SOCK_DIAG_LISTEN)
			return socket;
	}
	return NULL;
}

bool
doctor_list_has_port(const char *list, uint16_t port)
{
	const char *p = list;

	while (*p) {
		char *end;
		unsigned long low = strtoul(p, &end, 10);
		unsigned long high = low;

		if (end == p)
			return false;
		if (*end == '-')
			high = strtoul(end + 1, &end, 10);
		if (port >= low && port <= high)
			return true;
		p = end + (*end == ',');
		if (p == end)
			break;
	}
	return false;
}

void
doctor_check_ephemeral_range(const struct doctor *doctor, struct doctor_result *result)
{
	uint16_t port = doctor_port(doctor);
	char text[64];
	unsigned low;
	unsigned high;
	/* As long as the kernel can write it: 32768 single ports. */
	static char reserved[1 << 18];

	if (!doctor_read_sysctl(
		    doctor, "net/ipv4/ip_local_port_range", text, sizeof(text)) ||
		sscanf(text, "%u %u", &low, &high) != 2) {
		doctor_say(result, DOCTOR_UNKNOWN, "ip_local_port_range cannot be read");
		return;
	}
	if (port < low || port > high) {
		doctor_say(
			result, DOCTOR_OK, "%u lies outside of %u-%u", port, low, high);
		return;
	}
	if (doctor_read_sysctl(doctor, "net/ipv4/ip_local_reserved_ports", reserved,
		    sizeof(reserved)) &&
		doctor_list_has_port(reserved, port)) {
		doctor_say(result, DOCTOR_OK, "%u lies in %u-%u, and is reserved", port,
			low, high);
		return;
	}
	doctor_say(result, DOCTOR_BAD, "%u lies in %u-%u, and is not reserved", port, low,
		high);
	doctor_todo(result, "sudo portkeeper doctor %u --fix", port);
}

void
doctor_check_outgoing_use(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_socket *first = NULL;
	size_t n = 0;
	char owner[256];
	char remote[SOCK_DIAG_ENDPOINT_MAX];

	for (size_t i = 0; i < doctor->view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &doctor->view->sockets.sockets[i];

		if (!bind_diagnosis_is_outgoing(
			    socket, &doctor->view->sockets, doctor->view->ephemeral))
			continue;
		if (!first)
			first = socket;
		n++;
	}
	if (!first) {
		doctor_say(result, DOCTOR_OK, "no outgoing connection uses it");
		return;
	}
	doctor_say(result, DOCTOR_BAD, "%s has it for a connection to %s (%s)%s",
		bind_diagnosis_owner(first, &doctor->view->owners, owner, sizeof(owner)),
		sock_diag_format_endpoint(
			&first->remote, first->remote_port, remote, sizeof(remote)),
		sock_diag_state_name(first), n > 1 ? ", and there are more" : "");
	doctor_todo(result, "sudo portkeeper release %u --all", doctor_port(doctor));
}

void
doctor_check_self_connect(const struct doctor *doctor, struct doctor_result *result)
{
	char owner[256];

	for (size_t i = 0; i < doctor->view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &doctor->view->sockets.sockets[i];

		if (!sock_diag_is_self_connected(socket))
			continue;
		doctor_say(result, DOCTOR_BAD, "%s is connected to itself",
			bind_diagnosis_owner(
				socket, &doctor->view->owners, owner, sizeof(owner)));
		doctor_todo(result, "sudo portkeeper release %u --all --yes",
			doctor_port(doctor));
		return;
	}
	doctor_say(result, DOCTOR_OK, "no client is connected to itself");
}

void
doctor_check_privileged_port(const struct doctor *doctor, struct doctor_result *result)
{
	uint16_t port = doctor_port(doctor);
	uint64_t start;

	if (!doctor_read_number(doctor, "net/ipv4/ip_unprivileged_port_start", &start)) {
		doctor_say(result, DOCTOR_UNKNOWN,
			"ip_unprivileged_port_start cannot be read");
	} else if (port >= start) {
		doctor_say(result, DOCTOR_OK, "anybody may bind ports from %llu up",
			(unsigned long long)start);
	} else if (geteuid() == 0) {
		doctor_say(result, DOCTOR_OK, "%u is below %llu, and you are root", port,
			(unsigned long long)start);
	} else {
		doctor_say(result, DOCTOR_BAD,
			"%u is below %llu: binding it needs a right", port,
			(unsigned long long)start);
		doctor_todo(result,
			"sudo sysctl -w net.ipv4.ip_unprivileged_port_start=%u", port);
	}
}

void
doctor_check_somaxconn(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_socket *listener = doctor_listener(doctor);
	uint64_t wanted = doctor->backlog ? doctor->backlog
		: listener		  ? listener->send_queue
					  : 0;
	uint64_t limit;

	if (!doctor_read_number(doctor, "net/core/somaxconn", &limit)) {
		doctor_say(result, DOCTOR_UNKNOWN, "somaxconn cannot be read");
	} else if (wanted > limit) {
		doctor_say(result, DOCTOR_BAD, "somaxconn %llu cuts a backlog of %llu",
			(unsigned long long)limit, (unsigned long long)wanted);
		doctor_todo(result,
			"sudo sysctl -w net.core.somaxconn=%llu, then start the "
			"listener again",
			(unsigned long long)wanted);
	} else if (limit < DOCTOR_SOMAXCONN_DEFAULT && (!wanted || wanted == limit)) {
		doctor_say(result, DOCTOR_NOTE,
			"somaxconn %llu is below the kernel's default %d",
			(unsigned long long)limit, DOCTOR_SOMAXCONN_DEFAULT);
		doctor_todo(result, "sudo sysctl -w net.core.somaxconn=%d",
			DOCTOR_SOMAXCONN_DEFAULT);
	} else {
		doctor_say(
			result, DOCTOR_OK, "somaxconn %llu", (unsigned long long)limit);
	}
}

void
doctor_check_backlog(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_socket *listener = doctor_listener(doctor);
	uint64_t backlog = doctor->backlog ? doctor->backlog
		: listener		   ? listener->send_queue
					   : 0;
	double restart = (double)doctor->restart_usec / (double)USEC_PER_SEC;
	double needed = doctor->rate > 0 ? doctor->rate * restart : 0;
	const char *measured = doctor->rate_measured ? " (all ports, just now)" : "";
	char bridged[64];
	char span[64];

	if (!backlog) {
		doctor_say(result, DOCTOR_UNKNOWN,
			"nobody listens, and no --backlog was given");
		return;
	}
	(void)timespan_format(doctor->restart_usec, span, sizeof(span));
	if (doctor->rate > 0) {
		double usec = (double)backlog / doctor->rate * (double)USEC_PER_SEC;

		(void)timespan_format(
			usec < 1e15 ? (uint64_t)usec : UINT64_C(1000000000000000),
			bridged, sizeof(bridged));
	}
	if (needed > (double)backlog) {
		doctor_say(result, DOCTOR_BAD,
			"%llu bridges %s at %.0f connections/s%s; a restart takes %s",
			(unsigned long long)backlog, bridged, doctor->rate, measured,
			span);
		doctor_todo(result,
			"listen with a backlog of %.0f or more, Backlog=%.0f in a unit "
			"(and somaxconn likewise)",
			needed * 2, needed * 2);
	} else if (backlog < DOCTOR_BACKLOG_SMALL) {
		doctor_say(result, DOCTOR_NOTE, "the queue takes only %llu clients",
			(unsigned long long)backlog);
		doctor_todo(result,
			"listen with a backlog of 4096, or let portkeeper hold the "
			"port: portkeeper run -l %u -- PROGRAM",
			doctor_port(doctor));
	} else if (doctor->rate > 0) {
		doctor_say(result, DOCTOR_OK,
			"%llu bridges %s at %.0f connections/s%s; a restart takes %s",
			(unsigned long long)backlog, bridged, doctor->rate, measured,
			span);
	} else {
		doctor_say(result, DOCTOR_OK, "%llu, and no connections arrive just now",
			(unsigned long long)backlog);
	}
}

void
doctor_check_accept_queue(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_socket *worst = NULL;
	char owner[256];

	for (size_t i = 0; i < doctor->view->sockets.n_sockets; i++) {
		const struct sock_diag_socket *socket = &doctor->view->sockets.sockets[i];

		if (socket->protocol != IPPROTO_TCP || socket->state != SOCK_DIAG_LISTEN)
			continue;
		if (!worst || socket->receive_queue > worst->receive_queue)
			worst = socket;
	}
	if (!worst) {
		doctor_say(result, DOCTOR_UNKNOWN, "nobody listens");
		return;
	}
	/* sk_acceptq_is_full(): one more than the limit fits. */
	if (worst->receive_queue > worst->send_queue) {
		doctor_say(result, DOCTOR_BAD, "full: %u of %u clients wait for %s",
			worst->receive_queue, worst->send_queue,
			bind_diagnosis_owner(
				worst, &doctor->view->owners, owner, sizeof(owner)));
		doctor_todo(result,
			"see what it is doing: it does not accept; 'portkeeper inspect "
			"%u --watch'",
			doctor_port(doctor));
	} else if (worst->receive_queue > worst->send_queue / 2) {
		doctor_say(result, DOCTOR_NOTE, "%u of %u clients wait",
			worst->receive_queue, worst->send_queue);
		doctor_todo(result, "portkeeper inspect %u --watch", doctor_port(doctor));
	} else {
		doctor_say(result, DOCTOR_OK, "%u of %u clients wait",
			worst->receive_queue, worst->send_queue);
	}
}

/* ---- who else might get the traffic */

static bool
doctor_receives(const struct sock_diag_socket *socket)
{
	if (socket->protocol == IPPROTO_UDP)
		return socket->remote_port == 0;
	return socket->protocol == IPPROTO_TCP && socket->state == SOCK_DIAG_LISTEN;
}

static struct socket_address
doctor_address_of(const struct sock_diag_socket *socket)
{
	struct socket_address address = { .dual_stack = socket->v6only == 0 };

	if (socket->family == AF_INET) {
		address.storage.in.sin_family = AF_INET;
		address.storage.in.sin_port = htons(socket->local_port);
		memcpy(&address.storage.in.sin_addr, &socket->local.s6_addr[12], 4);
	} else {
		address.storage.in6.sin6_family = AF_INET6;
		address.storage.in6.sin6_port = htons(socket->local_port);
		address.storage.in6.sin6_addr = socket->local;
	}
	return address;
}

static bool
doctor_same_owner(const struct doctor *doctor, const struct sock_diag_socket *a,
	const struct sock_diag_socket *b)
{
	const struct socket_owner *one =
		socket_owner_of(&doctor->view->owners, a->inode, NULL);
	const struct socket_owner *two =
		socket_owner_of(&doctor->view->owners, b->inode, NULL);

	return one && two &&
		(one->pid == two->pid ||
			(one->unit[0] && strcmp(one->unit, two->unit) == 0 &&
				strcmp(one->comm, two->comm) == 0));
}

static void
doctor_say_pair(const struct doctor *doctor, const struct sock_diag_socket *a,
	const struct sock_diag_socket *b, struct doctor_result *result)
{
	char one[SOCK_DIAG_ENDPOINT_MAX];
	char two[SOCK_DIAG_ENDPOINT_MAX];
	char owner_one[128];
	char owner_two[128];
	bool same = memcmp(&a->local, &b->local, sizeof(a->local)) == 0;

	(void)sock_diag_format_endpoint(&a->local, a->local_port, one, sizeof(one));
	(void)sock_diag_format_endpoint(&b->local, b->local_port, two, sizeof(two));
	(void)bind_diagnosis_owner(
		a, &doctor->view->owners, owner_one, sizeof(owner_one));
	(void)bind_diagnosis_owner(
		b, &doctor->view->owners, owner_two, sizeof(owner_two));
	if (same)
		doctor_say(result, DOCTOR_BAD, "%s and %s both receive on %s (%s)",
			owner_one, owner_two, one,
			a->protocol == IPPROTO_UDP ? "SO_REUSEADDR or SO_REUSEPORT"
						   : "SO_REUSEPORT");
	else
		doctor_say(result, DOCTOR_BAD,
			"%s on %s and %s on %s: the more specific one wins", owner_one,
			one, owner_two, two);
	doctor_todo(result,
		"portkeeper inspect %u, and stop the one that should not be there",
		doctor_port(doctor));
}

void
doctor_check_shared_traffic(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_list *sockets = &doctor->view->sockets;
	const struct sock_diag_socket *open_udp = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sockets->n_sockets; i++) {
		const struct sock_diag_socket *a = &sockets->sockets[i];
		struct socket_address address = doctor_address_of(a);

		if (!doctor_receives(a))
			continue;
		n++;
		if (a->protocol == IPPROTO_UDP && a->reuse_address == 1)
			open_udp = a;
		for (size_t k = i + 1; k < sockets->n_sockets; k++) {
			const struct sock_diag_socket *b = &sockets->sockets[k];

			if (!doctor_receives(b) || a->protocol != b->protocol ||
				!bind_diagnosis_overlaps(&address, b) ||
				doctor_same_owner(doctor, a, b))
				continue;
			doctor_say_pair(doctor, a, b, result);
			return;
		}
	}
	if (open_udp) {
		doctor_say(result, DOCTOR_NOTE,
			"a UDP socket has SO_REUSEADDR: any user's program may take its "
			"port");
		doctor_todo(result,
			"leave SO_REUSEADDR out for UDP; portkeeper never sets it there");
	} else if (n) {
		doctor_say(result, DOCTOR_OK, "no other socket can take its traffic");
	} else {
		doctor_say(result, DOCTOR_UNKNOWN, "nobody receives on it");
	}
}

void
doctor_check_held(const struct doctor *doctor, struct doctor_result *result)
{
	const struct sock_diag_list *sockets = &doctor->view->sockets;
	const struct socket_owner *holder = NULL;
	char owner[256];

	for (size_t i = 0; i < sockets->n_sockets; i++) {
		const struct sock_diag_socket *socket = &sockets->sockets[i];

		if (!doctor_receives(socket))
			continue;
		(void)socket_owner_to_name(
			&doctor->view->owners, socket->inode, &holder, NULL);
		if (holder)
			continue;
		doctor_say(result, DOCTOR_NOTE, "%s has it: the port closes with that",
			bind_diagnosis_owner(
				socket, &doctor->view->owners, owner, sizeof(owner)));
		doctor_todo(result,
			"portkeeper run -l %u -- PROGRAM, or a unit for portkeeperd",
			doctor_port(doctor));
		return;
	}
	if (holder)
		doctor_say(result, DOCTOR_OK, "held by %s (pid %d)", holder->comm,
			(int)holder->pid);
	else
		doctor_say(result, DOCTOR_UNKNOWN, "nobody receives on it");
}
