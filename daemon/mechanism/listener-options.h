/* SPDX-License-Identifier: MIT */
/*
 * listener-options: socket options of a unit, set on a fresh socket. A table says which
 * option belongs to which family and type.
 */
#pragma once

#include "base/spec.h"
#include "protocol/error.h"

struct socket_address;

/*
 * Sets on `fd` all options that `options` has a value for and that fit `address`, before
 * bind(). Returns 0, or -errno with `err` naming the directive.
 */
int listener_options_apply(int fd, const struct socket_address *address,
	const struct socket_options *options, struct error *err);
