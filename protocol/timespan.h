/* SPDX-License-Identifier: MIT */
/*
 * timespan: lengths of time as systemd.time(7) writes them ("1min 20s", "50ms",
 * "infinity").
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX

/*
 * Parses `text`; a number without a unit counts `default_unit_usec`. Returns 0 and sets
 * *ret_usec, -EINVAL (not a time span) or -ERANGE (more than 64 bits of microseconds).
 */
int timespan_parse(const char *text, uint64_t default_unit_usec, uint64_t *ret_usec);

/* Writes `usec` for people, two units at the most: "3 min 2 s", "40 ms". Returns
 * `buffer`. */
const char *timespan_format(uint64_t usec, char *buffer, size_t size);
