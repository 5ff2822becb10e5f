/* SPDX-License-Identifier: MIT */
/* unit-parsers: see unit-parsers.h. */
#include "config/unit-parsers.h"

#include <ctype.h>
#include <grp.h>
#include <limits.h>
#include <netinet/ip.h>
#include <pwd.h>
#include <string.h>

#include "config/command-line.h"
#include "config/unit.h"
#include "protocol/notify-message.h"
#include "protocol/timespan.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define UNIT_FIELD(type) ((type *)(void *)((char *)unit + directive->offset))

static int
unit_refuse(const struct directive *directive, const char *value, const char *expected,
	struct error *err)
{
	(void)error_set(
		err, -EINVAL, "bad value '%.100s' for %s=", value, directive->name);
	error_set_hint(err, "%s= takes %s", directive->name, expected);
	return -EINVAL;
}

static int
unit_boolean(const char *value)
{
	/* clang-format off */
	static const char *const yes[] = { "1", "yes", "y", "true", "t", "on" };
	static const char *const no[] = { "0", "no", "n", "false", "f", "off" };
	/* clang-format on */

	for (size_t i = 0; i < PK_ARRAY_SIZE(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return 1;
		if (strcasecmp(value, no[i]) == 0)
			return 0;
	}
	return -EINVAL;
}

UNIT_PARSER(unit_parse_boolean)
{
	int r = unit_boolean(value);

	if (r < 0)
		return unit_refuse(directive, value, "yes or no", err);
	*UNIT_FIELD(bool) = r > 0;
	return 0;
}

UNIT_PARSER(unit_parse_tristate)
{
	int r = unit_boolean(value);

	if (r < 0)
		return unit_refuse(directive, value, "yes or no", err);
	*UNIT_FIELD(int) = r;
	return 0;
}

UNIT_PARSER(unit_parse_enum)
{
	char expected[ERROR_HINT_MAX / 2] = "one of";
	size_t at = strlen(expected);

	for (int i = 0; directive->names[i]; i++) {
		if (strcmp(directive->names[i], value) == 0) {
			*UNIT_FIELD(int) = i;
			return 0;
		}
		at += (size_t)snprintf(
			expected + at, sizeof(expected) - at, " %s", directive->names[i]);
	}
	return unit_refuse(directive, value, expected, err);
}

/* Decimal digits only, up to INT_MAX. */
static int
unit_integer(const char *value, int *ret)
{
	long long number = 0;

	if (!*value || value[strspn(value, "0123456789")] != '\0' || strlen(value) > 10)
		return -EINVAL;
	for (; *value; value++)
		number = number * 10 + (*value - '0');
	if (number > INT_MAX)
		return -EINVAL;
	*ret = (int)number;
	return 0;
}

UNIT_PARSER(unit_parse_integer)
{
	int number;

	if (unit_integer(value, &number) < 0 || number < directive->argument)
		return unit_refuse(directive, value, "a whole number", err);
	*UNIT_FIELD(int) = number;
	return 0;
}

UNIT_PARSER(unit_parse_unsigned)
{
	int number;

	if (unit_integer(value, &number) < 0)
		return unit_refuse(directive, value, "a whole number", err);
	*UNIT_FIELD(unsigned) = (unsigned)number;
	return 0;
}

UNIT_PARSER(unit_parse_size)
{
	char digits[16] = "";
	size_t n = strspn(value, "0123456789");
	int number, shift = 0;

	if (n < sizeof(digits))
		memcpy(digits, value, n);
	if (strcmp(value + n, "K") == 0)
		shift = 10;
	else if (strcmp(value + n, "M") == 0)
		shift = 20;
	else if (strcmp(value + n, "G") == 0)
		shift = 30;
	else if (value[n])
		return unit_refuse(directive, value, "a size like 256K or 8M", err);
	if (unit_integer(digits, &number) < 0 || number > INT_MAX >> shift)
		return unit_refuse(directive, value, "a size like 256K or 8M", err);
	*UNIT_FIELD(int) = number << shift;
	return 0;
}

UNIT_PARSER(unit_parse_usec)
{
	uint64_t usec;

	if (timespan_parse(value, USEC_PER_SEC, &usec) < 0)
		return unit_refuse(
			directive, value, "a time like 500ms, 5s or 1min 30s", err);
	*UNIT_FIELD(uint64_t) = usec;
	return 0;
}

static int
unit_time_in(const struct directive *directive, const char *value, uint64_t unit_usec,
	int *field, struct error *err)
{
	uint64_t usec, count;

	if (timespan_parse(value, USEC_PER_SEC, &usec) < 0 || usec == USEC_INFINITY)
		return unit_refuse(directive, value, "a time like 30s or 2min", err);
	count = usec / unit_usec + (usec % unit_usec != 0);
	if (count > INT_MAX)
		return unit_refuse(directive, value, "a shorter time", err);
	*field = (int)count;
	return 0;
}

UNIT_PARSER(unit_parse_seconds)
{
	return unit_time_in(directive, value, USEC_PER_SEC, UNIT_FIELD(int), err);
}

UNIT_PARSER(unit_parse_milliseconds)
{
	return unit_time_in(directive, value, USEC_PER_MSEC, UNIT_FIELD(int), err);
}

UNIT_PARSER(unit_parse_restart_sec)
{
	int r = unit_parse_usec(directive, value, unit, err);

	if (r >= 0)
		unit->restart.delay_is_set = true;
	return r;
}

UNIT_PARSER(unit_parse_immediate)
{
	int r = unit_parse_unsigned(directive, value, unit, err);

	if (r >= 0)
		unit->restart.immediate_is_set = true;
	return r;
}

static int
unit_set_string(char **field, const char *value)
{
	char *copy = NULL;

	if (*value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

UNIT_PARSER(unit_parse_string)
{
	(void)err;
	return unit_set_string(UNIT_FIELD(char *), value);
}

UNIT_PARSER(unit_parse_fd_name)
{
	if (*value && !notify_message_fd_name_is_valid(value))
		return unit_refuse(directive, value,
			"up to 255 printable ASCII characters, no colon and no blank",
			err);
	return unit_set_string(UNIT_FIELD(char *), value);
}

UNIT_PARSER(unit_parse_absolute_path)
{
	if (*value && *value != '/')
		return unit_refuse(directive, value, "an absolute path", err);
	return unit_set_string(UNIT_FIELD(char *), value);
}

UNIT_PARSER(unit_parse_mode)
{
	mode_t mode = 0;

	if (!*value || value[strspn(value, "01234567")] != '\0' || strlen(value) > 5)
		return unit_refuse(directive, value, "an octal mode like 0660", err);
	for (const char *p = value; *p; p++)
		mode = mode * 8 + (mode_t)(*p - '0');
	if (mode > 07777)
		return unit_refuse(directive, value, "an octal mode like 0660", err);
	*UNIT_FIELD(mode_t) = mode;
	return 0;
}

/* Names are looked up once, at start: nothing asks a name service later. */
UNIT_PARSER(unit_parse_user)
{
	const struct passwd *entry;
	int number;

	if (unit_integer(value, &number) >= 0) {
		*UNIT_FIELD(uid_t) = (uid_t)number;
		return 0;
	}
	entry = getpwnam(value);
	if (!entry)
		return unit_refuse(directive, value, "a user of this system", err);
	*UNIT_FIELD(uid_t) = entry->pw_uid;
	return 0;
}

UNIT_PARSER(unit_parse_group)
{
	const struct group *entry;
	int number;

	if (unit_integer(value, &number) >= 0) {
		*UNIT_FIELD(gid_t) = (gid_t)number;
		return 0;
	}
	entry = getgrnam(value);
	if (!entry)
		return unit_refuse(directive, value, "a group of this system", err);
	*UNIT_FIELD(gid_t) = entry->gr_gid;
	return 0;
}

/* "SIGTERM", "TERM", "15", "RTMIN+3"; 1 to 64, or -EINVAL. */
static int
unit_signal(const char *value)
{
	int number;

	if (unit_integer(value, &number) >= 0)
		return number >= 1 && number <= 64 ? number : -EINVAL;
	if (strncmp(value, "SIG", 3) == 0)
		value += 3;
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcmp(name, value) == 0)
			return i;
	}
	if (strncmp(value, "RTMIN+", 6) == 0 && unit_integer(value + 6, &number) >= 0 &&
		SIGRTMIN + number <= SIGRTMAX)
		return SIGRTMIN + number;
	return -EINVAL;
}

UNIT_PARSER(unit_parse_signal)
{
	int number = unit_signal(value);

	if (number < 0)
		return unit_refuse(directive, value, "a signal like SIGTERM", err);
	*UNIT_FIELD(int) = number;
	return 0;
}

/* The names that systemd.exec(5) has for exit statuses of sysexits.h and of the C
 * library. */
static int
unit_exit_status(const char *word)
{
	/* clang-format off */
	static const struct { const char *name; int status; } names[] = {
		{ "SUCCESS", 0 },      { "FAILURE", 1 },   { "USAGE", 64 },   { "DATAERR", 65 },
		{ "NOINPUT", 66 },     { "NOUSER", 67 },   { "NOHOST", 68 },  { "UNAVAILABLE", 69 },
		{ "SOFTWARE", 70 },    { "OSERR", 71 },    { "OSFILE", 72 },  { "CANTCREAT", 73 },
		{ "IOERR", 74 },       { "TEMPFAIL", 75 }, { "PROTOCOL", 76 }, { "NOPERM", 77 },
		{ "CONFIG", 78 },
	};
	/* clang-format on */
	int number;

	if (unit_integer(word, &number) >= 0)
		return number <= 255 ? number : -EINVAL;
	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++)
		if (strcmp(names[i].name, word) == 0)
			return names[i].status;
	return -EINVAL;
}

