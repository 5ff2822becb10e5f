/* SPDX-License-Identifier: MIT */
/*
 * fuzz-command-line: any text as a command line. The words that come out, each in quotes
 * and with its special characters escaped, must be split into the same words again.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/command-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Appends `word` in double quotes; returns the end. */
static char *
fuzz_quote(char *p, const char *word)
{
	*p++ = '"';
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			*p++ = '\\';
		*p++ = *word;
	}
	*p++ = '"';
	*p++ = ' ';
	*p = '\0';
	return p;
}

static void
fuzz_compare(char **words, size_t n_bytes)
{
	/* two quotes and a blank for each word, a backslash for each character */
	char *text = malloc(5 * n_bytes + 1), *p = text, **again;
	size_t n = 0;

	if (!text)
		return;
	*p = '\0';
	for (; words[n]; n++)
		p = fuzz_quote(p, words[n]);
	if (command_line_split(text, &again, NULL) < 0)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!again[i] || strcmp(again[i], words[i]) != 0)
			abort();
	if (again[n])
		abort();
	(void)command_line_free_words(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_NONE;
	char *text = strndup((const char *)data, size), **words;
	int r;

	if (!text)
		return 0;
	r = command_line_split(text, &words, &err);
	free(text);
	if (r < 0) {
		if (r != -ENOMEM && (err.code != r || !err.text[0]))
			abort();
		return 0;
	}
	fuzz_compare(words, size + 1);
	(void)command_line_free_words(words);
	return 0;
}
