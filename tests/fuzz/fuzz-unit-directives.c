/* SPDX-License-Identifier: MIT */
/*
 * fuzz-unit-directives: lines of NAME=VALUE, each set in one unit. A line that begins
 * with a byte n below 32 is a value for row n of the table and for each 31st behind it,
 * so that the fuzzer need not spell names. Each refusal must have words, and what was
 * taken must be possible to finish and to free.
 *
 * Commands and names of users are left out: they ask the file system and the name
 * service.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/unit-directives.h"
#include "config/unit-parsers.h"
#include "config/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_set(struct unit *unit, const struct directive *directive, const char *name,
	const char *value)
{
	struct error err = ERROR_NONE;
	int r;

	if (directive &&
		(directive->parse == unit_parse_commands ||
			directive->parse == unit_parse_user ||
			directive->parse == unit_parse_group))
		return;
	r = directive_set(unit, name, value, &err);
	if (r < 0 && r != -ENOMEM && (err.code != r || !err.text[0]))
		abort();
}

static void
fuzz_line(struct unit *unit, char *line)
{
	char *value = strchr(line, '=');

	if (line[0] > 0 && line[0] < 32) {
		const struct directive *directive;

		for (size_t i = (size_t)line[0]; (directive = directive_at(i - 1));
			i += 31)
			fuzz_set(unit, directive, directive->name, line + 1);
		return;
	}
	if (!value)
		return;
	*value++ = '\0';
	fuzz_set(unit, directive_find(line), line, value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *line;
	struct error err = ERROR_NONE;
	struct unit *unit;

	if (!text)
		return 0;
	if (unit_new("fuzz", &unit) < 0) {
		free(text);
		return 0;
	}
	while ((line = strsep(&rest, "\n")))
		fuzz_line(unit, line);
	if (unit_finish(unit, &err) < 0 && !err.text[0])
		abort();
	(void)unit_free(unit);
	free(text);
	return 0;
}
