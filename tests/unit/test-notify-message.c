/* SPDX-License-Identifier: MIT */
/* test-notify-message: datagrams of sd_notify(3), well-formed and not. */
#include "tests/unit/unit-test.h"

#include "protocol/notify-message.h"

static struct notify_message
parse(const char *text)
{
	struct notify_message message;

	if (notify_message_parse(text, strlen(text), &message) < 0)
		fail_msg("'%s' was refused", text);
	return message;
}

static void
an_empty_message_says_nothing(void **state)
{
	struct notify_message message = parse("");

	(void)state;
	assert_false(message.ready || message.stopping || message.fd_store ||
		message.fd_store_remove || message.barrier);
	assert_true(message.fd_poll);
	assert_int_equal(message.exit_status, -1);
	assert_string_equal(message.fd_name, "");
	assert_string_equal(message.status, "");
}

static void
every_key_that_is_known_is_read(void **state)
{
	struct notify_message message = parse(
		"READY=1\nSTOPPING=1\nFDSTORE=1\nFDSTOREREMOVE=1\nBARRIER=1\nFDPOLL=0\n"
		"EXIT_STATUS=143\nFDNAME=l0\nSTATUS=two = 2, all well");

	(void)state;
	assert_true(message.ready && message.stopping && message.fd_store &&
		message.fd_store_remove && message.barrier);
	assert_false(message.fd_poll);
	assert_int_equal(message.exit_status, 143);
	assert_string_equal(message.fd_name, "l0");
	assert_string_equal(message.status, "two = 2, all well");
}

static void
only_a_one_means_yes(void **state)
{
	static const char *const others[] = { "READY=", "READY=0", "READY=11", "READY=1 ",
		"READY= 1", "READY=yes", "READY", "READY 1", "ready=1", "XREADY=1",
		"READYX=1", "=1", "=", "\n\n\n", "WATCHDOG=1\nMAINPID=7" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(others); i++)
		CHECK_ROW(!parse(others[i]).ready, "'%s'", others[i]);
	assert_true(parse("\nUNKNOWN=x\n\nREADY=1\n").ready);
	assert_false(parse("READY=1\nREADY=0").ready);
}

static void
an_exit_status_is_a_number_from_0_to_255(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int status; } rows[] = {
		{ "0", 0 }, { "7", 7 }, { "255", 255 }, { "007", 7 }, { "256", -1 }, { "999", -1 },
		{ "1000", -1 }, { "-1", -1 }, { "", -1 }, { "1x", -1 }, { " 1", -1 },
	};
	/* clang-format on */
	char text[64];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		(void)snprintf(text, sizeof(text), "EXIT_STATUS=%s", rows[i].text);
		CHECK_ROW(parse(text).exit_status == rows[i].status, "'%s'", text);
	}
}

static void
a_descriptor_name_is_short_printable_and_has_no_colon(void **state)
{
	char longest[NOTIFY_FD_NAME_MAX + 2], text[sizeof(longest) + 16];

	(void)state;
	assert_true(notify_message_fd_name_is_valid("l0"));
	assert_true(notify_message_fd_name_is_valid("a=b~!"));
	assert_false(notify_message_fd_name_is_valid(""));
	assert_false(notify_message_fd_name_is_valid("a b"));
	assert_false(notify_message_fd_name_is_valid("a:b"));
	assert_false(notify_message_fd_name_is_valid("a\tb"));
	assert_false(notify_message_fd_name_is_valid("a\x7f"));
	assert_false(notify_message_fd_name_is_valid("\xc3\xa4"));
	memset(longest, 'n', sizeof(longest));
	longest[NOTIFY_FD_NAME_MAX] = '\0';
	assert_true(notify_message_fd_name_is_valid(longest));
	(void)snprintf(text, sizeof(text), "FDNAME=%s", longest);
	assert_string_equal(parse(text).fd_name, longest);
	longest[NOTIFY_FD_NAME_MAX] = 'n';
	longest[NOTIFY_FD_NAME_MAX + 1] = '\0';
	assert_false(notify_message_fd_name_is_valid(longest));
	(void)snprintf(text, sizeof(text), "FDNAME=%s", longest);
	assert_string_equal(parse(text).fd_name, "");
}

static void
a_status_that_is_too_long_is_cut(void **state)
{
	char text[600] = "STATUS=";
	struct notify_message message;

	(void)state;
	memset(text + 7, 's', sizeof(text) - 8);
	message = parse(text);
	assert_int_equal(strlen(message.status), sizeof(message.status) - 1);
}

static void
the_longest_datagram_is_read_and_a_longer_one_refused(void **state)
{
	PK_FREE char *text = malloc(NOTIFY_MESSAGE_MAX + 1);
	struct notify_message message;

	(void)state;
	memset(text, 'x', NOTIFY_MESSAGE_MAX + 1);
	memcpy(text, "READY=1\n", 8);
	assert_int_equal(notify_message_parse(text, NOTIFY_MESSAGE_MAX, &message), 0);
	assert_true(message.ready);
	assert_int_equal(
		notify_message_parse(text, NOTIFY_MESSAGE_MAX + 1, &message), -EBADMSG);
}

static void
a_nul_inside_is_refused_wherever_it_stands(void **state)
{
	struct notify_message message;

	(void)state;
	assert_int_equal(notify_message_parse("\0READY=1", 8, &message), -EBADMSG);
	assert_int_equal(notify_message_parse("READY=1\0", 8, &message), -EBADMSG);
	assert_int_equal(notify_message_parse("READY\0=1", 8, &message), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_message_says_nothing),
		cmocka_unit_test(every_key_that_is_known_is_read),
		cmocka_unit_test(only_a_one_means_yes),
		cmocka_unit_test(an_exit_status_is_a_number_from_0_to_255),
		cmocka_unit_test(a_descriptor_name_is_short_printable_and_has_no_colon),
		cmocka_unit_test(a_status_that_is_too_long_is_cut),
		cmocka_unit_test(the_longest_datagram_is_read_and_a_longer_one_refused),
		cmocka_unit_test(a_nul_inside_is_refused_wherever_it_stands),
	};

	return cmocka_run_group_tests_name("notify-message", tests, NULL, NULL);
}
