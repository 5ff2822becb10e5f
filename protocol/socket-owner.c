/* SPDX-License-Identifier: MIT */
/* socket-owner: see socket-owner.h. */
#include "protocol/socket-owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/cleanup.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define SOCKET_OWNER_CONTAINER_ID 12
/* Connections inherit the options of their listener: a sample of them is enough. */
#define SOCKET_OWNER_OPTIONS_MAX 1024

/* ---- one process */

static int
socket_owner_read_file(int proc_pid, const char *name, char *buffer, size_t size)
{
	PK_CLOSE int fd = openat(proc_pid, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buffer[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, buffer, size - 1);
	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	return 0;
}

/* Copies printable ASCII only: a process chooses its own name, and a terminal obeys. */
static void
socket_owner_copy_printable(char *to, size_t size, const char *text)
{
	size_t n = 0;

	for (; text[n] && text[n] != '\n' && n < size - 1; n++)
		to[n] = (unsigned char)text[n] < ' ' || (unsigned char)text[n] > '~'
			? '?'
			: text[n];
	to[n] = '\0';
}

/* The component's suffix, compared: "x.service" ends with ".service". */
static bool
socket_owner_ends_with(const char *text, size_t length, const char *suffix)
{
	size_t suffix_length = strlen(suffix);

	return length > suffix_length &&
		memcmp(text + length - suffix_length, suffix, suffix_length) == 0;
}

/* True for the long hexadecimal ids that container engines give. */
static bool
socket_owner_is_id(const char *text, size_t length)
{
	if (length < 32)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

static void
socket_owner_copy(char *to, const char *prefix, const char *text, size_t length)
{
	char raw[SOCKET_OWNER_UNIT_MAX];

	(void)snprintf(raw, sizeof(raw), "%s%.*s", prefix, (int)length, text);
	socket_owner_copy_printable(to, SOCKET_OWNER_UNIT_MAX, raw);
}

/*
 * One path component: "docker-<id>.scope", "cri-containerd-<id>.scope",
 * "libpod-<id>.scope", a bare <id> below docker/ or kubepods, "machine-NAME.scope" of
 * systemd-machined, "lxc.payload.NAME"; otherwise a unit. The innermost unit wins.
 */
static void
socket_owner_parse_component(
	const char *part, size_t length, char *ret_unit, char *ret_container)
{
	static const char *const engines[] = { "docker-", "libpod-", "cri-containerd-",
		"crio-" };
	static const char *const words[] = { "docker ", "podman ", "containerd ",
		"cri-o " };
	static const char lxc[] = "lxc.payload.";
	static const char machine[] = "machine-";

	for (size_t i = 0; i < PK_ARRAY_SIZE(engines); i++) {
		size_t skip = strlen(engines[i]);

		if (length > skip + SOCKET_OWNER_CONTAINER_ID &&
			memcmp(part, engines[i], skip) == 0 &&
			socket_owner_ends_with(part, length, ".scope")) {
			socket_owner_copy(ret_container, words[i], part + skip,
				SOCKET_OWNER_CONTAINER_ID);
			return;
		}
	}
	if (socket_owner_is_id(part, length)) {
		socket_owner_copy(
			ret_container, "container ", part, SOCKET_OWNER_CONTAINER_ID);
	} else if (length >= sizeof(lxc) && memcmp(part, lxc, sizeof(lxc) - 1) == 0) {
		socket_owner_copy(ret_container, "lxc ", part + sizeof(lxc) - 1,
			length - (sizeof(lxc) - 1));
	} else if (length >= sizeof(machine) &&
		memcmp(part, machine, sizeof(machine) - 1) == 0 &&
		socket_owner_ends_with(part, length, ".scope")) {
		socket_owner_copy(ret_container, "machine ", part + sizeof(machine) - 1,
			length - (sizeof(machine) - 1) - strlen(".scope"));
	} else if (socket_owner_ends_with(part, length, ".service") ||
		socket_owner_ends_with(part, length, ".scope")) {
		socket_owner_copy(ret_unit, "", part, length);
	}
}

void
socket_owner_parse_cgroup(const char *line, char *ret_unit, char *ret_container)
{
	const char *path = strchr(line, '/');

	ret_unit[0] = '\0';
	ret_container[0] = '\0';
	while (path && *path == '/') {
		const char *part = path + 1;
		size_t length = strcspn(part, "/\n");

		if (length > 0)
			socket_owner_parse_component(
				part, length, ret_unit, ret_container);
		path = part + length;
	}
}

/* Picks cgroup v2's line, or systemd's own hierarchy of v1, out of /proc/PID/cgroup. */
static void
socket_owner_read_cgroup(int proc_pid, struct socket_owner *owner)
{
	char text[4096];
	char *line;
	char *rest = text;

	if (socket_owner_read_file(proc_pid, "cgroup", text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, "0::", 3) != 0 && !strstr(line, ":name=systemd:"))
			continue;
		socket_owner_parse_cgroup(line, owner->unit, owner->container);
		if (owner->unit[0] || owner->container[0])
			break;
	}
}

static void
socket_owner_read_identity(int proc_pid, struct socket_owner *owner)
{
	char comm[64];
	struct stat status;
	struct stat theirs;
	struct stat ours;

	(void)socket_owner_read_file(proc_pid, "comm", comm, sizeof(comm));
	socket_owner_copy_printable(
		owner->comm, sizeof(owner->comm), comm[0] ? comm : "?");
	if (fstat(proc_pid, &status) == 0)
		owner->uid = status.st_uid;
	socket_owner_read_cgroup(proc_pid, owner);
	owner->other_netns = fstatat(proc_pid, "ns/net", &theirs, 0) == 0 &&
		stat("/proc/self/ns/net", &ours) == 0 &&
		(theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev);
}

int
socket_owner_describe(pid_t pid, struct socket_owner *ret_owner)
{
	char path[32];
	PK_CLOSE int proc_pid = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc_pid = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_pid < 0)
		return -ESRCH;
	*ret_owner = (struct socket_owner){ .pid = pid, .fd = -1 };
	socket_owner_read_identity(proc_pid, ret_owner);
	return 0;
}

