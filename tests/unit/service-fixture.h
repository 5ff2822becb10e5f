/* SPDX-License-Identifier: MIT */
/*
 * service-fixture: one service at work over the fake loop and the fake processes, with
 * real listeners on ports that the kernel chose. What test-service.c and
 * test-service-stop.c share.
 */
#pragma once

#include "config/unit.h"
#include "policy/service.h"

struct fixture {
	struct loop *loop;
	struct service_host host;
	struct unit *unit;
	struct service *service;
	unsigned n_ends;    /* calls of on_end */
	unsigned n_fetches; /* calls of fetch_signals */
	bool tree_changed;
};

#define FIXTURE_MAIN "/main"

/*
 * Makes the fixture for `directives` ("Name=value", then NULL), with one TCP listener on
 * 127.0.0.1. The service is down.
 */
void fixture_open(struct fixture *fixture, const char *const *directives);

/* Frees everything, and fails the test if a timer, an io or a descriptor stays behind. */
void fixture_close(struct fixture *fixture);

/* What SIGCHLD does in portkeeperd. */
void fixture_reap(struct fixture *fixture);

/* The main process that runs now; fails the test when there is none. */
pid_t fixture_main(struct fixture *fixture);

/* The main process ends, and that is noticed. */
void fixture_crash(struct fixture *fixture);
void fixture_exit(struct fixture *fixture, int status);

/* Of listener 0. */
int fixture_fd(const struct fixture *fixture);
uint16_t fixture_port(const struct fixture *fixture);
uint64_t fixture_cookie(const struct fixture *fixture);
bool fixture_listens(const struct fixture *fixture);
/* A real connect() to it: the connection, or -errno. */
int fixture_connect(const struct fixture *fixture);
