/* SPDX-License-Identifier: MIT */
/* store: see store.h. */
#include "mechanism/store.h"

#include <fcntl.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "mechanism/notify.h"

struct store {
	struct notify *notify;
	size_t n_inherited;
	char **names;
	int *fds; /* -1: taken */
};

/*
 * The numbers from 3 up become a child's listeners; what we hold moves out of their way,
 * once, so that no spawn has to (a spare, larger number: fcntl(2), F_DUPFD_CLOEXEC).
 */
#define STORE_FD_FLOOR 32

int
store_new(struct notify *notify, struct store **ret_store, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int n;

	if (!store)
		return -ENOMEM;
	store->notify = notify;
	n = sd_listen_fds_with_names(1, &store->names);
	if (n < 0) {
		free(store);
		return error_set_errno(err, n, "LISTEN_FDS makes no sense");
	}
	store->fds = calloc((size_t)n + 1, sizeof(*store->fds));
	if (!store->fds) {
		(void)store_free(store);
		return -ENOMEM;
	}
	for (int i = 0; i < n; i++) {
		int fd = fcntl(SD_LISTEN_FDS_START + i, F_DUPFD_CLOEXEC, STORE_FD_FLOOR);

		store->fds[i] = fd < 0 ? SD_LISTEN_FDS_START + i : fd;
		if (fd >= 0)
			(void)pk_close(SD_LISTEN_FDS_START + i);
		store->n_inherited++;
	}
	*ret_store = store;
	return 0;
}

struct store *
store_free(struct store *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < store->n_inherited; i++) {
		(void)pk_close(store->fds[i]);
		free(store->names[i]);
	}
	free(store->names);
	free(store->fds);
	free(store);
	return NULL;
}

int
store_take(struct store *store, const char *name)
{
	for (size_t i = 0; i < store->n_inherited; i++)
		if (store->fds[i] >= 0 && strcmp(store->names[i], name) == 0)
			return pk_take_fd(&store->fds[i]);
	return -ENOENT;
}

void
store_keep_consume(struct store *store, const char *name, int fd)
{
	size_t n = store->n_inherited;
	int *fds = reallocarray(store->fds, n + 1, sizeof(*fds));
	char **names = reallocarray(store->names, n + 1, sizeof(*names));
	char *copy = strdup(name);

	if (fds)
		store->fds = fds;
	if (names)
		store->names = names;
	if (!fds || !names || !copy) {
		free(copy);
		(void)pk_close(fd);
		return;
	}
	fds[n] = fd;
	names[n] = copy;
	store->n_inherited++;
}

int
store_put(struct store *store, const char *name, int fd)
{
	char text[128];

	/* FDPOLL=0: a manager that polls would drop a pidfd when its process ends, and a
	 * listener when it is shut down: both are EPOLLHUP. sd_notify(3) */
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	return notify_send(store->notify, text, &fd, 1);
}

int
store_remove(struct store *store, const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return notify_send(store->notify, text, NULL, 0);
}
