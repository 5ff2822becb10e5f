/* SPDX-License-Identifier: MIT */
/* process-holds: see process-holds.h. A socket's link reads "socket:[INODE]":
 * proc_pid_fd(5). */
#include "mechanism/process-holds.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#include "protocol/cleanup.h"

bool
process_holds_socket(pid_t pid, const ino_t *inodes, size_t n)
{
	char path[64], target[64];
	struct dirent *entry;
	bool holds = false;
	DIR *fds;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	if (!fds)
		return false;
	while (!holds && (entry = readdir(fds))) {
		ssize_t length =
			readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		uint64_t inode;

		if (length < 0)
			continue;
		target[length] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
			continue;
		for (size_t i = 0; i < n; i++)
			if (inodes[i] == inode)
				holds = true;
	}
	(void)closedir(fds);
	return holds;
}
