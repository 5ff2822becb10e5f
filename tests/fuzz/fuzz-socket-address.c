/* SPDX-License-Identifier: MIT */
/*
 * fuzz-socket-address: any text as an address. The first byte chooses the type that an
 * address without a prefix has. What is taken must be written as a text that is read back
 * to the same address, whatever the type was.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/socket-address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct socket_address address, again;
	struct error err = ERROR_NONE;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	char *typed;
	int r;

	if (size < 1)
		return 0;
	typed = strndup((const char *)data + 1, size - 1);
	if (!typed)
		return 0;
	r = socket_address_parse(typed, types[data[0] % 3], &address, &err);
	free(typed);
	if (r < 0) {
		if (r != -EINVAL || err.code != r || !err.text[0] || !err.hint[0])
			abort();
		return 0;
	}
	/* sequenced packets are for AF_UNIX only, and no text says otherwise */
	if (address.type == SOCK_SEQPACKET && address.storage.any.sa_family != AF_UNIX)
		return 0;
	(void)socket_address_format(&address, text, sizeof(text));
	if (socket_address_parse(text, SOCK_STREAM, &again, NULL) < 0 ||
		!socket_address_equal(&address, &again))
		abort();
	return 0;
}
