/* SPDX-License-Identifier: MIT */
/*
 * doctor: the checks of `portkeeper doctor`, one table row and one function each.
 *
 * A check looks at one thing and writes a status, the value found, and what to do about
 * it; why it matters and where that stands in a manual is said in the table, once. A
 * check never changes anything. Kernel features are probed by calling them in a way that
 * cannot succeed or has no effect, never by comparing version numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/port-view.h"
#include "protocol/error.h"

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_NOTE,	/* worth knowing */
	DOCTOR_BAD,	/* something must be done */
	DOCTOR_UNKNOWN, /* cannot be told, or there is nothing to look at */
	DOCTOR_STATUS_MAX,
};

struct doctor_result {
	enum doctor_status status;
	char value[320]; /* what was found, one line */
	char todo[512];	 /* a command to paste, or a sentence; "" if nothing is to be done
			  */
};

/* Counters of the network namespace since it began. */
struct doctor_counters {
	bool known;
	uint64_t listen_overflows; /* a connection was dropped because a queue was full */
	uint64_t passive_opens; /* connections that were accepted by a listener's queue */
};

/* What all checks may look at. */
struct doctor {
	const struct port_target *target; /* NULL: no port was named */
	const struct port_view *view;	  /* its sockets; NULL without a port */
	const char *root;		  /* before /etc and /proc/sys; "" normally */
	uint64_t backlog;		  /* --backlog, 0: the listener's own limit */
	double rate;			  /* connections a second; < 0: not known */
	bool rate_measured;
	uint64_t restart_usec;
	struct doctor_counters before; /* one sample period before `after` */
	struct doctor_counters after;
	uint64_t sample_usec;
};

struct doctor_check {
	const char *id;
	bool needs_port;
	const char *why;
	const char *source;
	void (*run)(const struct doctor *doctor, struct doctor_result *result);
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_n_checks;

/* Sets all of a result. */
void doctor_say(struct doctor_result *result, enum doctor_status status,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
void doctor_todo(struct doctor_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reads ROOT/proc/sys/NAME ("net/ipv4/tcp_fin_timeout") as text without its line feed, or
 * as a number. False if there is no such file, or no number in it. */
bool doctor_read_sysctl(
	const struct doctor *doctor, const char *name, char *buffer, size_t size);
bool doctor_read_number(
	const struct doctor *doctor, const char *name, uint64_t *ret_number);
struct doctor_counters doctor_read_counters(void);

/* The first listening socket of the port, or NULL. */
const struct sock_diag_socket *doctor_listener(const struct doctor *doctor);

/* Whether `port` is in a list such as "8080,9000-9010". */
bool doctor_list_has_port(const char *list, uint16_t port);

/*
 * doctor --fix: adds the port to net.ipv4.ip_local_reserved_ports, keeps all that are
 * there, verifies both, and prints the line for sysctl.d. Returns 0, or -errno with `err`
 * filled.
 */
int doctor_reserve_port(uint16_t port, bool quiet, struct error *err);

/* doctor-port.c */
void doctor_check_ephemeral_range(const struct doctor *, struct doctor_result *);
void doctor_check_outgoing_use(const struct doctor *, struct doctor_result *);
void doctor_check_self_connect(const struct doctor *, struct doctor_result *);
void doctor_check_privileged_port(const struct doctor *, struct doctor_result *);
void doctor_check_somaxconn(const struct doctor *, struct doctor_result *);
void doctor_check_backlog(const struct doctor *, struct doctor_result *);
void doctor_check_accept_queue(const struct doctor *, struct doctor_result *);
void doctor_check_shared_traffic(const struct doctor *, struct doctor_result *);
void doctor_check_held(const struct doctor *, struct doctor_result *);
/* doctor-system.c */
void doctor_check_overflows(const struct doctor *, struct doctor_result *);
void doctor_check_tw_reuse(const struct doctor *, struct doctor_result *);
void doctor_check_tw_recycle(const struct doctor *, struct doctor_result *);
void doctor_check_fin_timeout(const struct doctor *, struct doctor_result *);
void doctor_check_abort_on_overflow(const struct doctor *, struct doctor_result *);
void doctor_check_max_tw_buckets(const struct doctor *, struct doctor_result *);
void doctor_check_limits(const struct doctor *, struct doctor_result *);
/* doctor-kernel.c */
void doctor_check_seccomp_notify(const struct doctor *, struct doctor_result *);
void doctor_check_pidfd_getfd(const struct doctor *, struct doctor_result *);
void doctor_check_pidfd_info(const struct doctor *, struct doctor_result *);
void doctor_check_sock_destroy(const struct doctor *, struct doctor_result *);
void doctor_check_ptrace_scope(const struct doctor *, struct doctor_result *);
