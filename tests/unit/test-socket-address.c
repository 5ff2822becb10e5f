/* SPDX-License-Identifier: MIT */
/* test-socket-address: every form of an address, there and back, and every refusal. */
#include "tests/unit/unit-test.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "protocol/socket-address.h"

#define LONGEST_PATH /* 107 bytes */ \
	"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* clang-format off */
static const struct {
	const char *text;
	int default_type;
	int family, type;
	bool dual_stack;
	unsigned port;
	const char *formatted; /* NULL: as the text */
} forms[] = {
	{ "49200",                SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  49200, NULL },
	{ "1",                    SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  1, NULL },
	{ "65535",                SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  65535, NULL },
	{ "00080",                SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  80, "80" },
	{ "tcp:80",               SOCK_DGRAM,  AF_INET6, SOCK_STREAM, true,  80, "80" },
	{ "udp:53",               SOCK_STREAM, AF_INET6, SOCK_DGRAM,  true,  53, NULL },
	{ "53",                   SOCK_DGRAM,  AF_INET6, SOCK_DGRAM,  true,  53, "udp:53" },
	{ "127.0.0.1:80",         SOCK_STREAM, AF_INET,  SOCK_STREAM, false, 80, NULL },
	{ "127.0.0.1:0",          SOCK_STREAM, AF_INET,  SOCK_STREAM, false, 0, NULL },
	{ "0.0.0.0:8080",         SOCK_STREAM, AF_INET,  SOCK_STREAM, false, 8080, NULL },
	{ "udp:127.0.0.1:53",     SOCK_STREAM, AF_INET,  SOCK_DGRAM,  false, 53, NULL },
	{ "tcp:127.0.0.1:53",     SOCK_DGRAM,  AF_INET,  SOCK_STREAM, false, 53, "127.0.0.1:53" },
	{ "[::1]:80",             SOCK_STREAM, AF_INET6, SOCK_STREAM, false, 80, NULL },
	{ "[::]:80",              SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  80, "80" },
	{ "[::]:0",               SOCK_STREAM, AF_INET6, SOCK_STREAM, true,  0, NULL },
	{ "[0:0::1]:80",          SOCK_STREAM, AF_INET6, SOCK_STREAM, false, 80, "[::1]:80" },
	{ "[::ffff:1.2.3.4]:80",  SOCK_STREAM, AF_INET6, SOCK_STREAM, false, 80, NULL },
	{ "udp:[2001:db8::1]:53", SOCK_STREAM, AF_INET6, SOCK_DGRAM,  false, 53, NULL },
	{ "[fe80::1%lo]:80",      SOCK_STREAM, AF_INET6, SOCK_STREAM, false, 80, NULL },
	{ "/run/x.sock",          SOCK_STREAM, AF_UNIX,  SOCK_STREAM, false, 0, NULL },
	{ "unix:/run/x.sock",     SOCK_DGRAM,  AF_UNIX,  SOCK_STREAM, false, 0, "/run/x.sock" },
	{ "unix-stream:/x",       SOCK_DGRAM,  AF_UNIX,  SOCK_STREAM, false, 0, "/x" },
	{ "unix-dgram:/x",        SOCK_STREAM, AF_UNIX,  SOCK_DGRAM,  false, 0, NULL },
	{ "unix-seqpacket:/x",    SOCK_STREAM, AF_UNIX,  SOCK_SEQPACKET, false, 0, NULL },
	{ "/x",                   SOCK_SEQPACKET, AF_UNIX, SOCK_SEQPACKET, false, 0, "unix-seqpacket:/x" },
	{ "@name",                SOCK_STREAM, AF_UNIX,  SOCK_STREAM, false, 0, NULL },
	{ "unix:@a:b 1",          SOCK_STREAM, AF_UNIX,  SOCK_STREAM, false, 0, "@a:b 1" },
	{ "unix-dgram:@name",     SOCK_STREAM, AF_UNIX,  SOCK_DGRAM,  false, 0, NULL },
	{ LONGEST_PATH,           SOCK_STREAM, AF_UNIX,  SOCK_STREAM, false, 0, NULL },
};

static const char *const refused[] = {
	"", "0", "tcp:0", "65536", "99999", "100000", "4294967297", "-1", "+80", " 80", "80 ", "8o",
	"80x", "0x50", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "1.2.3:80",
	"1.2.3.4.5:80", "256.0.0.1:80", "localhost:80", "example:80", "::1:80", "[::1]", "[::1]:", "[:80",
	"[]:80", "[::1:80", "::1]:80", "[::g]:80", "[1.2.3.4]:80", "[fe80::1%nosuchif0]:80", "[::1%lo]:80", "[::%lo]:80", "[2001:db8::1%lo]:80", "[fe80::1%]:80",
	"[::1]x:80", "tcp:", "udp:", "udp:/x", "tcp:/x", "udp:@x", "unix:", "unix:x", "unix:80", "unix-dgram:",
	"unix-x:/a", "/", "@", "./x", "x/y", "sctp:80", "TCP:80", "fd:3", "[2001:db8::1]:80:80",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
	"11111111111111111111111111111111111111111111111111111111111111111111111:80",
	LONGEST_PATH "a", "@" LONGEST_PATH,
};
/* clang-format on */

