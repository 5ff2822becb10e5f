/* SPDX-License-Identifier: MIT */
/*
 * pid-list: process numbers as text, "12 34 ", as /proc/PID/task/TID/children has them
 * and as `run` tells portkeeperd which children it had before: they are nobody's service.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The calling thread's children now. Returns text that the caller frees; NULL if unknown.
 */
char *pid_list_of_children(void);

/* Whether `pid` is in `list`; NULL is an empty one. */
bool pid_list_has(const char *list, pid_t pid);

/* Takes `pid` out, if it is there. */
void pid_list_remove(char *list, pid_t pid);
