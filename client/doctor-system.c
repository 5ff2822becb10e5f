/* SPDX-License-Identifier: MIT */
/*
 * doctor-system: the sysctls that advice on the net is about, as they really are;
 * counters of the network namespace; limits of this session or container. See doctor.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/doctor.h"
#include "protocol/cleanup.h"

/* portkeeperd takes about 7 file descriptors a service; a server rarely lives with less.
 */
#define DOCTOR_NOFILE_LOW 4096

void
doctor_say(
	struct doctor_result *result, enum doctor_status status, const char *format, ...)
{
	va_list arguments;

	result->status = status;
	result->todo[0] = '\0';
	va_start(arguments, format);
	(void)vsnprintf(result->value, sizeof(result->value), format, arguments);
	va_end(arguments);
}

void
doctor_todo(struct doctor_result *result, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(result->todo, sizeof(result->todo), format, arguments);
	va_end(arguments);
}

static bool
doctor_read_file(const char *path, char *buffer, size_t size)
{
	PK_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && used < size - 1) {
		n = read(fd, buffer + used, size - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		return false;
	buffer[used] = '\0';
	buffer[strcspn(buffer, "\n")] = '\0';
	return true;
}

bool
doctor_read_sysctl(
	const struct doctor *doctor, const char *name, char *buffer, size_t size)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/proc/sys/%s", doctor->root, name);
	return doctor_read_file(path, buffer, size);
}

bool
doctor_read_number(const struct doctor *doctor, const char *name, uint64_t *ret_number)
{
	char text[64];
	char *end;

	if (!doctor_read_sysctl(doctor, name, text, sizeof(text)))
		return false;
	*ret_number = strtoull(text, &end, 10);
	return end != text;
}

/* ---- counters */

/*
 * /proc/net/snmp and netstat have pairs of lines, "Tcp: NAME NAME" and "Tcp: 1 2": the
 * value of `name` in the pair that begins with `prefix`.
 */
static bool
doctor_read_counter(
	const char *path, const char *prefix, const char *name, uint64_t *ret_value)
{
	FILE *file PK_FCLOSE = fopen(path, "re");
	static char names[8192];
	static char values[8192];
	size_t length = strlen(prefix);

	while (file && fgets(names, sizeof(names), file) &&
		fgets(values, sizeof(values), file)) {
		char *names_rest = names;
		char *values_rest = values;
		char *key;
		char *value;

		if (strncmp(names, prefix, length) != 0)
			continue;
		while ((key = strsep(&names_rest, " \n")) &&
			(value = strsep(&values_rest, " \n"))) {
			if (strcmp(key, name) != 0)
				continue;
			*ret_value = strtoull(value, NULL, 10);
			return true;
		}
	}
	return false;
}

struct doctor_counters
doctor_read_counters(void)
{
	struct doctor_counters counters = { 0 };

	counters.known =
		doctor_read_counter("/proc/net/netstat", "TcpExt:", "ListenOverflows",
			&counters.listen_overflows) &&
		doctor_read_counter("/proc/net/snmp", "Tcp:", "PassiveOpens",
			&counters.passive_opens);
	return counters;
}

void
doctor_check_overflows(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t total = doctor->after.listen_overflows;
	uint64_t rise = total - doctor->before.listen_overflows;

	if (!doctor->before.known || !doctor->after.known) {
		doctor_say(result, DOCTOR_UNKNOWN, "/proc/net/netstat cannot be read");
	} else if (rise) {
		doctor_say(result, DOCTOR_BAD,
			"rising: %llu in the last %llu ms, %llu in all",
			(unsigned long long)rise,
			(unsigned long long)doctor->sample_usec / 1000,
			(unsigned long long)total);
		doctor_todo(result,
			"find the full queue: ss -ltn shows Recv-Q above Send-Q, or "
			"'portkeeper doctor PORT'");
	} else if (total) {
		doctor_say(result, DOCTOR_NOTE,
			"%llu since the network came up, none just now",
			(unsigned long long)total);
		doctor_todo(result,
			"watch whether it rises: nstat -az TcpExtListenOverflows");
	} else {
		doctor_say(result, DOCTOR_OK, "0");
	}
}

