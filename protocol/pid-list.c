/* SPDX-License-Identifier: MIT */
/* pid-list: see pid-list.h. */
#include "protocol/pid-list.h"

#include <ctype.h>
#include <string.h>

#include "protocol/cleanup.h"

char *
pid_list_of_children(void)
{
	PK_FCLOSE FILE *file = NULL;
	char path[64], *line = NULL;
	size_t room = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	/* one line without its newline, or nothing at all: proc_tid_children(5) */
	if (!file || getline(&line, &room, file) < 0) {
		free(line);
		return NULL;
	}
	return line;
}

/* The place of `pid` in `list` as a whole number, or NULL. */
static const char *
pid_list_find(const char *list, pid_t pid)
{
	const char *p = list;

	while (p && *p) {
		char *end;
		long number;

		while (isspace((unsigned char)*p))
			p++;
		number = strtol(p, &end, 10);
		if (end == p)
			return NULL;
		if (number == pid)
			return p;
		p = end;
	}
	return NULL;
}

bool
pid_list_has(const char *list, pid_t pid)
{
	return pid_list_find(list, pid) != NULL;
}

void
pid_list_remove(char *list, pid_t pid)
{
	const char *found = pid_list_find(list, pid);

	if (!found)
		return;
	for (char *p = list + (found - list); isdigit((unsigned char)*p); p++)
		*p = ' ';
}
