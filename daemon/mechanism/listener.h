/* SPDX-License-Identifier: MIT */
/*
 * listener: one held socket. It is bound and listening in one go, or taken over from
 * where it was stored, and it stays the same socket until listener_free(): no crash,
 * restart or pause of the service closes it.
 *
 * A child holds the same socket and can damage it; listener_repair() puts back what it
 * can see. Facts and their sources stand beside the code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/spec.h"
#include "protocol/error.h"

struct listener {
	const struct listen_spec *spec;	      /* borrowed from the unit */
	const struct socket_options *options; /* borrowed from the unit */
	struct socket_address address;	    /* as the kernel has it: port 0 is resolved */
	char text[SOCKET_ADDRESS_TEXT_MAX]; /* `address` for people */
	char store_name[24];		    /* its name in the manager's fd store */
	int fd;
	unsigned queue_limit; /* what the kernel made of the backlog; 0: it does not tell
			       */
	bool refusing;	      /* shut down on purpose: clients are refused */
	bool was_short;	      /* a shortened queue has been told of once */
};

enum listener_damage {
	LISTENER_WAS_NONBLOCKING = 1 << 0,
	LISTENER_QUEUE_WAS_SHORT = 1 << 1,
	LISTENER_WAS_SHUT_DOWN = 1 << 2,
	LISTENER_WAS_REPLACED = 1 << 3, /* an AF_UNIX one: `fd` is a new socket */
};

/*
 * Makes the socket of `spec`, with `options`, bound and listening. Both are borrowed for
 * the listener's life. Returns 0, or -errno with `err` filled: the code of bind() or
 * listen() is passed on as it is (-EADDRINUSE, -EACCES, ...), and the message then is
 * bind_diagnosis_'s.
 */
int listener_open(const struct listen_spec *spec, const struct socket_options *options,
	struct listener **ret_listener, struct error *err);

/*
 * Takes a socket that is there already, from the fd store or inherited; `fd` is consumed,
 * also on failure. Returns 0; -EINVAL with `err` when it is not what `spec` describes
 * (for fd:N any listening or datagram socket will do), or -errno.
 */
int listener_take_consume(const struct listen_spec *spec,
	const struct socket_options *options, int fd, struct listener **ret_listener,
	struct error *err);

/* Closes our descriptor, and unlinks the path if RemoveOnStop= says so and `at_stop`. */
struct listener *listener_free(struct listener *listener, bool at_stop);

/*
 * Clients waiting in the accept queue now. 0, or -EOPNOTSUPP where the kernel does not
 * tell (AF_UNIX, UDP), or -errno.
 */
int listener_queue(const struct listener *listener, unsigned *ret_waiting);

/*
 * Checks what a child can damage and mends it: the queue's limit and a shutdown always,
 * and O_NONBLOCK (put to `non_blocking`) if `before_start`. A listener that refuses on
 * purpose stays so. Returns the damage found (bits of enum listener_damage), or -errno.
 */
int listener_repair(struct listener *listener, bool before_start, bool non_blocking);

/*
 * listen() with the full backlog, without any question: what the last child may have cut
 * short must not turn away the clients of the gap. Costs one system call. 0 or -errno.
 */
int listener_restore_queue(struct listener *listener);

/* WhileDown=refuse: from now on clients are refused; the port stays bound. 0 or -errno.
 */
int listener_refuse(struct listener *listener);
/* Listens again after listener_refuse(). 0 or -errno. */
int listener_revive(struct listener *listener);
