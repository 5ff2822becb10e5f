/* SPDX-License-Identifier: MIT */
/* test-command-line: words and quotes, and the search for a command, in a folder of its
 * own. */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "config/command-line.h"

/* clang-format off */
static const struct {
	const char *text;
	const char *words[6];
} splits[] = {
	{ "", { NULL } },
	{ " \t ", { NULL } },
	{ "a", { "a" } },
	{ "a b", { "a", "b" } },
	{ "  a \t b  ", { "a", "b" } },
	{ "'a b' c", { "a b", "c" } },
	{ "\"a b\"c d", { "a bc", "d" } },
	{ "a'b c'd", { "ab cd" } },
	{ "''", { "" } },
	{ "a '' b", { "a", "", "b" } },
	{ "'\"' \"'\"", { "\"", "'" } },
	{ "a\\sb", { "a b" } },
	{ "a\\nb\\tc\\rd", { "a\nb\tc\rd" } },
	{ "\\\\ \\\" \\'", { "\\", "\"", "'" } },
	{ "'a\\'b'", { "a'b" } },
	{ "x=1 $HOME %h *", { "x=1", "$HOME", "%h", "*" } },
	{ "\xc3\xa4 \xff", { "\xc3\xa4", "\xff" } },
};

static const char *const bad_splits[] = { "'", "\"", "a 'b", "a \"b'", "\\", "a\\", "a\\q", "'\\", "a\\ b" };
/* clang-format on */

static void
words_are_split_as_systemd_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(splits); i++) {
		struct error err = ERROR_NONE;
		char **words;
		size_t n = 0;

		CHECK_ROW(command_line_split(splits[i].text, &words, &err) == 0,
			"'%s': %s", splits[i].text, err.text);
		for (; splits[i].words[n]; n++)
			CHECK_ROW(words[n] && strcmp(words[n], splits[i].words[n]) == 0,
				"'%s': word %zu is '%s'", splits[i].text, n,
				words[n] ? words[n] : "missing");
		CHECK_ROW(!words[n], "'%s': one word too many", splits[i].text);
		assert_null(command_line_free_words(words));
	}
}

static void
an_open_quote_and_an_unknown_escape_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(bad_splits); i++) {
		struct error err = ERROR_NONE;
		char **words;

		CHECK_ROW(command_line_split(bad_splits[i], &words, &err) == -EINVAL,
			"'%s' was taken", bad_splits[i]);
		assert_true(err.text[0]);
	}
}

/* ---- the search, over a PATH of two folders that the group's set-up makes */

static char folder[] = "/tmp/portkeeper-test-XXXXXX";
static char *path_before;

static void
make_file(const char *name, mode_t mode)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)pk_close(fd);
}

static void
make_folder(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int
make_folders(void **state)
{
	char path[256];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	make_folder("one");
	make_folder("two");
	make_folder("one/a-folder");
	make_file("one/plain-file", 0644);
	make_file("one/both", 0644);
	make_file("two/both", 0755);
	make_file("two/gunicorn-of-test", 0755);
	path_before = strdup(getenv("PATH") ? getenv("PATH") : "");
	(void)snprintf(path, sizeof(path), "%s/one:%s/two", folder, folder);
	return setenv("PATH", path, 1);
}

static int
remove_folders(void **state)
{
	static const char *const names[] = { "one/a-folder", "one/plain-file", "one/both",
		"two/both", "two/gunicorn-of-test", "one", "two", "" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
	(void)setenv("PATH", path_before, 1);
	free(path_before);
	return 0;
}

static void
the_first_executable_in_path_is_found(void **state)
{
	PK_FREE char *path = NULL;
	char wanted[256];

	(void)state;
	assert_int_equal(command_line_resolve("both", &path, NULL), 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/two/both", folder);
	assert_string_equal(path, wanted);
}

static void
with_a_slash_the_name_is_taken_as_it_is(void **state)
{
	PK_FREE char *path = NULL;
	char name[256];

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/two/../two/both", folder);
	assert_int_equal(command_line_resolve(name, &path, NULL), 0);
	assert_string_equal(path, name);
}

static void
what_cannot_be_run_says_why_and_what_to_do(void **state)
{
	/* clang-format off */
	static const struct { const char *name; int r; const char *text; const char *hint; } rows[] = {
		{ "plain-file",         -EACCES, "not an executable file", "chmod +x" },
		{ "a-folder",           -EACCES, "not an executable file", "" },
		{ "gunicorn-of-tset",   -ENOENT, "command not found", "did you mean 'gunicorn-of-test'?" },
		{ "nothing-like-it",    -ENOENT, "command not found", "install it" },
		{ "./no-such-file",     -ENOENT, "command not found", "no such file" },
		{ "/no/such/folder/at", -ENOENT, "command not found", "no such file" },
		{ "/",                  -EACCES, "not an executable file", "" },
		{ "",                   -ENOENT, "command not found", "its name is empty" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_NONE;
		char *path = NULL;
		int r = command_line_resolve(rows[i].name, &path, &err);

		CHECK_ROW(r == rows[i].r && !path && strstr(err.text, rows[i].text) &&
				strstr(err.hint, rows[i].hint),
			"'%s': %d, %s; %s", rows[i].name, r, err.text, err.hint);
	}
}

static void
a_command_is_its_path_and_all_its_words(void **state)
{
	struct exec_command command;

	(void)state;
	assert_int_equal(command_line_parse("both 'a b' c", &command, NULL), 0);
	assert_non_null(strstr(command.path, "/two/both"));
	assert_string_equal(command.argv[0], "both");
	assert_string_equal(command.argv[1], "a b");
	assert_string_equal(command.argv[2], "c");
	assert_null(command.argv[3]);
	assert_false(command.ignore_failure);
	free(command.path);
	(void)command_line_free_words(command.argv);
}

static void
a_dash_before_a_command_ignores_its_failure(void **state)
{
	struct exec_command command;

	(void)state;
	assert_int_equal(command_line_parse("-both", &command, NULL), 0);
	assert_true(command.ignore_failure);
	assert_string_equal(command.argv[0], "both");
	free(command.path);
	(void)command_line_free_words(command.argv);
}

static void
a_bad_command_leaves_nothing_behind(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int r; } rows[] = {
		{ "", -EINVAL }, { "-", -EINVAL }, { "  ", -EINVAL }, { "'both", -EINVAL },
		{ "nothing-like-it", -ENOENT }, { "plain-file x", -EACCES },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct exec_command command = { .path = NULL };
		struct error err = ERROR_NONE;

		CHECK_ROW(command_line_parse(rows[i].text, &command, &err) == rows[i].r &&
				!command.path && !command.argv,
			"'%s'", rows[i].text);
		assert_true(err.text[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_as_systemd_does),
		cmocka_unit_test(an_open_quote_and_an_unknown_escape_are_refused),
		cmocka_unit_test(the_first_executable_in_path_is_found),
		cmocka_unit_test(with_a_slash_the_name_is_taken_as_it_is),
		cmocka_unit_test(what_cannot_be_run_says_why_and_what_to_do),
		cmocka_unit_test(a_command_is_its_path_and_all_its_words),
		cmocka_unit_test(a_dash_before_a_command_ignores_its_failure),
		cmocka_unit_test(a_bad_command_leaves_nothing_behind),
	};

	return cmocka_run_group_tests_name(
		"command-line", tests, make_folders, remove_folders);
}
