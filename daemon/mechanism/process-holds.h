/* SPDX-License-Identifier: MIT */
/*
 * process-holds: whether a process has a socket open, by looking through /proc/PID/fd.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Whether `pid` has a descriptor of one of the `n` sockets with these inode numbers
 * (fstat()). A process that cannot be looked into holds nothing, as far as this function
 * knows.
 */
bool process_holds_socket(pid_t pid, const ino_t *inodes, size_t n);
