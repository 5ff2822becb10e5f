/* SPDX-License-Identifier: MIT */
/*
 * doctor-fix: adds a port to net.ipv4.ip_local_reserved_ports.
 *
 * A write at offset 0 replaces the whole list; one at any other offset is merged into it
 * (proc_do_large_bitmap() in kernel/sysctl.c). So nobody else's reservation can be lost,
 * not even one that is made at the same moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/doctor.h"
#include "protocol/cleanup.h"

#define DOCTOR_RESERVED "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define DOCTOR_SYSCTL_D "/etc/sysctl.d/60-portkeeper.conf"
#define DOCTOR_RESERVED_MAX (1 << 18)

static int
doctor_read_reserved(char **ret_list)
{
	const struct doctor doctor = { .root = "" };
	char *list = malloc(DOCTOR_RESERVED_MAX);

	if (!list)
		return -ENOMEM;
	if (!doctor_read_sysctl(&doctor, "net/ipv4/ip_local_reserved_ports", list,
		    DOCTOR_RESERVED_MAX)) {
		free(list);
		return -ENOENT;
	}
	*ret_list = list;
	return 0;
}

static int
doctor_merge_reserved(uint16_t port)
{
	PK_CLOSE int fd = open(DOCTOR_RESERVED, O_WRONLY | O_CLOEXEC);
	char text[16];
	int length = snprintf(text, sizeof(text), "%u\n", port);

	if (fd < 0)
		return -errno;
	return pwrite(fd, text, (size_t)length, 1) < 0 ? -errno : 0;
}

static bool
doctor_lists_nothing_lost(const char *before, const char *after, uint16_t port)
{
	for (unsigned p = 1; p <= UINT16_MAX; p++) {
		if ((p == port || doctor_list_has_port(before, (uint16_t)p)) &&
			!doctor_list_has_port(after, (uint16_t)p))
			return false;
	}
	return true;
}

int
doctor_reserve_port(uint16_t port, bool quiet, struct error *err)
{
	PK_FREE char *before = NULL;
	PK_FREE char *after = NULL;
	int r = doctor_read_reserved(&before);

	if (r == 0 && !doctor_list_has_port(before, port))
		r = doctor_merge_reserved(port);
	if (r == 0)
		r = doctor_read_reserved(&after);
	if (r == 0 && !doctor_lists_nothing_lost(before, after, port))
		r = -EIO;
	if (r < 0) {
		error_set_errno(
			err, r, "cannot reserve port %u in %s", port, DOCTOR_RESERVED);
		error_set_hint(err, "%s",
			r == -EACCES || r == -EPERM || r == -EROFS
				? "run it as root, outside of a container (inside, "
				  "/proc/sys is "
				  "read-only)"
				: "look at the file: it should list the port");
		return r;
	}
	if (quiet)
		return 0;
	(void)printf("Port %u is reserved until the next boot. To keep it, paste:\n"
		     "  echo 'net.ipv4.ip_local_reserved_ports = %s' | sudo tee %s\n\n",
		port, after, DOCTOR_SYSCTL_D);
	return 0;
}
