/* SPDX-License-Identifier: MIT */
/*
 * run-store: named file descriptors, kept for a portkeeperd that may die: the fd store of
 * sd_notify(3), as far as one needs it.
 */
#pragma once

#include <stddef.h>

/* More are refused: portkeeperd needs a few per service, and it has one. */
#define RUN_STORE_MAX 4096

struct run_store_entry {
	char *name;
	int fd; /* owned */
};

struct run_store {
	struct run_store_entry *entries;
	size_t n;
};

#define RUN_STORE_EMPTY ((struct run_store){ .n = 0 })

/*
 * Adds `fd` (consumed, also on failure) under `name`; several may have one name, but the
 * same open file is kept once. Returns 0, -ENOMEM, or -E2BIG.
 */
int run_store_add_consume(struct run_store *store, const char *name, int fd);

/* Closes all that have this name. */
void run_store_remove(struct run_store *store, const char *name);

void run_store_done(struct run_store *store);