/* ---- the scan */

struct socket_owner_scan {
	uint32_t *inodes; /* sorted */
	size_t n_inodes;
	struct socket_owner_list list;
	size_t capacity;
};

static int
socket_owner_compare_inodes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int
socket_owner_compare(const void *a, const void *b)
{
	const struct socket_owner *x = a;
	const struct socket_owner *y = b;

	if (x->inode != y->inode)
		return (x->inode > y->inode) - (x->inode < y->inode);
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct socket_owner *
socket_owner_scan_add(struct socket_owner_scan *scan)
{
	if (scan->list.n_owners == scan->capacity) {
		size_t capacity = scan->capacity ? scan->capacity * 2 : 8;
		struct socket_owner *owners =
			reallocarray(scan->list.owners, capacity, sizeof(*owners));

		if (!owners)
			return NULL;
		scan->list.owners = owners;
		scan->capacity = capacity;
	}
	return &scan->list.owners[scan->list.n_owners++];
}

/* Notes that `identity` holds `inode` as `fd`; once per process, with the lowest number.
 */
static int
socket_owner_scan_note(struct socket_owner_scan *scan, size_t first_of_process,
	uint32_t inode, int fd, const struct socket_owner *identity)
{
	struct socket_owner *owner;

	for (size_t i = first_of_process; i < scan->list.n_owners; i++) {
		owner = &scan->list.owners[i];
		if (owner->inode == inode) {
			if (fd < owner->fd)
				owner->fd = fd;
			return 0;
		}
	}
	owner = socket_owner_scan_add(scan);
	if (!owner)
		return -ENOMEM;
	*owner = *identity;
	owner->inode = inode;
	owner->fd = fd;
	return 0;
}

/* The inode of "socket:[123]" if it is one of those wanted, else 0. */
static uint32_t
socket_owner_scan_match(const struct socket_owner_scan *scan, int fds, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(fds, name, target, sizeof(target) - 1);
	unsigned long inode;
	uint32_t key;

	if (length < 0)
		return 0;
	target[length] = '\0';
	if (strncmp(target, "socket:[", 8) != 0)
		return 0;
	inode = strtoul(target + 8, NULL, 10);
	if (inode == 0 || inode > UINT32_MAX)
		return 0;
	key = (uint32_t)inode;
	return bsearch(&key, scan->inodes, scan->n_inodes, sizeof(key),
		       socket_owner_compare_inodes)
		? key
		: 0;
}

static int
socket_owner_scan_process(struct socket_owner_scan *scan, int proc, const char *pid)
{
	PK_CLOSE int proc_pid = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct socket_owner identity = { .pid = (pid_t)strtol(pid, NULL, 10) };
	size_t first = scan->list.n_owners;
	bool described = false;
	struct dirent *entry;
	DIR *directory;
	int fds;
	int r = 0;

	if (proc_pid < 0)
		return 0;
	fds = openat(proc_pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fds >= 0 ? fdopendir(fds) : NULL;
	if (!directory) {
		if (errno == EACCES || errno == EPERM)
			scan->list.n_hidden++;
		pk_close(fds);
		return 0;
	}
	while (r == 0 && (entry = readdir(directory))) {
		uint32_t inode;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		inode = socket_owner_scan_match(scan, fds, entry->d_name);
		if (!inode)
			continue;
		if (!described)
			socket_owner_read_identity(proc_pid, &identity);
		described = true;
		r = socket_owner_scan_note(scan, first, inode,
			(int)strtol(entry->d_name, NULL, 10), &identity);
	}
	closedir(directory);
	return r;
}

static int
socket_owner_scan_run(struct socket_owner_scan *scan)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!proc)
		return -errno;
	while (r == 0 && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			r = socket_owner_scan_process(scan, dirfd(proc), entry->d_name);
	}
	closedir(proc);
	return r;
}

