/* SPDX-License-Identifier: MIT */
/*
 * nearest-name: "did you mean": the known name that a mistyped one is nearest to.
 */
#pragma once

#include <stddef.h>

/*
 * How many letters have to be added, dropped, changed or swapped with their neighbour to
 * make `b` of `a`, upper and lower case being the same; names over 63 characters count as
 * far apart.
 */
size_t nearest_name_distance(const char *a, const char *b);

/*
 * Keeps the best of several: call it with each candidate; *best and *best_distance start
 * as NULL and SIZE_MAX. Candidates that differ in more than a third of their letters
 * never win.
 */
void nearest_name_offer(const char *typed, const char *candidate, const char **best,
	size_t *best_distance);