/* ---- sysctls */

void
doctor_check_tw_reuse(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t value;

	if (!doctor_read_number(doctor, "net/ipv4/tcp_tw_reuse", &value)) {
		doctor_say(result, DOCTOR_UNKNOWN, "tcp_tw_reuse cannot be read");
	} else if (value == 1) {
		doctor_say(result, DOCTOR_NOTE,
			"1: for outgoing connections only, no bind() is helped by it");
		doctor_todo(result, "sudo sysctl -w net.ipv4.tcp_tw_reuse=2");
	} else {
		doctor_say(result, DOCTOR_OK, "%llu (%s)", (unsigned long long)value,
			value == 0 ? "off" : "outgoing connections over loopback only");
	}
}

/* Whether some line of the file sets tcp_tw_recycle (comments begin with # or ;). */
static bool
doctor_file_sets_recycle(const char *path)
{
	FILE *file PK_FCLOSE = fopen(path, "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		const char *start = line + strspn(line, " \t-");

		if (*start != '#' && *start != ';' && strstr(start, "tcp_tw_recycle"))
			return true;
	}
	return false;
}

/* The first configuration file that sets it, in the places of sysctl.d(5). */
static bool
doctor_find_recycle(const struct doctor *doctor, char *path, size_t size)
{
	static const char *const folders[] = { "/etc/sysctl.d", "/run/sysctl.d",
		"/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d" };
	char folder[4096];

	(void)snprintf(path, size, "%s/etc/sysctl.conf", doctor->root);
	if (doctor_file_sets_recycle(path))
		return true;
	for (size_t i = 0; i < PK_ARRAY_SIZE(folders); i++) {
		struct dirent *entry;
		bool found = false;
		DIR *directory;

		(void)snprintf(folder, sizeof(folder), "%s%s", doctor->root, folders[i]);
		directory = opendir(folder);
		while (directory && !found && (entry = readdir(directory))) {
			(void)snprintf(path, size, "%.3000s/%s", folder, entry->d_name);
			found = doctor_file_sets_recycle(path);
		}
		if (directory)
			closedir(directory);
		if (found)
			return true;
	}
	return false;
}

void
doctor_check_tw_recycle(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t value;
	char path[4096];

	if (doctor_read_number(doctor, "net/ipv4/tcp_tw_recycle", &value) && value) {
		doctor_say(result, DOCTOR_BAD, "%llu: clients behind one NAT are dropped",
			(unsigned long long)value);
		doctor_todo(result, "sudo sysctl -w net.ipv4.tcp_tw_recycle=0");
	} else if (doctor_find_recycle(doctor, path, sizeof(path))) {
		doctor_say(result, DOCTOR_NOTE, "%.200s still sets it", path);
		doctor_todo(result, "sudo sed -i '/tcp_tw_recycle/d' %.400s", path);
	} else {
		doctor_say(result, DOCTOR_OK,
			"not there, as it should be (gone since Linux 4.12)");
	}
}

void
doctor_check_fin_timeout(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t value;

	if (!doctor_read_number(doctor, "net/ipv4/tcp_fin_timeout", &value)) {
		doctor_say(result, DOCTOR_UNKNOWN, "tcp_fin_timeout cannot be read");
	} else if (value != 60) {
		doctor_say(result, DOCTOR_NOTE,
			"%llu s for FIN_WAIT_2 without a process; TIME_WAIT still lasts "
			"60 s",
			(unsigned long long)value);
		doctor_todo(result,
			"sudo sysctl -w net.ipv4.tcp_fin_timeout=60, unless FIN_WAIT_2 "
			"was what you meant");
	} else {
		doctor_say(result, DOCTOR_OK,
			"60 s (the default; it is not about TIME_WAIT)");
	}
}

