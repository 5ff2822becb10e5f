/* SPDX-License-Identifier: MIT */
/* output: see output.h. */
#include "client/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"

static enum { OUTPUT_COLOR_AUTO, OUTPUT_COLOR_ALWAYS, OUTPUT_COLOR_NEVER } output_color;

/* A cell is cut at this length: a table has no place for more. */
#define OUTPUT_CELL_MAX 1024

int
output_set_color(const char *when)
{
	if (strcmp(when, "auto") == 0)
		output_color = OUTPUT_COLOR_AUTO;
	else if (strcmp(when, "always") == 0)
		output_color = OUTPUT_COLOR_ALWAYS;
	else if (strcmp(when, "never") == 0)
		output_color = OUTPUT_COLOR_NEVER;
	else
		return -EINVAL;
	return 0;
}

static bool
output_has_color(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (output_color != OUTPUT_COLOR_AUTO)
		return output_color == OUTPUT_COLOR_ALWAYS;
	if (no_color && no_color[0])
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

const char *
output_style(enum output_style style)
{
	static const char *const sequences[OUTPUT_STYLE_MAX] = {
		[OUTPUT_PLAIN] = "\033[0m",
		[OUTPUT_BOLD] = "\033[1m",
		[OUTPUT_DIM] = "\033[2m",
		[OUTPUT_GOOD] = "\033[32m",
		[OUTPUT_WARNING] = "\033[33m",
		[OUTPUT_BAD] = "\033[31m",
	};

	return output_has_color() ? sequences[style] : "";
}

void
output_error(const struct error *err)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "portkeeper: %s\n", err->text);
	if (err->hint[0])
		(void)fprintf(stderr, "  %s\n", err->hint);
}

int
output_json_consume(json_t *value)
{
	int r;

	if (!value)
		return -ENOMEM;
	r = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(value);
	return r < 0 || putchar('\n') == EOF ? -EIO : 0;
}

int
output_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "portkeeper: cannot write to standard output: %s\n",
		strerror(errno));
	return COMMAND_FAILED;
}

/* ---- tables */

void
output_table_init(struct output_table *table, size_t n_columns)
{
	*table = (struct output_table){
		.n_columns =
			n_columns < OUTPUT_COLUMNS_MAX ? n_columns : OUTPUT_COLUMNS_MAX,
	};
}

/* Makes room for one more cell of `length` bytes. */
static int
output_table_reserve(struct output_table *table, size_t length)
{
	if (table->n_cells == table->cells_capacity) {
		size_t capacity = table->cells_capacity ? table->cells_capacity * 2 : 64;
		size_t *cells = reallocarray(table->cells, capacity, sizeof(*cells));

		if (!cells)
			return -ENOMEM;
		table->cells = cells;
		table->cells_capacity = capacity;
	}
	if (table->text_capacity - table->text_length < length) {
		size_t capacity = table->text_capacity * 2 + OUTPUT_CELL_MAX;
		char *text = realloc(table->text, capacity);

		if (!text)
			return -ENOMEM;
		table->text = text;
		table->text_capacity = capacity;
	}
	return 0;
}

int
output_table_cell(struct output_table *table, const char *format, ...)
{
	char text[OUTPUT_CELL_MAX];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	length = strlen(text) + 1;
	if (output_table_reserve(table, length) < 0)
		return -ENOMEM;
	table->cells[table->n_cells++] = table->text_length;
	memcpy(table->text + table->text_length, text, length);
	table->text_length += length;
	return 0;
}

size_t
output_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void
output_table_print(const struct output_table *table)
{
	size_t widths[OUTPUT_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = output_width(table->text + table->cells[i]);

		if (width > widths[i % table->n_columns])
			widths[i % table->n_columns] = width;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		const char *text = table->text + table->cells[i];
		size_t column = i % table->n_columns;
		bool header = i < table->n_columns;

		(void)printf("%s%s%s", header ? output_style(OUTPUT_BOLD) : "", text,
			header ? output_style(OUTPUT_PLAIN) : "");
		if (column + 1 == table->n_columns)
			(void)putchar('\n');
		else
			(void)printf("%*s",
				(int)(widths[column] - output_width(text) + 2), "");
	}
}

void
output_table_done(struct output_table *table)
{
	free(table->text);
	free(table->cells);
	*table = (struct output_table){ 0 };
}