int
socket_owner_find(
	const uint32_t *inodes, size_t n_inodes, struct socket_owner_list *ret_list)
{
	struct socket_owner_scan scan = { 0 };
	int r = 0;

	scan.inodes = calloc(n_inodes ? n_inodes : 1, sizeof(*inodes));
	if (!scan.inodes)
		return -ENOMEM;
	for (size_t i = 0; i < n_inodes; i++) {
		if (inodes[i])
			scan.inodes[scan.n_inodes++] = inodes[i];
	}
	if (scan.n_inodes) {
		qsort(scan.inodes, scan.n_inodes, sizeof(*scan.inodes),
			socket_owner_compare_inodes);
		r = socket_owner_scan_run(&scan);
	}
	free(scan.inodes);
	if (r < 0) {
		socket_owner_list_done(&scan.list);
		return r;
	}
	if (scan.list.n_owners)
		qsort(scan.list.owners, scan.list.n_owners, sizeof(*scan.list.owners),
			socket_owner_compare);
	*ret_list = scan.list;
	return 0;
}

int
socket_owner_find_all(
	const struct sock_diag_list *sockets, struct socket_owner_list *ret_list)
{
	PK_FREE uint32_t *inodes =
		calloc(sockets->n_sockets ? sockets->n_sockets : 1, sizeof(*inodes));

	if (!inodes)
		return -ENOMEM;
	for (size_t i = 0; i < sockets->n_sockets; i++)
		inodes[i] = sockets->sockets[i].inode;
	return socket_owner_find(inodes, sockets->n_sockets, ret_list);
}

void
socket_owner_list_done(struct socket_owner_list *list)
{
	free(list->owners);
	*list = (struct socket_owner_list){ 0 };
}

const struct socket_owner *
socket_owner_of(
	const struct socket_owner_list *list, uint32_t inode, size_t *ret_n_owners)
{
	size_t low = 0;
	size_t high = list->n_owners;
	size_t n = 0;

	/* The first entry that is not below `inode`. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->owners[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	while (inode && low + n < list->n_owners && list->owners[low + n].inode == inode)
		n++;
	if (ret_n_owners)
		*ret_n_owners = n;
	return n ? &list->owners[low] : NULL;
}

/* How much a process is a mere holder: 2 portkeeperd, 1 another one, 0 not at all. */
static int
socket_owner_holds(const struct socket_owner *owner)
{
	if (strcmp(owner->comm, "portkeeperd") == 0)
		return 2;
	return strcmp(owner->comm, "portkeeper") == 0 ||
		(owner->pid == 1 && strcmp(owner->comm, "systemd") == 0);
}

const struct socket_owner *
socket_owner_to_name(const struct socket_owner_list *list, uint32_t inode,
	const struct socket_owner **ret_holder, size_t *ret_n_owners)
{
	const struct socket_owner *holder = NULL;
	const struct socket_owner *program = NULL;
	size_t n = 0;
	const struct socket_owner *owners = socket_owner_of(list, inode, &n);

	for (size_t i = 0; i < n; i++) {
		int holds = socket_owner_holds(&owners[i]);

		if (!holds && !program)
			program = &owners[i];
		if (holds && (!holder || holds > socket_owner_holds(holder)))
			holder = &owners[i];
	}
	if (ret_holder)
		*ret_holder = holder;
	if (ret_n_owners)
		*ret_n_owners = n;
	return program ? program : holder;
}

/* ---- options */

static int
socket_owner_get_option(int fd, int level, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(fd, level, option, &value, &length) < 0 ? -1 : value != 0;
}

int
socket_owner_read_options(
	const struct socket_owner *owner, struct sock_diag_socket *socket)
{
	PK_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, owner->pid, 0);
	PK_CLOSE int fd = -1;
	struct stat status;

	if (pidfd < 0)
		return -errno;
	/* The duplicate is CLOEXEC: pidfd_getfd(2). */
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, owner->fd, 0);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_ino != socket->inode)
		return -ESTALE;
	socket->reuse_address = socket_owner_get_option(fd, SOL_SOCKET, SO_REUSEADDR);
	socket->reuse_port = socket_owner_get_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (socket->family == AF_INET6)
		socket->v6only = socket_owner_get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	return 0;
}

void
socket_owner_read_all_options(
	const struct socket_owner_list *owners, struct sock_diag_list *sockets)
{
	size_t n_asked = 0;

	for (size_t i = 0; i < sockets->n_sockets; i++) {
		struct sock_diag_socket *socket = &sockets->sockets[i];
		const struct socket_owner *owner =
			socket_owner_of(owners, socket->inode, NULL);

		if (!owner ||
			(socket->state == SOCK_DIAG_ESTABLISHED &&
				n_asked++ >= SOCKET_OWNER_OPTIONS_MAX))
			continue;
		(void)socket_owner_read_options(owner, socket);
	}
}
