/* SPDX-License-Identifier: MIT */
/*
 * bind-diagnosis: can a program bind this address now, and if not, because of which
 * socket?
 *
 * bind_diagnosis_ask() is the kernel's own rule (inet_csk_bind_conflict() for TCP,
 * udp_lib_lport_inuse() for UDP) over a list of sockets: two sockets conflict where their
 * addresses overlap, unless both have SO_REUSEADDR and the older one does not listen, or
 * both have SO_REUSEPORT and one owner. Connections and TIME_WAIT sockets take part: they
 * carry the flags of the listener they came from. What the kernel does not tell (those
 * flags, for a socket whose process is gone) makes the answer "uncertain";
 * bind_diagnosis_try() then asks the kernel with a bind() that is closed at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/error.h"
#include "protocol/sock-diag.h"
#include "protocol/socket-address.h"
#include "protocol/socket-owner.h"

enum bind_verdict {
	BIND_POSSIBLE,
	BIND_BLOCKED,
	BIND_UNCERTAIN, /* it depends on flags that the kernel does not tell */
};

/* What stands in the way; the first kind that is there is the one to name. */
enum bind_blocker {
	BIND_BLOCKER_LISTENER,
	BIND_BLOCKER_BOUND,	 /* bound, does not listen; every UDP socket */
	BIND_BLOCKER_OUTGOING,	 /* a live connection that began here, as far as one can
				    tell */
	BIND_BLOCKER_CONNECTION, /* a live connection that was accepted on the port */
	BIND_BLOCKER_CLOSING, /* no process has it any more, its data is still on the way
			       */
	BIND_BLOCKER_TIME_WAIT,
	BIND_BLOCKER_MAX,
};

#define BIND_FREE_UNKNOWN UINT64_MAX

struct bind_port_range {
	uint16_t low; /* both are ports of the range */
	uint16_t high;
};

struct bind_question {
	const struct socket_address *address;
	bool reuse_address;
	bool reuse_port;
	uid_t uid; /* of the program that binds; only SO_REUSEPORT asks for it */
	struct bind_port_range ephemeral;
};

struct bind_answer {
	enum bind_verdict verdict;
	size_t n_blockers[BIND_BLOCKER_MAX];
	const struct sock_diag_socket *first[BIND_BLOCKER_MAX]; /* points into the list */
	/* Milliseconds until the last blocker is gone by itself; BIND_FREE_UNKNOWN while
	 * something lives, or a dead connection has no end in sight. 0 if nothing blocks.
	 */
	uint64_t free_in_msec;
	uint64_t closing_msec;	 /* the same of FIN_WAIT_2 alone; 0: no end in sight */
	uint64_t time_wait_msec; /* the same of the TIME_WAIT sockets alone */
	bool time_wait_outgoing; /* the first of those was an outgoing connection */
};

/* Pure: no system call, no allocation. MPTCP rows are passed over, their TCP rows count.
 */
void bind_diagnosis_ask(const struct bind_question *question,
	const struct sock_diag_list *sockets, struct bind_answer *ret_answer);

/* Which kind of blocker a socket is; also pure. */
enum bind_blocker bind_diagnosis_classify(const struct sock_diag_socket *socket,
	const struct sock_diag_list *sockets, struct bind_port_range ephemeral);

/*
 * Whether the connection began on this side. Nothing tells: a listener on its port says
 * "accepted"; else a port of the ephemeral range that talks to one outside of it says
 * "outgoing". Self-connections and SYN_SENT are. Pure.
 */
bool bind_diagnosis_is_outgoing(const struct sock_diag_socket *socket,
	const struct sock_diag_list *sockets, struct bind_port_range ephemeral);

/* Whether the address (with the port) and the socket cover a common address. */
bool bind_diagnosis_overlaps(
	const struct socket_address *address, const struct sock_diag_socket *socket);

/*
 * The reason in words: "nginx (pid 12, nginx.service) listens on 0.0.0.0:80", "12
 * connections of a dead process are in TIME_WAIT, the last one gone in 43 s". "" if
 * nothing blocks. Returns `buffer`.
 */
const char *bind_diagnosis_reason(const struct bind_answer *answer,
	const struct socket_owner_list *owners, struct bind_port_range ephemeral,
	char *buffer, size_t size);

/* "nginx (pid 12, nginx.service)", "a process that may not be seen (uid 33)". */
const char *bind_diagnosis_owner(const struct sock_diag_socket *socket,
	const struct socket_owner_list *owners, char *buffer, size_t size);

/* net.ipv4.ip_local_port_range; 32768-60999 if it cannot be read. */
struct bind_port_range bind_diagnosis_ephemeral(void);

/* net.ipv4.ip_unprivileged_port_start; 1024 if it cannot be read. */
unsigned bind_diagnosis_unprivileged_start(void);

/*
 * Binds a socket to the address, and closes it. Returns 0 or the negative errno of bind()
 * (or of socket()). For a moment of some microseconds the port belongs to this process.
 */
int bind_diagnosis_try(const struct socket_address *address, bool reuse_address);

/*
 * Fills `err` with one line that says what could not be bound and why, and with a hint
 * that says what to do; err->code becomes `bind_errno` (negative). Asks the kernel and
 * /proc.
 */
void bind_diagnosis_explain(
	const struct socket_address *address, int bind_errno, struct error *err);
