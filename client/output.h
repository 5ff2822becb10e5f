/* SPDX-License-Identifier: MIT */
/*
 * output: what every verb prints with: colour, tables, JSON, errors.
 *
 * Colour is used on a terminal only, and never when NO_COLOR is set and not empty
 * (no-color.org) or TERM is "dumb"; --color=always|never|auto decides otherwise. A table
 * keeps its cells until it is printed, because a column is as wide as its widest cell.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/error.h"

enum output_style {
	OUTPUT_PLAIN,
	OUTPUT_BOLD,
	OUTPUT_DIM,
	OUTPUT_GOOD,
	OUTPUT_WARNING,
	OUTPUT_BAD,
	OUTPUT_STYLE_MAX,
};

/* The argument of --color: "auto", "always" or "never"; 0 or -EINVAL. */
int output_set_color(const char *when);

/* The escape sequence that begins `style`, "" without colour. OUTPUT_PLAIN ends the
 * others. */
const char *output_style(enum output_style style);

/* Prints "portkeeper: TEXT" and, indented, the hint on standard error. */
void output_error(const struct error *err);

/* Prints `value` with a line feed, releases it; 0 or -ENOMEM for a NULL value, -EIO. */
int output_json_consume(json_t *value);

/*
 * Flushes standard output. Returns `status`, or COMMAND_FAILED after saying so when what
 * was printed could not be written (a full disk must not look like an answer).
 */
int output_finish(int status);

#define OUTPUT_COLUMNS_MAX 8

struct output_table {
	size_t n_columns;
	size_t n_cells;
	size_t cells_capacity;
	size_t *cells; /* where in `text` each begins */
	char *text;    /* all cells, each with its NUL */
	size_t text_length;
	size_t text_capacity;
};

/* Starts a table; the first row printed is the header, in bold. */
void output_table_init(struct output_table *table, size_t n_columns);
/* Adds the next cell, left to right, row by row. Returns 0 or -ENOMEM. */
int output_table_cell(struct output_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints it: columns two blanks apart, the last one not padded. */
void output_table_print(const struct output_table *table);
void output_table_done(struct output_table *table);

/* How many columns `text` takes on a terminal, if each character takes one (UTF-8). */
size_t output_width(const char *text);