static void
every_form_is_read_and_written_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(forms); i++) {
		const char *wanted =
			forms[i].formatted ? forms[i].formatted : forms[i].text;
		struct socket_address address, again;
		struct error err = ERROR_NONE;
		char text[SOCKET_ADDRESS_TEXT_MAX];

		CHECK_ROW(socket_address_parse(forms[i].text, forms[i].default_type,
				  &address, &err) == 0,
			"%s: %s", forms[i].text, err.text);
		CHECK_ROW(address.storage.any.sa_family == forms[i].family &&
				address.type == forms[i].type &&
				address.dual_stack == forms[i].dual_stack &&
				socket_address_port(&address) == forms[i].port,
			"%s: family %d, type %d, dual-stack %d, port %u", forms[i].text,
			address.storage.any.sa_family, address.type, address.dual_stack,
			socket_address_port(&address));
		CHECK_ROW(strcmp(socket_address_format(&address, text, sizeof(text)),
				  wanted) == 0,
			"%s: written as %s", forms[i].text, text);
		CHECK_ROW(socket_address_parse(text, SOCK_STREAM, &again, &err) == 0 &&
				socket_address_equal(&address, &again),
			"%s: %s is another address", forms[i].text, text);
	}
}

static void
every_refusal_names_the_text_and_the_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(refused); i++) {
		struct socket_address address;
		struct error err = ERROR_NONE;
		char start[40];

		CHECK_ROW(socket_address_parse(refused[i], SOCK_STREAM, &address, &err) ==
				-EINVAL,
			"'%s' was taken", refused[i]);
		(void)snprintf(start, sizeof(start), "'%.30s", refused[i]);
		CHECK_ROW(err.code == -EINVAL && strstr(err.text, start) && err.hint[0],
			"'%s': %s", refused[i], err.text);
		/* nobody has to want the words */
		assert_int_equal(
			socket_address_parse(refused[i], SOCK_STREAM, &address, NULL),
			-EINVAL);
	}
}

static void
a_bound_socket_gives_the_address_it_was_bound_to(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int protocol; } rows[] = {
		{ "127.0.0.1:0", 0 }, { "[::1]:0", 0 }, { "[::]:0", 0 }, { "udp:127.0.0.1:0", 0 },
		{ "udp:[::]:0", 0 }, { "127.0.0.1:0", IPPROTO_MPTCP },
		{ "unix-dgram:@portkeeper-test-address", 0 }, { "unix-seqpacket:@portkeeper-test-address", 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct socket_address address, bound, again;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		PK_CLOSE int fd = -1;
		int off = 0;

		assert_int_equal(
			socket_address_parse(rows[i].text, SOCK_STREAM, &address, NULL),
			0);
		address.protocol = rows[i].protocol;
		fd = socket(address.storage.any.sa_family, address.type | SOCK_CLOEXEC,
			address.protocol);
		if (fd < 0)
			continue; /* no IPv6, or no MPTCP */
		if (address.dual_stack)
			assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
						 sizeof(off)),
				0);
		if (bind(fd, &address.storage.any, address.length) < 0)
			continue;
		assert_int_equal(socket_address_from_fd(fd, &bound), 0);
		(void)socket_address_format(&bound, text, sizeof(text));
		assert_int_equal(
			socket_address_parse(text, SOCK_STREAM, &again, NULL), 0);
		again.protocol = rows[i].protocol;
		CHECK_ROW(socket_address_equal(&bound, &again), "%s: %s", rows[i].text,
			text);
		if (socket_address_port(&bound)) {
			assert_false(socket_address_equal(&bound, &address));
			address.storage.in.sin_port = bound.storage.in.sin_port;
		}
		CHECK_ROW(socket_address_equal(&bound, &address), "%s: %s", rows[i].text,
			text);
	}
}

static void
addresses_that_differ_in_anything_are_not_equal(void **state)
{
	static const char *const different[] = { "80", "81", "udp:80", "0.0.0.0:80",
		"[::1]:80", "127.0.0.1:80", "127.0.0.2:80", "udp:127.0.0.1:80", "/a",
		"/b", "/ab", "@a", "unix-dgram:/a", "unix-seqpacket:/a",
		"[fe80::1%lo]:80", "[fe80::1]:80" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(different); i++)
		for (size_t j = 0; j < PK_ARRAY_SIZE(different); j++) {
			struct socket_address a, b;

			assert_int_equal(
				socket_address_parse(different[i], SOCK_STREAM, &a, NULL),
				0);
			assert_int_equal(
				socket_address_parse(different[j], SOCK_STREAM, &b, NULL),
				0);
			CHECK_ROW(socket_address_equal(&a, &b) == (i == j), "%s and %s",
				different[i], different[j]);
		}
}

static void
a_small_buffer_cuts_the_text_and_ends_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(forms); i++) {
		struct socket_address address;

		assert_int_equal(socket_address_parse(forms[i].text,
					 forms[i].default_type, &address, NULL),
			0);
		for (size_t size = 1; size < 16; size++) {
			PK_FREE char *buffer = malloc(size);

			(void)socket_address_format(&address, buffer, size);
			assert_true(strlen(buffer) < size);
		}
	}
}

static void
what_is_no_socket_has_no_address(void **state)
{
	struct socket_address address;

	(void)state;
	assert_int_equal(socket_address_from_fd(-1, &address), -EBADF);
	assert_int_equal(socket_address_from_fd(0, &address) < 0, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read_and_written_back),
		cmocka_unit_test(every_refusal_names_the_text_and_the_forms),
		cmocka_unit_test(a_bound_socket_gives_the_address_it_was_bound_to),
		cmocka_unit_test(addresses_that_differ_in_anything_are_not_equal),
		cmocka_unit_test(a_small_buffer_cuts_the_text_and_ends_it),
		cmocka_unit_test(what_is_no_socket_has_no_address),
	};

	return cmocka_run_group_tests_name("socket-address", tests, NULL, NULL);
}
