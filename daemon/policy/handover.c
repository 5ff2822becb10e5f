/* SPDX-License-Identifier: MIT */
/* handover: see handover.h. */
#include "policy/handover.h"

#include "config/unit.h"
#include "mechanism/listener.h"
#include "mechanism/store.h"

/* An inherited one stays with who gave it; ours are stored under their place in the unit.
 */
static void
handover_name(const struct listen_spec *spec, size_t i, char *name, size_t size)
{
	if (spec->inherited_fd >= 0)
		(void)snprintf(name, size, "fd%d", spec->inherited_fd);
	else
		(void)snprintf(name, size, "l%zu", i);
}

/* Unstored it would be lost with this process: then rather say so now. */
static int
handover_store(struct listener *listener, struct store *store, const char *name,
	struct error *err)
{
	int r = store_put(store, name, listener->fd);

	if (r < 0) {
		(void)error_set_errno(
			err, r, "cannot hand %s to the manager", listener->text);
		(void)listener_free(listener, true);
	}
	return r;
}

static int
handover_listener(const struct unit *unit, size_t i, struct store *store,
	struct listener **ret_listener, struct error *err)
{
	const struct listen_spec *spec = &unit->listens[i];
	char name[sizeof((*ret_listener)->store_name)];
	int fd, r;

	handover_name(spec, i, name, sizeof(name));
	fd = store_take(store, name);
	if (fd >= 0) {
		r = listener_take_consume(spec, &unit->socket, fd, ret_listener, err);
	} else if (spec->inherited_fd >= 0) {
		r = error_set(err, -EBADF, "'%s': descriptor %d is not open", spec->text,
			spec->inherited_fd);
		error_set_hint(err, "it must be open when portkeeper is started");
	} else {
		r = listener_open(spec, &unit->socket, ret_listener, err);
		if (r >= 0)
			r = handover_store(*ret_listener, store, name, err);
	}
	if (r >= 0)
		(void)snprintf((*ret_listener)->store_name,
			sizeof((*ret_listener)->store_name), "%s", name);
	return r;
}

/* Back to the store, so that the next try finds it where a successor would. */
static void
handover_give_back(struct listener *listener, struct store *store)
{
	store_keep_consume(store, listener->store_name, pk_take_fd(&listener->fd));
	(void)listener_free(listener, false);
}

int
handover_listeners(const struct unit *unit, struct store *store,
	struct listener ***ret_listeners, struct error *err)
{
	struct listener **listeners = calloc(unit->n_listens + 1, sizeof(*listeners));
	int r = 0;

	if (!listeners)
		return error_set(err, -ENOMEM, "no memory for the listeners");
	for (size_t i = 0; i < unit->n_listens && r >= 0; i++) {
		r = handover_listener(unit, i, store, &listeners[i], err);
		while (r < 0 && i > 0)
			handover_give_back(listeners[--i], store);
		if (r < 0)
			break;
	}
	if (r < 0) {
		free(listeners);
		return r;
	}
	*ret_listeners = listeners;
	return 0;
}
