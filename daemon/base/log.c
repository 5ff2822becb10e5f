/* SPDX-License-Identifier: MIT */
/*
 * log: see log.h.
 *
 * How a write stays non-blocking without O_NONBLOCK on a description that the child and the
 * shell share: a pipe or terminal is opened once more through /proc/self/fd/2, which makes a
 * description of our own (proc_pid_fd(5)); a socket gets MSG_DONTWAIT with each message; a
 * regular file does not block in that sense and keeps its shared offset by dup.
 *
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) is written here and not
 * by sd_journal_sendv(), because that one blocks while journald's queue is full.
 */
#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"

#define LOG_LINE_MAX 2048
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log {
	int fd;
	bool is_socket;
	enum log_format format;
	enum log_level most;
	uint64_t n_lost;
};

/* JOURNAL_STREAM=device:inode of the stream, set by systemd: systemd.exec(5). */
static bool
log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int
log_open_stderr(bool *ret_is_socket)
{
	struct stat st;
	int fd;

	*ret_is_socket = false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return -1;
	if (S_ISSOCK(st.st_mode))
		*ret_is_socket = true;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			return fd;
	}
	return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int
log_open_journal(void)
{
	static const struct sockaddr_un journal = { .sun_family = AF_UNIX,
		.sun_path = LOG_JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&journal, sizeof(journal)) < 0)
		fd = pk_close(fd);
	return fd;
}

int
log_new(enum log_format format, enum log_level most, struct log **ret_log)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->fd = -1;
	log->most = most;
	if (format == LOG_FORMAT_JOURNAL ||
		(format == LOG_FORMAT_AUTO && log_stderr_is_journal())) {
		log->fd = log_open_journal();
		log->is_socket = true;
		format = log->fd >= 0 ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	}
	if (log->fd < 0)
		log->fd = log_open_stderr(&log->is_socket);
	log->format = format == LOG_FORMAT_AUTO ? LOG_FORMAT_TEXT : format;
	*ret_log = log;
	return 0;
}

struct log *
log_free(struct log *log)
{
	if (!log)
		return NULL;
	(void)pk_close(log->fd);
	free(log);
	return NULL;
}

/* Appends `text` as a JSON string, without its quotes; control characters become \u00XX. */
static size_t
log_append_json(char *line, size_t at, size_t size, const char *text)
{
	for (; *text && at + 8 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			line[at++] = '\\';
			line[at++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			at += (size_t)snprintf(line + at, size - at, "\\u%04x", c);
		} else {
			line[at++] = (char)c;
		}
	}
	line[at] = '\0';
	return at;
}

static const char *
log_level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_NOTICE:
		return "notice";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "unknown";
}

static size_t
log_compose_json(
	char *line, size_t size, enum log_level level, const char *service, const char *text)
{
	uint64_t now = clock_realtime_usec();
	time_t seconds = (time_t)(now / 1000000);
	struct tm utc;
	size_t at = 0;

	(void)gmtime_r(&seconds, &utc);
	at += strftime(line, size, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
	at += (size_t)snprintf(line + at, size - at, ".%06" PRIu64 "Z\",\"level\":\"%s\"",
		now % 1000000, log_level_name(level));
	if (service) {
		at += (size_t)snprintf(line + at, size - at, ",\"service\":\"");
		at = log_append_json(line, at, size / 4, service);
		line[at++] = '"';
	}
	at += (size_t)snprintf(line + at, size - at, ",\"message\":\"");
	at = log_append_json(line, at, size - 4, text);
	return at + (size_t)snprintf(line + at, size - at, "\"}\n");
}

static size_t
log_compose(struct log *log, char *line, size_t size, enum log_level level,
	const char *service, const char *text)
{
	const char *about = service ? service : "portkeeper";
	int n = 0;

	switch (log->format) {
	case LOG_FORMAT_JSON:
		return log_compose_json(line, size, level, service, text);
	case LOG_FORMAT_JOURNAL:
		n = snprintf(line, size,
			"MESSAGE=%.1500s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=portkeeper\n%s%s%s",
			text, (int)level, service ? "PORTKEEPER_SERVICE=" : "",
			service ? service : "", service ? "\n" : "");
		break;
	case LOG_FORMAT_AUTO:
	case LOG_FORMAT_TEXT:
		n = snprintf(line, size, "%s: %.1800s\n", about, text);
		break;
	}
	return (size_t)n < size ? (size_t)n : size - 1;
}

static bool
log_write(struct log *log, const char *line, size_t size)
{
	ssize_t n;

	if (log->is_socket)
		n = send(log->fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(log->fd, line, size);
	return n == (ssize_t)size;
}

static void
log_text(struct log *log, enum log_level level, const char *service, char *text)
{
	char line[LOG_LINE_MAX], lost[64];
	size_t size;

	if (log->n_lost > 0) {
		(void)snprintf(lost, sizeof(lost),
			"%" PRIu64 " lines lost: the log took no more", log->n_lost);
		size = log_compose(log, line, sizeof(line), LOG_LEVEL_WARNING, NULL, lost);
		if (log_write(log, line, size))
			log->n_lost = 0;
	}
	/* one event is one line, also when a child's name or an argument has newlines */
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	size = log_compose(log, line, sizeof(line), level, service, text);
	if (!log_write(log, line, size))
		log->n_lost++;
}

void
log_line(struct log *log, enum log_level level, const char *service, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	va_list arguments;

	if (!log || level > log->most || log->fd < 0)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_text(log, level, service, text);
}

void
log_error_object(
	struct log *log, enum log_level level, const char *service, const struct error *err)
{
	if (err->hint[0])
		log_line(log, level, service, "%s; %s", err->text, err->hint);
	else
		log_line(log, level, service, "%s", err->text);
}
