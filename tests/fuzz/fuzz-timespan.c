/* SPDX-License-Identifier: MIT */
/*
 * fuzz-timespan: any text as a time. What is taken is written for people, which may cut
 * off the smaller units but must be read back as no more than it was.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/timespan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t usec, again;
	char text[64];
	char *typed = strndup((const char *)data, size);
	int r;

	if (!typed)
		return 0;
	r = timespan_parse(typed, USEC_PER_SEC, &usec);
	free(typed);
	if (r < 0) {
		if (r != -EINVAL && r != -ERANGE)
			abort();
		return 0;
	}
	(void)timespan_format(usec, text, sizeof(text));
	if (timespan_parse(text, USEC_PER_SEC, &again) < 0 || again > usec)
		abort();
	/* at the worst 1.9 ms is "1 ms"; infinity and nothing stay what they are */
	if (usec - again > usec / 2)
		abort();
	if ((usec == USEC_INFINITY) != (again == USEC_INFINITY))
		abort();
	return 0;
}
