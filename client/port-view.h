/* SPDX-License-Identifier: MIT */
/*
 * port-view: what inspect, release and doctor look at: the port that a user named, every
 * socket on it, who holds them, and whether it can be bound.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/bind-diagnosis.h"
#include "protocol/error.h"
#include "protocol/sock-diag.h"
#include "protocol/socket-address.h"
#include "protocol/socket-owner.h"

#define PORT_TARGETS_MAX 64

/* One port that was asked for. */
struct port_target {
	struct socket_address address; /* what a program would bind */
	bool any_address;  /* only a port was named: sockets of all addresses */
	bool any_protocol; /* neither tcp: nor udp: was named */
};

struct port_target_list {
	struct port_target targets[PORT_TARGETS_MAX];
	size_t n_targets;
};

struct port_view {
	struct sock_diag *diag;
	struct sock_diag_list sockets;
	struct socket_owner_list owners;
	struct bind_port_range ephemeral;
};

/*
 * What "49200", "udp:53", "127.0.0.1:80" or the NAME of a `portkeeper run --name NAME`
 * means; a name means each TCP and UDP port that its supervisor holds. Returns 0, or
 * -errno with `err` filled: -EINVAL no port, -ENOENT no such name.
 */
int port_targets_find(
	const char *text, struct port_target_list *ret_targets, struct error *err);

/* Loads the sockets of `target`, with TCP_INFO, options and owners. 0, or -errno and
 * `err`. */
int port_view_load(
	struct port_view *view, const struct port_target *target, struct error *err);
void port_view_done(struct port_view *view);
void port_view_cleanup(struct port_view *view);

/* Can it be bound? What the rule cannot tell is asked of the kernel by a bind(). */
struct port_verdict {
	struct bind_answer plain; /* without SO_REUSEADDR */
	struct bind_answer reuse; /* with it */
	char reason[512];	  /* why not without; "" if nothing blocks */
	char reuse_reason[512];
	char sentence[1400]; /* the whole of it for people */
};

void port_verdict_ask(const struct port_view *view, const struct port_target *target,
	int type, struct port_verdict *ret_verdict);

/* Binds the target's address without SO_REUSEADDR, and closes it; 0 or -errno. [::]
 * becomes 0.0.0.0 on a machine without IPv6. */
int port_target_try(const struct port_target *target);

/* "possible", "blocked", "uncertain". */
const char *port_verdict_word(enum bind_verdict verdict);

/* The same as a JSON object (NULL without memory). */
json_t *port_verdict_json(const struct port_verdict *verdict, int type);
