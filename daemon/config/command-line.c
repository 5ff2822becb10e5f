/* SPDX-License-Identifier: MIT */
/* command-line: see command-line.h. */
#include "config/command-line.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/nearest-name.h"

#define COMMAND_LINE_DEFAULT_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char **
command_line_free_words(char **words)
{
	if (words)
		for (char **word = words; *word; word++)
			free(*word);
	free(words);
	return NULL;
}

static int
command_line_escape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 's':
		return ' ';
	case '\\':
	case '"':
	case '\'':
		return c;
	default:
		return -EINVAL;
	}
}

/* Reads one word from *p into `word` (as long as the text at least); moves *p behind it.
 */
static int
command_line_take_word(const char **p, char *word, struct error *err)
{
	const char *q = *p;
	char quote = '\0';
	int c;

	for (; *q && (quote || !strchr(" \t", *q)); q++) {
		if (quote ? *q == quote : (*q == '"' || *q == '\'')) {
			quote = quote ? '\0' : *q;
		} else if (*q == '\\') {
			c = command_line_escape(*++q);
			if (c < 0)
				return error_set(err, -EINVAL,
					"unknown escape '\\%.1s' in a command line", q);
			*word++ = (char)c;
		} else {
			*word++ = *q;
		}
	}
	if (quote)
		return error_set(err, -EINVAL,
			"the quote %c is not closed in a command line", quote);
	*word = '\0';
	*p = q;
	return 0;
}

int
command_line_split(const char *text, char ***ret_words, struct error *err)
{
	size_t length = strlen(text), n = 0;
	/* n characters hold at most n/2+1 words */
	char **words = calloc(length / 2 + 2, sizeof(*words));
	PK_FREE char *word = malloc(length + 1);
	const char *p = text;
	int r;

	if (!words || !word) {
		free(words);
		return -ENOMEM;
	}
	for (;;) {
		p += strspn(p, " \t");
		if (!*p)
			break;
		r = command_line_take_word(&p, word, err);
		if (r >= 0) {
			words[n] = strdup(word);
			r = words[n++] ? 0 : -ENOMEM;
		}
		if (r < 0) {
			(void)command_line_free_words(words);
			return r;
		}
	}
	*ret_words = words;
	return 0;
}

/* 0: a file that may be executed; -EACCES: there, but not that; -ENOENT: not there. */
static int
command_line_probe(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

static void
command_line_suggest(const char *name, struct error *err)
{
	const char *search = getenv("PATH") ? getenv("PATH") : COMMAND_LINE_DEFAULT_PATH;
	PK_FREE char *folders = strdup(search);
	char best_copy[NAME_MAX + 1] = "";
	char *rest = folders, *folder;
	size_t best_distance = SIZE_MAX;

	while (folders && (folder = strsep(&rest, ":"))) {
		DIR *listing = opendir(folder);
		struct dirent *entry;

		while (listing && (entry = readdir(listing))) {
			const char *best = NULL;

			nearest_name_offer(name, entry->d_name, &best, &best_distance);
			if (best)
				(void)snprintf(best_copy, sizeof(best_copy), "%s", best);
		}
		if (listing)
			(void)closedir(listing);
	}
	if (best_copy[0] && best_distance <= 1)
		error_set_hint(err, "did you mean '%s'?", best_copy);
	else
		error_set_hint(err, "install it, or give its path");
}

static int
command_line_search(const char *name, char **ret_path)
{
	const char *search = getenv("PATH") ? getenv("PATH") : COMMAND_LINE_DEFAULT_PATH;
	PK_FREE char *folders = strdup(search);
	char *rest = folders, *folder;
	int result = -ENOENT;

	if (!folders)
		return -ENOMEM;
	while ((folder = strsep(&rest, ":"))) {
		char path[PATH_MAX];
		int r;

		if (snprintf(path, sizeof(path), "%s/%s", *folder ? folder : ".", name) >=
			(int)sizeof(path))
			continue;
		r = command_line_probe(path);
		if (r == 0) {
			*ret_path = strdup(path);
			return *ret_path ? 0 : -ENOMEM;
		}
		/* in a folder that may not be searched there may be nothing at all */
		if (r == -EACCES && faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0)
			result = -EACCES;
	}
	return result;
}

int
command_line_resolve(const char *name, char **ret_path, struct error *err)
{
	int r;

	if (!*name) {
		r = error_set(err, -ENOENT, "command not found: ''");
		error_set_hint(err, "its name is empty");
		return r;
	}
	if (strchr(name, '/')) {
		r = command_line_probe(name);
		if (r == 0) {
			*ret_path = strdup(name);
			return *ret_path ? 0 : -ENOMEM;
		}
	} else {
		r = command_line_search(name, ret_path);
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	if (r == -EACCES) {
		(void)error_set(
			err, r, "cannot execute '%s': not an executable file", name);
		error_set_hint(err, "make it executable: chmod +x %s", name);
		return r;
	}
	(void)error_set(err, r, "command not found: '%s'", name);
	if (strchr(name, '/'))
		error_set_hint(err, "there is no such file");
	else
		command_line_suggest(name, err);
	return r;
}

int
command_line_parse(const char *text, struct exec_command *ret_command, struct error *err)
{
	struct exec_command command = { .ignore_failure = *text == '-' };
	int r;

	r = command_line_split(text + command.ignore_failure, &command.argv, err);
	if (r < 0)
		return r;
	if (!command.argv[0])
		r = error_set(err, -EINVAL, "the command line is empty");
	else
		r = command_line_resolve(command.argv[0], &command.path, err);
	if (r < 0) {
		(void)command_line_free_words(command.argv);
		return r;
	}
	*ret_command = command;
	return 0;
}
