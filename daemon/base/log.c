/* SPDX-License-Identifier: MIT */
/*
 * log: see log.h.
 *
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) is written here and
 * not by sd_journal_sendv(), because that one blocks while journald's queue is full.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "protocol/nonblocking-output.h"

#define LOG_LINE_MAX 2048
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

struct log {
	struct nonblocking_output output; /* standard error, or the journal's socket */
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
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
		st.st_ino == inode;
}

static int
log_open_journal(void)
{
	static const struct sockaddr_un journal = { .sun_family = AF_UNIX,
		.sun_path = LOG_JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 &&
		connect(fd, (const struct sockaddr *)&journal, sizeof(journal)) < 0)
		fd = pk_close(fd);
	return fd;
}

int
log_new(enum log_format format, enum log_level most, struct log **ret_log)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->output.fd = -1;
	log->most = most;
	if (format == LOG_FORMAT_JOURNAL ||
		(format == LOG_FORMAT_AUTO && log_stderr_is_journal())) {
		log->output.fd = log_open_journal();
		log->output.is_socket = true;
		format = log->output.fd >= 0 ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	}
	if (log->output.fd < 0)
		log->output = nonblocking_output_open(STDERR_FILENO);
	log->format = format == LOG_FORMAT_AUTO ? LOG_FORMAT_TEXT : format;
	*ret_log = log;
	return 0;
}

struct log *
log_free(struct log *log)
{
	if (!log)
		return NULL;
	nonblocking_output_close(&log->output);
	free(log);
	return NULL;
}

/* The bytes of the UTF-8 character at `p`, 0 if there is none (RFC 3629, section 4). */
static size_t
log_utf8_length(const unsigned char *p)
{
	size_t n = *p < 0x80 ? 1
		: *p < 0xc2  ? 0
		: *p < 0xe0  ? 2
		: *p < 0xf0  ? 3
		: *p < 0xf5  ? 4
			     : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* too long a form of a small number, a surrogate, more than U+10FFFF */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		(*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/*
 * Appends `text` as a JSON string, without its quotes; control characters become \u00XX,
 * and what is no UTF-8, because it was cut or never was, becomes U+FFFD.
 */
static size_t
log_append_json(char *line, size_t at, size_t size, const char *text)
{
	size_t n;

	for (; *text && at + 8 < size; text += n ? n : 1) {
		unsigned char c = (unsigned char)*text;

		n = log_utf8_length((const unsigned char *)text);
		if (n != 1) {
			memcpy(line + at, n ? text : "\xef\xbf\xbd", n ? n : 3);
			at += n ? n : 3;
		} else if (c == '"' || c == '\\') {
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
log_compose_json(char *line, size_t size, enum log_level level, const char *service,
	const char *text)
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
			"MESSAGE=%.1500s\nPRIORITY=%d\n"
			"SYSLOG_IDENTIFIER=portkeeper\n%s%.200s%s",
			text, (int)level, service ? "PORTKEEPER_SERVICE=" : "",
			service ? service : "", service ? "\n" : "");
		break;
	case LOG_FORMAT_AUTO:
	case LOG_FORMAT_TEXT:
		n = snprintf(line, size, "%.200s: %.1800s\n", about, text);
		break;
	}
	return (size_t)n < size ? (size_t)n : size - 1;
}

static void
log_text(struct log *log, enum log_level level, const char *service, char *text)
{
	char line[LOG_LINE_MAX], lost[64];
	size_t size;

	if (log->n_lost > 0) {
		(void)snprintf(lost, sizeof(lost),
			"%" PRIu64 " lines lost: the log took no more", log->n_lost);
		size = log_compose(
			log, line, sizeof(line), LOG_LEVEL_WARNING, NULL, lost);
		if (nonblocking_output_write(&log->output, line, size))
			log->n_lost = 0;
	}
	/* one event is one line, also when a child's name or an argument has newlines */
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	size = log_compose(log, line, sizeof(line), level, service, text);
	if (!nonblocking_output_write(&log->output, line, size))
		log->n_lost++;
}

void
log_line(struct log *log, enum log_level level, const char *service, const char *format,
	...)
{
	char text[LOG_LINE_MAX];
	va_list arguments;

	if (!log || level > log->most || log->output.fd < 0)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_text(log, level, service, text);
}

void
log_error_object(struct log *log, enum log_level level, const char *service,
	const struct error *err)
{
	if (err->hint[0])
		log_line(log, level, service, "%s; %s", err->text, err->hint);
	else
		log_line(log, level, service, "%s", err->text);
}
