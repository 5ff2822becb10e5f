/* SPDX-License-Identifier: MIT */
/* timespan: see timespan.h. The units and their names are those of systemd.time(7). */
#include "protocol/timespan.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "protocol/cleanup.h"

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_PER_WEEK (7 * USEC_PER_DAY)
#define USEC_PER_MONTH (2629800 * USEC_PER_SEC) /* 30.44 days */
#define USEC_PER_YEAR (31557600 * USEC_PER_SEC) /* 365.25 days */

/* clang-format off */
static const struct timespan_unit {
	const char *name;
	uint64_t usec;
} timespan_units[] = {
	{ "seconds", USEC_PER_SEC },  { "second", USEC_PER_SEC },   { "sec", USEC_PER_SEC },
	{ "s", USEC_PER_SEC },
	{ "minutes", USEC_PER_MINUTE }, { "minute", USEC_PER_MINUTE }, { "min", USEC_PER_MINUTE },
	{ "m", USEC_PER_MINUTE },
	{ "months", USEC_PER_MONTH }, { "month", USEC_PER_MONTH },  { "M", USEC_PER_MONTH },
	{ "msec", USEC_PER_MSEC },    { "ms", USEC_PER_MSEC },
	{ "hours", USEC_PER_HOUR },   { "hour", USEC_PER_HOUR },    { "hr", USEC_PER_HOUR },
	{ "h", USEC_PER_HOUR },
	{ "days", USEC_PER_DAY },     { "day", USEC_PER_DAY },      { "d", USEC_PER_DAY },
	{ "weeks", USEC_PER_WEEK },   { "week", USEC_PER_WEEK },    { "w", USEC_PER_WEEK },
	{ "years", USEC_PER_YEAR },   { "year", USEC_PER_YEAR },    { "y", USEC_PER_YEAR },
	{ "usec", 1 },                { "us", 1 },                  { "\xc2\xb5s", 1 },
};
/* clang-format on */

static const struct timespan_unit *
timespan_unit_find(const char *name, size_t length)
{
	for (size_t i = 0; i < PK_ARRAY_SIZE(timespan_units); i++)
		if (strlen(timespan_units[i].name) == length &&
			strncmp(timespan_units[i].name, name, length) == 0)
			return &timespan_units[i];
	return NULL;
}

static const char *
timespan_skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

static size_t
timespan_unit_length(const char *p)
{
	size_t n = 0;

	while (p[n] && (isalpha((unsigned char)p[n]) || (unsigned char)p[n] >= 0x80))
		n++;
	return n;
}

/* Reads "12" or "1.5" as a number of units; *ret_usec is that many times `unit_usec`. */
static int
timespan_scale(const char *digits, size_t n_whole, const char *fraction,
	size_t n_fraction, uint64_t unit_usec, uint64_t *ret_usec)
{
	uint64_t whole = 0, part = 0, weight = unit_usec;

	for (size_t i = 0; i < n_whole; i++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(
				whole, (uint64_t)(digits[i] - '0'), &whole))
			return -ERANGE;
	if (__builtin_mul_overflow(whole, unit_usec, &whole))
		return -ERANGE;
	for (size_t i = 0; i < n_fraction && weight >= 10; i++) {
		weight /= 10;
		part += weight * (uint64_t)(fraction[i] - '0');
	}
	if (__builtin_add_overflow(whole, part, ret_usec))
		return -ERANGE;
	return 0;
}

/* One "number unit" item; moves *p behind it. */
static int
timespan_parse_item(const char **p, uint64_t default_unit_usec, uint64_t *ret_usec)
{
	const struct timespan_unit *unit;
	const char *whole = *p, *fraction = NULL, *q, *number_end;
	size_t n_whole, n_fraction = 0, n_unit;
	uint64_t unit_usec = default_unit_usec;

	n_whole = strspn(whole, "0123456789");
	q = whole + n_whole;
	if (*q == '.') {
		fraction = q + 1;
		n_fraction = strspn(fraction, "0123456789");
		q = fraction + n_fraction;
	}
	if (n_whole + n_fraction == 0)
		return -EINVAL;
	number_end = q;
	q = timespan_skip_blanks(q);
	n_unit = timespan_unit_length(q);
	/* as systemd: "0.5 0" is two items, "0.5.0" is none */
	if (n_unit == 0 && q == number_end && *q)
		return -EINVAL;
	if (n_unit > 0) {
		unit = timespan_unit_find(q, n_unit);
		if (!unit)
			return -EINVAL;
		unit_usec = unit->usec;
		q += n_unit;
	}
	*p = timespan_skip_blanks(q);
	return timespan_scale(whole, n_whole, fraction, n_fraction, unit_usec, ret_usec);
}

int
timespan_parse(const char *text, uint64_t default_unit_usec, uint64_t *ret_usec)
{
	const char *p = timespan_skip_blanks(text);
	uint64_t sum = 0, item;
	int r;

	if (strncmp(p, "infinity", 8) == 0 && !*timespan_skip_blanks(p + 8)) {
		*ret_usec = USEC_INFINITY;
		return 0;
	}
	do {
		r = timespan_parse_item(&p, default_unit_usec, &item);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, item, &sum) || sum == USEC_INFINITY)
			return -ERANGE;
	} while (*p);
	*ret_usec = sum;
	return 0;
}

const char *
timespan_format(uint64_t usec, char *buffer, size_t size)
{
	/* clang-format off */
	static const struct { const char *name; uint64_t usec; } units[] = {
		{ "d", USEC_PER_DAY }, { "h", USEC_PER_HOUR }, { "min", USEC_PER_MINUTE },
		{ "s", USEC_PER_SEC }, { "ms", USEC_PER_MSEC }, { "us", 1 },
	};
	/* clang-format on */
	size_t i = 0;
	uint64_t rest;

	if (usec == USEC_INFINITY || usec == 0) {
		(void)snprintf(buffer, size, "%s", usec ? "infinity" : "0 s");
		return buffer;
	}
	while (usec < units[i].usec)
		i++;
	rest = usec % units[i].usec;
	/* below a second one unit is enough, and so it is when the second is zero */
	if (units[i].usec <= USEC_PER_MSEC || rest / units[i + 1].usec == 0)
		(void)snprintf(buffer, size, "%" PRIu64 " %s", usec / units[i].usec,
			units[i].name);
	else if (units[i].usec == USEC_PER_SEC)
		(void)snprintf(buffer, size, "%" PRIu64 ".%" PRIu64 " s",
			usec / USEC_PER_SEC, rest / (USEC_PER_SEC / 10));
	else
		(void)snprintf(buffer, size, "%" PRIu64 " %s %" PRIu64 " %s",
			usec / units[i].usec, units[i].name, rest / units[i + 1].usec,
			units[i + 1].name);
	return buffer;
}