void
doctor_check_abort_on_overflow(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t value;

	if (!doctor_read_number(doctor, "net/ipv4/tcp_abort_on_overflow", &value)) {
		doctor_say(
			result, DOCTOR_UNKNOWN, "tcp_abort_on_overflow cannot be read");
	} else if (value) {
		doctor_say(result, DOCTOR_BAD,
			"%llu: clients are reset when a queue is full",
			(unsigned long long)value);
		doctor_todo(result, "sudo sysctl -w net.ipv4.tcp_abort_on_overflow=0");
	} else {
		doctor_say(result, DOCTOR_OK, "0: clients of a full queue try again");
	}
}

void
doctor_check_max_tw_buckets(const struct doctor *doctor, struct doctor_result *result)
{
	FILE *file PK_FCLOSE = fopen("/proc/net/sockstat", "re");
	uint64_t limit;
	unsigned long long now = 0;
	bool found = false;
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *tw =
			strncmp(line, "TCP:", 4) == 0 ? strstr(line, " tw ") : NULL;

		if (tw) {
			now = strtoull(tw + 4, NULL, 10);
			found = true;
		}
	}
	if (!found ||
		!doctor_read_number(doctor, "net/ipv4/tcp_max_tw_buckets", &limit)) {
		doctor_say(result, DOCTOR_UNKNOWN,
			"sockstat or tcp_max_tw_buckets cannot be read");
	} else if (now * 10 >= limit * 9) {
		doctor_say(result, DOCTOR_BAD,
			"%llu TIME_WAIT of at most %llu: beyond that they are dropped "
			"early",
			now, (unsigned long long)limit);
		doctor_todo(result, "sudo sysctl -w net.ipv4.tcp_max_tw_buckets=%llu",
			limit < 65536 ? 262144ULL : (unsigned long long)limit * 2);
	} else {
		doctor_say(result, DOCTOR_OK, "%llu TIME_WAIT of at most %llu", now,
			(unsigned long long)limit);
	}
}

/* ---- limits */

/* pids.current and pids.max of the cgroup (v2) that this process is in. */
static bool
doctor_read_pids(uint64_t *ret_now, uint64_t *ret_limit)
{
	char line[4096];
	char path[8192];
	char text[64];
	const char *group;
	char *end;

	if (!doctor_read_file("/proc/self/cgroup", line, sizeof(line)))
		return false;
	group = strncmp(line, "0::", 3) == 0 ? line + 3 : NULL;
	if (!group)
		return false;
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/pids.max", group);
	if (!doctor_read_file(path, text, sizeof(text)))
		return false;
	*ret_limit = strtoull(text, &end, 10);
	if (end == text)
		return false; /* "max" */
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/pids.current", group);
	if (!doctor_read_file(path, text, sizeof(text)))
		return false;
	*ret_now = strtoull(text, NULL, 10);
	return true;
}

void
doctor_check_limits(const struct doctor *doctor, struct doctor_result *result)
{
	struct rlimit files;
	uint64_t now;
	uint64_t limit;

	(void)doctor;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
		doctor_say(
			result, DOCTOR_UNKNOWN, "the limit of open files cannot be read");
	} else if (files.rlim_max < DOCTOR_NOFILE_LOW) {
		doctor_say(result, DOCTOR_BAD, "at most %llu open files",
			(unsigned long long)files.rlim_max);
		doctor_todo(result,
			"LimitNOFILE=524288 in the unit, or --ulimit nofile=524288 for "
			"the container");
	} else if (doctor_read_pids(&now, &limit) && now * 10 >= limit * 9) {
		doctor_say(result, DOCTOR_BAD, "%llu of at most %llu processes",
			(unsigned long long)now, (unsigned long long)limit);
		doctor_todo(result,
			"TasksMax=infinity in the unit, or --pids-limit for the "
			"container");
	} else {
		doctor_say(result, DOCTOR_OK, "open files: %llu",
			(unsigned long long)files.rlim_max);
	}
}
