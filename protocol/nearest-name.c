/* SPDX-License-Identifier: MIT */
/* nearest-name: see nearest-name.h. The distance is Damerau's, with adjacent swaps. */
#include "protocol/nearest-name.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define NEAREST_NAME_MAX 63

static size_t
nearest_name_smallest(size_t a, size_t b, size_t c)
{
	size_t smallest = a < b ? a : b;

	return smallest < c ? smallest : c;
}

size_t
nearest_name_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	size_t rows[3][NEAREST_NAME_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	if (n > NEAREST_NAME_MAX || m > NEAREST_NAME_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		above[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);

			row[j] = nearest_name_smallest(
				above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
				y == tolower((unsigned char)a[i - 2]) &&
				before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[m];
}

void
nearest_name_offer(const char *typed, const char *candidate, const char **best,
	size_t *best_distance)
{
	size_t distance = nearest_name_distance(typed, candidate);
	size_t length = strlen(candidate);

	if (distance < *best_distance && distance <= 1 + length / 3) {
		*best = candidate;
		*best_distance = distance;
	}
}
