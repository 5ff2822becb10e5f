/* SPDX-License-Identifier: MIT */
/*
 * print-directives: the table of directives, a line each: section, name, default ("-":
 * none), with tabs between. For tests/lint/directives-in-manual.sh.
 */
#include <stdio.h>

#include "config/unit-directives.h"

int
main(void)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)); i++)
		(void)printf("%s\t%s\t%s\n", directive_section_name(row->section),
			row->name, row->initial && row->initial[0] ? row->initial : "-");
	return ferror(stdout) || fclose(stdout) != 0;
}
