/* SPDX-License-Identifier: MIT */
/* test-error: what ends up in the text, and that nothing is too long for it. */
#include "tests/unit/unit-test.h"

#include "protocol/error.h"

static void
an_error_has_code_text_and_hint(void **state)
{
	struct error err = ERROR_NONE;

	(void)state;
	assert_int_equal(error_set(&err, -EINVAL, "bad %s", "thing"), -EINVAL);
	error_set_hint(&err, "use %d", 7);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "bad thing");
	assert_string_equal(err.hint, "use 7");
}

static void
a_new_error_forgets_the_hint_of_the_old_one(void **state)
{
	struct error err = ERROR_NONE;

	(void)state;
	(void)error_set(&err, -EINVAL, "one");
	error_set_hint(&err, "hint");
	(void)error_set(&err, -EIO, "two");
	assert_string_equal(err.hint, "");
}

static void
the_words_of_an_errno_stand_at_the_end(void **state)
{
	struct error err = ERROR_NONE;

	(void)state;
	assert_int_equal(error_set_errno(&err, -ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_string_equal(err.text, "cannot open x: No such file or directory");
}

static void
a_prefix_goes_before_and_keeps_code_and_hint(void **state)
{
	struct error err = ERROR_NONE;

	(void)state;
	(void)error_set(&err, -EINVAL, "bad");
	error_set_hint(&err, "hint");
	assert_int_equal(error_prefix(&err, "line %d", 3), -EINVAL);
	assert_string_equal(err.text, "line 3: bad");
	assert_string_equal(err.hint, "hint");
}

static void
nobody_has_to_want_an_error(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(error_set_errno(NULL, -EIO, "x"), -EIO);
	error_set_hint(NULL, "x");
	(void)error_prefix(NULL, "x");
}

static void
what_is_too_long_is_cut_but_the_errno_stays(void **state)
{
	PK_FREE char *text = malloc(5000);
	struct error err = ERROR_NONE;

	(void)state;
	memset(text, 'x', 4999);
	text[4999] = '\0';
	(void)error_set(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_set_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), ERROR_HINT_MAX - 1);
	(void)error_prefix(&err, "%s", text);
	assert_true(strlen(err.text) < ERROR_TEXT_MAX);
	(void)error_set_errno(&err, -ENOENT, "%s", text);
	assert_non_null(strstr(err.text, ": No such file or directory"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_code_text_and_hint),
		cmocka_unit_test(a_new_error_forgets_the_hint_of_the_old_one),
		cmocka_unit_test(the_words_of_an_errno_stand_at_the_end),
		cmocka_unit_test(a_prefix_goes_before_and_keeps_code_and_hint),
		cmocka_unit_test(nobody_has_to_want_an_error),
		cmocka_unit_test(what_is_too_long_is_cut_but_the_errno_stays),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