UNIT_PARSER(unit_parse_exit_set)
{
	struct exit_set set = *UNIT_FIELD(struct exit_set);
	PK_FREE char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	if (!*value)
		set = (struct exit_set){ .signals = 0 };
	while ((word = strsep(&rest, " \t,"))) {
		int status = unit_exit_status(word);
		int number = status < 0 ? unit_signal(word) : 0;

		if (!*word)
			continue;
		if (status < 0 && number < 0)
			return unit_refuse(directive, word,
				"exit statuses (0 to 255) and signals like SIGTERM", err);
		if (status >= 0)
			set.statuses[status / 64] |= UINT64_C(1) << (status % 64);
		else
			set.signals |= UINT64_C(1) << (number - 1);
	}
	*UNIT_FIELD(struct exit_set) = set;
	return 0;
}

UNIT_PARSER(unit_parse_listen)
{
	return unit_add_listen(unit, value, directive->argument, err);
}

/* The count stands right behind the pointer in struct exec_spec; see the offsets' test.
 */
UNIT_PARSER(unit_parse_commands)
{
	struct exec_command **commands = UNIT_FIELD(struct exec_command *);
	size_t *n_commands = (size_t *)(void *)(commands + 1);
	struct exec_command *grown;
	int r;

	if (!*value) {
		unit_clear_commands(commands, n_commands);
		return 0;
	}
	grown = reallocarray(*commands, *n_commands + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*commands = grown;
	r = command_line_parse(value, &grown[*n_commands], err);
	if (r < 0) {
		(void)error_prefix(err, "%s=", directive->name);
		return r;
	}
	(*n_commands)++;
	return 0;
}

static bool
unit_is_assignment(const char *word)
{
	size_t n = strcspn(word, "=");

	if (n == 0 || word[n] != '=' || isdigit((unsigned char)word[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)word[i]) && word[i] != '_')
			return false;
	return true;
}

UNIT_PARSER(unit_parse_environment)
{
	char ***field = UNIT_FIELD(char **);
	char **words, **grown;
	size_t n_old = 0, n_new = 0;
	int r;

	if (!*value) {
		*field = command_line_free_words(*field);
		return 0;
	}
	r = command_line_split(value, &words, err);
	if (r < 0)
		return r;
	for (; words[n_new]; n_new++)
		if (!unit_is_assignment(words[n_new])) {
			r = unit_refuse(directive, words[n_new], "NAME=VALUE", err);
			(void)command_line_free_words(words);
			return r;
		}
	while (*field && (*field)[n_old])
		n_old++;
	grown = reallocarray(*field, n_old + n_new + 1, sizeof(*grown));
	if (!grown) {
		(void)command_line_free_words(words);
		return -ENOMEM;
	}
	memcpy(grown + n_old, words, (n_new + 1) * sizeof(*words));
	free(words);
	*field = grown;
	return 0;
}

UNIT_PARSER(unit_parse_socket_protocol)
{
	int protocol;

	if (!*value || strcmp(value, "tcp") == 0)
		protocol = 0;
	else if (strcmp(value, "mptcp") == 0)
		protocol = IPPROTO_MPTCP;
	else if (strcmp(value, "sctp") == 0)
		protocol = IPPROTO_SCTP;
	else if (strcmp(value, "udplite") == 0)
		protocol = IPPROTO_UDPLITE;
	else
		return unit_refuse(directive, value, "mptcp, sctp or udplite", err);
	*UNIT_FIELD(int) = protocol;
	return 0;
}

UNIT_PARSER(unit_parse_linger)
{
	if (strcmp(value, "reset") == 0)
		*UNIT_FIELD(int) = LINGER_RESET;
	else if (strcmp(value, "no") == 0)
		*UNIT_FIELD(int) = LINGER_UNSET;
	else if (unit_time_in(directive, value, USEC_PER_SEC, UNIT_FIELD(int), NULL) < 0)
		return unit_refuse(
			directive, value, "no, reset, or a time in seconds", err);
	return 0;
}

UNIT_PARSER(unit_parse_ip_tos)
{
	/* clang-format off */
	static const struct { const char *name; int tos; } names[] = {
		{ "low-delay", IPTOS_LOWDELAY }, { "throughput", IPTOS_THROUGHPUT },
		{ "reliability", IPTOS_RELIABILITY }, { "low-cost", IPTOS_LOWCOST },
	};
	/* clang-format on */
	int number;

	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++)
		if (strcmp(names[i].name, value) == 0) {
			*UNIT_FIELD(int) = names[i].tos;
			return 0;
		}
	if (unit_integer(value, &number) < 0 || number > 255)
		return unit_refuse(directive, value,
			"low-delay, throughput, reliability, low-cost or 0 to 255", err);
	*UNIT_FIELD(int) = number;
	return 0;
}
