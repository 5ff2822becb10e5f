/* SPDX-License-Identifier: MIT */
/* run-store: see run-store.h. */
#include "client/run-store.h"

#include <string.h>
#include <sys/syscall.h>
#include <linux/kcmp.h>

#include "protocol/cleanup.h"

/* Whether two numbers stand for one open file description: kcmp(2). */
static int
run_store_is_same(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

int
run_store_add_consume(struct run_store *store, const char *name, int fd)
{
	struct run_store_entry *grown;
	char *copy;

	for (size_t i = 0; i < store->n; i++)
		if (strcmp(store->entries[i].name, name) == 0 &&
			run_store_is_same(store->entries[i].fd, fd)) {
			(void)pk_close(fd);
			return 0;
		}
	if (store->n == RUN_STORE_MAX) {
		(void)pk_close(fd);
		return -E2BIG;
	}
	copy = strdup(name);
	grown = reallocarray(store->entries, store->n + 1, sizeof(*grown));
	if (grown)
		store->entries = grown;
	if (!copy || !grown) {
		free(copy);
		(void)pk_close(fd);
		return -ENOMEM;
	}
	store->entries[store->n++] = (struct run_store_entry){ .name = copy, .fd = fd };
	return 0;
}

void
run_store_remove(struct run_store *store, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < store->n; i++) {
		struct run_store_entry *entry = &store->entries[i];

		if (strcmp(entry->name, name) != 0) {
			store->entries[kept++] = *entry;
			continue;
		}
		(void)pk_close(entry->fd);
		free(entry->name);
	}
	store->n = kept;
}

void
run_store_done(struct run_store *store)
{
	for (size_t i = 0; i < store->n; i++) {
		(void)pk_close(store->entries[i].fd);
		free(store->entries[i].name);
	}
	free(store->entries);
	*store = RUN_STORE_EMPTY;
}
