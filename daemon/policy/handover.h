/* SPDX-License-Identifier: MIT */
/*
 * handover: the listeners of a unit: those that an earlier portkeeperd stored with the
 * manager or that were inherited are taken back, the others are opened and stored.
 */
#pragma once

#include <stddef.h>

#include "protocol/error.h"

struct listener;
struct store;
struct unit;

/*
 * Gets all listeners of `unit`, in its order. Returns 0 and an array that the caller owns
 * with its content. On failure -errno
 * with `err`, and those that were taken or opened are kept in `store` for another try.
 */
int handover_listeners(const struct unit *unit, struct store *store,
	struct listener ***ret_listeners, struct error *err);
