/* SPDX-License-Identifier: MIT */
/*
 * test-log: what comes out of standard error, which is a pipe of the test for as long as
 * a log is open: words, JSON, and what happens when nobody reads.
 */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <jansson.h>

#include "base/log.h"

struct captured {
	int saved; /* the real standard error */
	int read_end;
	struct log *log;
};

static void
captured_open(struct captured *captured, enum log_format format, enum log_level most)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	captured->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	captured->read_end = ends[0];
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	(void)pk_close(ends[1]);
	assert_int_equal(log_new(format, most, &captured->log), 0);
}

/* All that has come so far, as one text. */
static void
captured_read(struct captured *captured, char *text, size_t size)
{
	size_t at = 0;
	ssize_t n;

	while (at < size - 1 &&
		(n = read(captured->read_end, text + at, size - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
}

static void
captured_close(struct captured *captured)
{
	(void)dup2(captured->saved, STDERR_FILENO);
	(void)pk_close(captured->saved);
	(void)pk_close(captured->read_end);
	assert_null(log_free(captured->log));
}

static void
a_line_says_whom_it_is_about(void **state)
{
	struct captured captured;
	char text[4096];

	(void)state;
	captured_open(&captured, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_line(captured.log, LOG_LEVEL_INFO, "web", "started %d", 7);
	log_line(captured.log, LOG_LEVEL_ERROR, NULL, "cannot");
	captured_read(&captured, text, sizeof(text));
	captured_close(&captured);
	assert_string_equal(text, "web: started 7\nportkeeper: cannot\n");
}

static void
lines_above_the_level_are_left_out(void **state)
{
	struct captured captured;
	char text[4096];

	(void)state;
	captured_open(&captured, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	log_line(captured.log, LOG_LEVEL_DEBUG, "web", "debug");
	log_line(captured.log, LOG_LEVEL_NOTICE, "web", "notice");
	log_line(captured.log, LOG_LEVEL_WARNING, "web", "warning");
	log_line(NULL, LOG_LEVEL_ERROR, "web", "no log at all");
	captured_read(&captured, text, sizeof(text));
	captured_close(&captured);
	assert_string_equal(text, "web: warning\n");
}

static void
one_event_is_one_line_whatever_stands_in_it(void **state)
{
	struct captured captured;
	char text[4096];

	(void)state;
	captured_open(&captured, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_line(captured.log, LOG_LEVEL_INFO, "web", "a\nb\r\nc");
	captured_read(&captured, text, sizeof(text));
	captured_close(&captured);
	assert_string_equal(text, "web: a b  c\n");
}

static void
an_error_comes_with_its_hint(void **state)
{
	struct captured captured;
	struct error err = ERROR_NONE;
	char text[4096];

	(void)state;
	(void)error_set(&err, -EINVAL, "bad value");
	captured_open(&captured, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_error_object(captured.log, LOG_LEVEL_ERROR, "web", &err);
	error_set_hint(&err, "use a good one");
	log_error_object(captured.log, LOG_LEVEL_ERROR, "web", &err);
	captured_read(&captured, text, sizeof(text));
	captured_close(&captured);
	assert_string_equal(text, "web: bad value\nweb: bad value; use a good one\n");
}

/* Each line parses, and gives back what was put in. */
static void
json_lines_give_back_what_was_put_in(void **state)
{
	static const char *const messages[] = { "plain", "", "say \"no\"", "back\\slash",
		"tab\t.", "\x01\x1f\x7f escape \x1b[31m", "\xc3\xa4\xe2\x82\xac",
		"{\"a\":1}", "%s %n", "/path/to" };
	static const char *const services[] = { "web", "we\"b\\", "w\xc3\xa4" };
	char text[4096];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(messages); i++) {
		const char *service = services[i % PK_ARRAY_SIZE(services)];
		struct captured captured;
		json_error_t error;
		json_t *line;

		captured_open(&captured, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
		log_line(captured.log, LOG_LEVEL_NOTICE, service, "%s", messages[i]);
		captured_read(&captured, text, sizeof(text));
		captured_close(&captured);
		line = json_loads(text, 0, &error);
		CHECK_ROW(line, "row %zu: %s: %s", i, error.text, text);
		assert_int_equal(text[strlen(text) - 1], '\n');
		assert_string_equal(
			json_string_value(json_object_get(line, "message")), messages[i]);
		assert_string_equal(
			json_string_value(json_object_get(line, "service")), service);
		assert_string_equal(
			json_string_value(json_object_get(line, "level")), "notice");
		assert_int_equal(
			strlen(json_string_value(json_object_get(line, "time"))), 27);
		json_decref(line);
	}
}

static void
what_is_no_utf8_is_still_a_line_of_json(void **state)
{
	static const char *const bad[] = { "\xff", "a\xc3", "\xc3(", "\xe2\x82",
		"\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\xc0\xaf", "\xf4\x90\x80\x80",
		"\x80" };
	char text[4096];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(bad); i++) {
		struct captured captured;
		json_t *line;

		captured_open(&captured, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
		log_line(captured.log, LOG_LEVEL_INFO, bad[i], "%s", bad[i]);
		captured_read(&captured, text, sizeof(text));
		captured_close(&captured);
		line = json_loads(text, 0, NULL);
		CHECK_ROW(line, "row %zu: %s", i, text);
		json_decref(line);
	}
}

static void
a_long_message_is_cut_and_still_one_line(void **state)
{
	static const enum log_format formats[] = { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
	static const char *const units[] = { "x", "\x01", "\xc3\xa4", "\"" };
	PK_FREE char *message = malloc(20001), *text = malloc(20001);

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(formats); i++)
		for (size_t j = 0; j < PK_ARRAY_SIZE(units); j++) {
			struct captured captured;

			message[0] = '\0';
			for (char *p = message; p < message + 19990;
				p += strlen(units[j]))
				memcpy(p, units[j], strlen(units[j]) + 1);
			captured_open(&captured, formats[i], LOG_LEVEL_INFO);
			log_line(captured.log, LOG_LEVEL_INFO, message, "%s", message);
			captured_read(&captured, text, 20001);
			captured_close(&captured);
			assert_true(strlen(text) > 500 && strlen(text) < 4096);
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
			if (formats[i] == LOG_FORMAT_JSON) {
				json_t *line = json_loads(text, 0, NULL);

				CHECK_ROW(line, "'%s': %s", units[j], text);
				json_decref(line);
			}
		}
}

static void
a_full_pipe_never_blocks_and_the_lost_lines_are_counted(void **state)
{
	struct captured captured;
	PK_FREE char *text = malloc(2 << 20);
	unsigned long n_lost = 0, n_lines = 0;
	char *lost;

	(void)state;
	captured_open(&captured, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	/* the child shares standard error: our O_NONBLOCK must not be on its description
	 */
	assert_false(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
	for (int i = 0; i < 20000; i++)
		log_line(captured.log, LOG_LEVEL_INFO, "web", "line %d", i);
	captured_read(&captured, text, 2 << 20);
	for (const char *p = text; *p; p++)
		n_lines += *p == '\n';
	log_line(captured.log, LOG_LEVEL_INFO, "web", "again");
	captured_read(&captured, text, 2 << 20);
	captured_close(&captured);
	lost = strstr(text, "portkeeper: ");
	assert_non_null(lost);
	assert_int_equal(sscanf(lost, "portkeeper: %lu lines lost", &n_lost), 1);
	assert_int_equal(n_lost + n_lines, 20000);
	assert_non_null(strstr(text, "web: again\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_whom_it_is_about),
		cmocka_unit_test(lines_above_the_level_are_left_out),
		cmocka_unit_test(one_event_is_one_line_whatever_stands_in_it),
		cmocka_unit_test(an_error_comes_with_its_hint),
		cmocka_unit_test(json_lines_give_back_what_was_put_in),
		cmocka_unit_test(what_is_no_utf8_is_still_a_line_of_json),
		cmocka_unit_test(a_long_message_is_cut_and_still_one_line),
		cmocka_unit_test(a_full_pipe_never_blocks_and_the_lost_lines_are_counted),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
