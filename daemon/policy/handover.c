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

static int
handover_listener(const struct unit *unit, size_t i, struct store *store,
	struct listener **ret_listener, size_t *n_taken, struct error *err)
{
	const struct listen_spec *spec = &unit->listens[i];
	char name[sizeof((*ret_listener)->store_name)];
	int fd, r;

	handover_name(spec, i, name, sizeof(name));
	fd = store_take(store, name);
	if (fd >= 0) {
		r = listener_take_consume(spec, &unit->socket, fd, ret_listener, err);
		if (r >= 0)
			(*n_taken)++;
	} else if (spec->inherited_fd >= 0) {
		r = error_set(err, -EBADF, "'%s': descriptor %d is not open", spec->text,
			spec->inherited_fd);
		error_set_hint(err, "it must be open when portkeeper is started");
	} else {
		r = listener_open(spec, &unit->socket, ret_listener, err);
		if (r >= 0)
			(void)store_put(store, name, (*ret_listener)->fd);
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
	struct listener ***ret_listeners, size_t *ret_n_taken, struct error *err)
{
	struct listener **listeners = calloc(unit->n_listens + 1, sizeof(*listeners));
	size_t n_taken = 0;
	int r = 0;

	if (!listeners)
		return error_set(err, -ENOMEM, "no memory for the listeners");
	for (size_t i = 0; i < unit->n_listens && r >= 0; i++) {
		r = handover_listener(unit, i, store, &listeners[i], &n_taken, err);
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
	*ret_n_taken = n_taken;
	return 0;
}
