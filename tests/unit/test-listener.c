/* SPDX-License-Identifier: MIT */
/*
 * test-listener: held sockets of every kind, on the real kernel: made, configured,
 * damaged as a child can damage them, mended. TCP and UDP use ports that the kernel
 * chose; Unix paths lie in a folder that the group's set-up makes.
 */
#include "tests/unit/unit-test.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#include "config/unit-directives.h"
#include "config/unit.h"
#include "mechanism/listener.h"

static char folder[] = "/tmp/portkeeper-test-XXXXXX";

/* A unit with one listener; "%s" in `address` is the folder. */
static struct unit *
make_unit(const char *address, const char *const *directives)
{
	char text[256];
	struct unit *unit;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), address, folder);
#pragma GCC diagnostic pop
	assert_int_equal(unit_new("web", &unit), 0);
	assert_int_equal(unit_add_listen(unit, text, SOCK_STREAM, NULL), 0);
	for (; directives && *directives; directives++) {
		PK_FREE char *name = strdup(*directives);
		char *value = strchr(name, '=');

		*value++ = '\0';
		assert_int_equal(directive_set(unit, name, value, NULL), 0);
	}
	assert_int_equal(unit_finish(unit, NULL), 0);
	return unit;
}

static struct listener *
open_listener(struct unit *unit)
{
	struct listener *listener = NULL;
	struct error err = ERROR_NONE;

	if (listener_open(&unit->listens[0], &unit->socket, &listener, &err) < 0)
		fail_msg("%s: %s", unit->listens[0].text, err.text);
	return listener;
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, level, name, &value, &length) < 0)
		return -errno;
	return value;
}

static uint64_t
cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
	return cookie;
}

/* Connects to a listener; the connection, or -errno. */
static int
connect_to(const struct listener *listener)
{
	const struct socket_address *address = &listener->address;
	int fd = socket(address->storage.any.sa_family, address->type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, &address->storage.any, address->length) == 0)
		return fd;
	(void)pk_close(fd);
	return -errno;
}

/* Brings the queue to the number of `n` clients. */
static void
queue_clients(const struct listener *listener, int *clients, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		clients[i] = connect_to(listener);
		assert_true(clients[i] >= 0);
	}
}

/* ---- made */

static void
every_kind_of_address_is_bound_and_listens_at_once(void **state)
{
	/* clang-format off */
	static const struct { const char *address; int family, type; } rows[] = {
		{ "127.0.0.1:0",       AF_INET,  SOCK_STREAM },
		{ "[::1]:0",           AF_INET6, SOCK_STREAM },
		{ "[::]:0",            AF_INET6, SOCK_STREAM },
		{ "udp:127.0.0.1:0",   AF_INET,  SOCK_DGRAM },
		{ "udp:[::]:0",        AF_INET6, SOCK_DGRAM },
		{ "%s/a/b/stream",     AF_UNIX,  SOCK_STREAM },
		{ "unix-dgram:%s/dgram", AF_UNIX, SOCK_DGRAM },
		{ "unix-seqpacket:%s/seq", AF_UNIX, SOCK_SEQPACKET },
		{ "@portkeeper%s",     AF_UNIX,  SOCK_STREAM },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		struct unit *unit = make_unit(rows[i].address, NULL);
		struct listener *listener = open_listener(unit);
		int client;

		CHECK_ROW(option_of(listener->fd, SOL_SOCKET, SO_DOMAIN) ==
					rows[i].family &&
				option_of(listener->fd, SOL_SOCKET, SO_TYPE) ==
					rows[i].type,
			"%s", rows[i].address);
		CHECK_ROW(option_of(listener->fd, SOL_SOCKET, SO_ACCEPTCONN) ==
				(rows[i].type != SOCK_DGRAM),
			"%s does not listen", rows[i].address);
		assert_true(fcntl(listener->fd, F_GETFD) & FD_CLOEXEC);
		assert_false(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);
		if (rows[i].family != AF_UNIX)
			assert_true(socket_address_port(&listener->address) > 0);
		client = connect_to(listener);
		CHECK_ROW(client >= 0, "%s: connect: %d", rows[i].address, client);
		(void)pk_close(client);
		(void)listener_free(listener, true);
		(void)unit_free(unit);
	}
}

static void
dual_stack_takes_both_families_and_ipv6_only_one(void **state)
{
	static const char *const only[] = { "BindIPv6Only=ipv6-only", NULL };
	struct unit *unit = make_unit("[::]:0", NULL);
	struct listener *listener = open_listener(unit);

	(void)state;
	assert_int_equal(option_of(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
	unit = make_unit("[::]:0", only);
	listener = open_listener(unit);
	assert_int_equal(option_of(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
the_options_that_were_asked_for_are_on_the_socket(void **state)
{
	/* clang-format off */
	static const struct { const char *address, *directive; int level, name, wanted; } rows[] = {
		{ "127.0.0.1:0", "KeepAlive=yes", SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "127.0.0.1:0", "KeepAliveTimeSec=100", IPPROTO_TCP, TCP_KEEPIDLE, 100 },
		{ "127.0.0.1:0", "KeepAliveIntervalSec=7", IPPROTO_TCP, TCP_KEEPINTVL, 7 },
		{ "127.0.0.1:0", "KeepAliveProbes=3", IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ "127.0.0.1:0", "UserTimeoutSec=2500ms", IPPROTO_TCP, TCP_USER_TIMEOUT, 2500 },
		{ "127.0.0.1:0", "NoDelay=yes", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "127.0.0.1:0", "Priority=3", SOL_SOCKET, SO_PRIORITY, 3 },
		{ "127.0.0.1:0", "IPTOS=low-delay", IPPROTO_IP, IP_TOS, 0x10 },
		{ "127.0.0.1:0", "IPTTL=17", IPPROTO_IP, IP_TTL, 17 },
		{ "[::1]:0",     "IPTTL=17", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 17 },
		{ "[::1]:0",     "IPTOS=8", IPPROTO_IPV6, IPV6_TCLASS, 8 },
		{ "[::]:0",      "IPTTL=17", IPPROTO_IP, IP_TTL, 17 },
		{ "127.0.0.1:0", "FreeBind=yes", IPPROTO_IP, IP_FREEBIND, 1 },
		{ "127.0.0.1:0", "ReusePort=yes", SOL_SOCKET, SO_REUSEPORT, 1 },
		{ "127.0.0.1:0", "ReuseAddress=no", SOL_SOCKET, SO_REUSEADDR, 0 },
		{ "127.0.0.1:0", "Description=x", SOL_SOCKET, SO_REUSEADDR, 1 },
		{ "udp:127.0.0.1:0", "Broadcast=yes", SOL_SOCKET, SO_BROADCAST, 1 },
		{ "udp:127.0.0.1:0", "PassPacketInfo=yes", IPPROTO_IP, IP_PKTINFO, 1 },
		{ "udp:127.0.0.1:0", "ReuseAddress=yes", SOL_SOCKET, SO_REUSEADDR, 0 },
		{ "udp:[::]:0",  "Description=x", SOL_SOCKET, SO_REUSEADDR, 0 },
		{ "udp:127.0.0.1:0", "KeepAlive=yes", SOL_SOCKET, SO_KEEPALIVE, 0 },
		{ "unix-dgram:%s/options", "PassCredentials=yes", SOL_SOCKET, SO_PASSCRED, 1 },
		/* the kernel doubles both: socket(7) */
		{ "127.0.0.1:0", "ReceiveBuffer=64K", SOL_SOCKET, SO_RCVBUF, 2 * 65536 },
		{ "127.0.0.1:0", "SendBuffer=64K", SOL_SOCKET, SO_SNDBUF, 2 * 65536 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(rows); i++) {
		const char *const directives[] = { rows[i].directive, "RemoveOnStop=yes",
			NULL };
		struct unit *unit = make_unit(rows[i].address, directives);
		struct listener *listener = open_listener(unit);
		int value = option_of(listener->fd, rows[i].level, rows[i].name);

		CHECK_ROW(value == rows[i].wanted, "%s on %s: %d", rows[i].directive,
			rows[i].address, value);
		(void)listener_free(listener, true);
		(void)unit_free(unit);
	}
}

static void
linger_and_congestion_control_are_on_the_socket(void **state)
{
	static const char *const directives[] = { "Linger=reset", "TCPCongestion=reno",
		"DeferAcceptSec=3", NULL };
	struct unit *unit = make_unit("127.0.0.1:0", directives);
	struct listener *listener = open_listener(unit);
	struct linger linger = { .l_onoff = 0 };
	socklen_t length = sizeof(linger);
	char name[16] = "";

	(void)state;
	assert_int_equal(
		getsockopt(listener->fd, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
	assert_int_equal(linger.l_onoff, 1);
	assert_int_equal(linger.l_linger, 0);
	length = sizeof(name);
	assert_int_equal(
		getsockopt(listener->fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
	assert_string_equal(name, "reno");
	/* in whole retransmissions of a SYN-ACK: tcp(7) */
	assert_true(option_of(listener->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 3);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
the_queue_is_as_long_as_asked_or_as_the_kernel_allows(void **state)
{
	static const char *const seven[] = { "Backlog=7", NULL };
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *listener = open_listener(unit);
	unsigned somaxconn = 0, waiting = 99;
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");

	(void)state;
	if (file) {
		assert_int_equal(fscanf(file, "%u", &somaxconn), 1);
		(void)fclose(file);
		assert_int_equal(listener->queue_limit, somaxconn);
	}
	assert_int_equal(listener_queue(listener, &waiting), 0);
	assert_int_equal(waiting, 0);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
	unit = make_unit("127.0.0.1:0", seven);
	listener = open_listener(unit);
	assert_int_equal(listener->queue_limit, 7);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

/* ---- Unix paths */

static void
mode_and_folders_of_a_path_are_as_asked(void **state)
{
	static const char *const directives[] = { "SocketMode=0620", "DirectoryMode=0710",
		"RemoveOnStop=yes", NULL };
	struct unit *unit = make_unit("%s/made/socket", directives);
	struct listener *listener = open_listener(unit);
	char path[128];
	struct stat st;

	(void)state;
	assert_int_equal(stat(listener->address.storage.un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0620);
	(void)snprintf(path, sizeof(path), "%s/made", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0710);
	(void)listener_free(listener, true);
	(void)snprintf(path, sizeof(path), "%s/made/socket", folder);
	assert_int_equal(stat(path, &st), -1);
	(void)unit_free(unit);
}

static void
a_stale_path_is_taken_over_and_a_live_one_is_not(void **state)
{
	struct unit *unit = make_unit("%s/stale", NULL);
	struct listener *first = open_listener(unit), *second = NULL;
	struct error err = ERROR_NONE;
	int r;

	(void)state;
	r = listener_open(&unit->listens[0], &unit->socket, &second, &err);
	assert_int_equal(r, -EADDRINUSE);
	assert_true(err.text[0]);
	(void)listener_free(first, false); /* the path stays, its socket is gone */
	second = open_listener(unit);
	(void)listener_free(second, false);
	(void)unit_free(unit);
}

static void
what_is_no_socket_is_never_deleted(void **state)
{
	struct unit *unit = make_unit("%s/file", NULL);
	struct listener *listener = NULL;
	struct error err = ERROR_NONE;
	char path[128];
	struct stat st;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)pk_close(fd);
	assert_int_equal(listener_open(&unit->listens[0], &unit->socket, &listener, &err),
		-EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	(void)unit_free(unit);
}

/* ---- taken over */

static void
a_stored_socket_is_taken_back_as_it_is(void **state)
{
	static const char *const addresses[] = { "127.0.0.1:0", "[::]:0",
		"udp:127.0.0.1:0", "%s/taken", "@portkeeper-taken%s" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(addresses); i++) {
		struct unit *unit = make_unit(addresses[i], NULL);
		struct listener *listener = open_listener(unit), *taken = NULL;
		uint64_t cookie = cookie_of(listener->fd);
		int copy = fcntl(listener->fd, F_DUPFD_CLOEXEC, 3);
		struct error err = ERROR_NONE;

		(void)listener_free(listener, false);
		CHECK_ROW(listener_take_consume(&unit->listens[0], &unit->socket, copy,
				  &taken, &err) == 0,
			"%s: %s", addresses[i], err.text);
		assert_true(cookie_of(taken->fd) == cookie);
		(void)listener_free(taken, true);
		(void)unit_free(unit);
	}
}

static void
another_socket_than_the_one_described_is_refused(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct unit *other = make_unit("[::1]:0", NULL);
	struct listener *listener = open_listener(unit), *taken = NULL;
	struct error err = ERROR_NONE;
	int copy = fcntl(listener->fd, F_DUPFD_CLOEXEC, 3), ends[2];

	(void)state;
	assert_int_equal(listener_take_consume(
				 &other->listens[0], &other->socket, copy, &taken, &err),
		-EINVAL);
	assert_int_equal(fcntl(copy, F_GETFD), -1); /* consumed */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(listener_take_consume(
				 &unit->listens[0], &unit->socket, ends[0], &taken, &err),
		-ENOTSOCK);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	(void)pk_close(ends[1]);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
	(void)unit_free(other);
}

/* ---- damaged and mended */

static void
what_is_whole_has_no_damage(void **state)
{
	static const char *const addresses[] = { "127.0.0.1:0", "[::]:0",
		"udp:127.0.0.1:0", "%s/whole", "unix-dgram:%s/whole-dgram",
		"unix-seqpacket:%s/whole-seq" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(addresses); i++) {
		struct unit *unit = make_unit(addresses[i], NULL);
		struct listener *listener = open_listener(unit);

		CHECK_ROW(
			listener_repair(listener, true, false) == 0, "%s", addresses[i]);
		CHECK_ROW(
			listener_repair(listener, false, false) == 0, "%s", addresses[i]);
		(void)listener_free(listener, true);
		(void)unit_free(unit);
	}
}

static void
o_nonblock_is_put_back_before_a_start_only(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *listener = open_listener(unit);
	int flags = fcntl(listener->fd, F_GETFL);

	(void)state;
	assert_int_equal(fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK), 0);
	assert_int_equal(listener_repair(listener, false, false), 0);
	assert_true(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(
		listener_repair(listener, true, false), LISTENER_WAS_NONBLOCKING);
	assert_false(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(listener_repair(listener, true, true), 0);
	assert_true(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
a_shortened_queue_gets_its_length_back_and_keeps_who_waits(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *listener = open_listener(unit);
	unsigned limit = listener->queue_limit, waiting = 0;
	int clients[3];

	(void)state;
	queue_clients(listener, clients, 3);
	assert_int_equal(listen(listener->fd, 5), 0);
	assert_int_equal(
		listener_repair(listener, false, false), LISTENER_QUEUE_WAS_SHORT);
	assert_int_equal(listener_repair(listener, false, false), 0);
	assert_int_equal(listener->queue_limit, limit);
	assert_int_equal(listen(listener->fd, 5), 0);
	assert_int_equal(listener_restore_queue(listener), 0);
	assert_int_equal(listener_repair(listener, false, false), 0);
	assert_int_equal(listener_queue(listener, &waiting), 0);
	assert_int_equal(waiting, 3);
	for (int i = 0; i < 3; i++)
		(void)pk_close(clients[i]);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
a_shut_down_tcp_listener_is_the_same_socket_and_port_again(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *listener = open_listener(unit);
	struct socket_address before = listener->address, after;
	uint64_t cookie = cookie_of(listener->fd);
	int client;

	(void)state;
	assert_int_equal(shutdown(listener->fd, SHUT_RDWR), 0);
	assert_int_equal(connect_to(listener), -ECONNREFUSED);
	assert_int_equal(listener_repair(listener, false, false), LISTENER_WAS_SHUT_DOWN);
	assert_int_equal(socket_address_from_fd(listener->fd, &after), 0);
	assert_true(socket_address_equal(&before, &after));
	client = connect_to(listener);
	assert_true(client >= 0);
	(void)pk_close(client);
	assert_true(cookie_of(listener->fd) == cookie);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
a_shut_down_unix_listener_is_made_anew(void **state)
{
	static const char *const addresses[] = { "%s/shut",
		"unix-seqpacket:%s/shut-seq" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(addresses); i++) {
		struct unit *unit = make_unit(addresses[i], NULL);
		struct listener *listener = open_listener(unit);
		int client, damage;

		assert_int_equal(shutdown(listener->fd, SHUT_RDWR), 0);
		damage = listener_repair(listener, false, false);
		CHECK_ROW(damage == (LISTENER_WAS_REPLACED | LISTENER_WAS_SHUT_DOWN),
			"%s: %d", addresses[i], damage);
		client = connect_to(listener);
		CHECK_ROW(client >= 0, "%s: %d", addresses[i], client);
		(void)pk_close(client);
		assert_int_equal(listener_repair(listener, false, false), 0);
		(void)listener_free(listener, true);
		(void)unit_free(unit);
	}
}

/* Its name stays taken while somebody, the manager for one, has a copy of the socket. */
static void
an_abstract_listener_that_was_shut_down_is_told_and_not_lost(void **state)
{
	struct unit *unit = make_unit("@portkeeper-copied%s", NULL);
	struct listener *listener = open_listener(unit);
	int copy = fcntl(listener->fd, F_DUPFD_CLOEXEC, 3);

	(void)state;
	assert_int_equal(shutdown(listener->fd, SHUT_RDWR), 0);
	/* while the program runs there is nothing to be done */
	assert_int_equal(listener_repair(listener, false, false), 0);
	assert_int_equal(listener_repair(listener, true, false), -EADDRINUSE);
	assert_true(listener->fd >= 0);
	assert_true(fcntl(listener->fd, F_GETFD) >= 0);
	(void)pk_close(copy);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

static void
refusing_and_reviving_keep_socket_and_port(void **state)
{
	static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", "[::]:0" };

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(addresses); i++) {
		struct unit *unit = make_unit(addresses[i], NULL);
		struct listener *listener = open_listener(unit);
		struct socket_address before = listener->address, after;
		uint64_t cookie = cookie_of(listener->fd);
		int client;

		assert_int_equal(listener_refuse(listener), 0);
		assert_int_equal(listener_refuse(listener), 0);
		assert_int_equal(connect_to(listener), -ECONNREFUSED);
		/* on purpose, so nothing is to be mended */
		assert_int_equal(listener_repair(listener, false, false), 0);
		assert_int_equal(listener_restore_queue(listener), 0);
		assert_int_equal(connect_to(listener), -ECONNREFUSED);
		assert_int_equal(listener_revive(listener), 0);
		assert_int_equal(listener_revive(listener), 0);
		assert_int_equal(socket_address_from_fd(listener->fd, &after), 0);
		CHECK_ROW(socket_address_equal(&before, &after), "%s: another port",
			addresses[i]);
		client = connect_to(listener);
		CHECK_ROW(client >= 0, "%s: %d", addresses[i], client);
		(void)pk_close(client);
		assert_true(cookie_of(listener->fd) == cookie);
		assert_int_equal(option_of(listener->fd, SOL_SOCKET, SO_REUSEADDR), 1);
		(void)listener_free(listener, false);
		(void)unit_free(unit);
	}
}

static void
a_listener_revives_beside_connections_that_it_accepted_before(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *listener = open_listener(unit);
	int client, accepted;

	(void)state;
	queue_clients(listener, &client, 1);
	accepted = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(listener_refuse(listener), 0);
	assert_int_equal(listener_revive(listener), 0);
	assert_int_equal(listener_repair(listener, false, false), 0);
	(void)pk_close(client);
	(void)pk_close(accepted);
	(void)listener_free(listener, false);
	(void)unit_free(unit);
}

/* ---- refused */

static void
a_taken_port_is_an_error_with_words(void **state)
{
	struct unit *unit = make_unit("127.0.0.1:0", NULL);
	struct listener *first = open_listener(unit), *second = NULL;
	struct error err = ERROR_NONE;

	(void)state;
	unit->listens[0].address = first->address;
	assert_int_equal(listener_open(&unit->listens[0], &unit->socket, &second, &err),
		-EADDRINUSE);
	assert_null(second);
	assert_true(err.text[0] && err.hint[0]);
	(void)listener_free(first, false);
	(void)unit_free(unit);
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = { "a/b/stream", "a/b", "a", "dgram", "seq",
		"options", "made/socket", "made", "stale", "file", "taken", "whole",
		"whole-dgram", "whole-seq", "shut", "shut-seq", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < PK_ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_address_is_bound_and_listens_at_once),
		cmocka_unit_test(dual_stack_takes_both_families_and_ipv6_only_one),
		cmocka_unit_test(the_options_that_were_asked_for_are_on_the_socket),
		cmocka_unit_test(linger_and_congestion_control_are_on_the_socket),
		cmocka_unit_test(the_queue_is_as_long_as_asked_or_as_the_kernel_allows),
		cmocka_unit_test(mode_and_folders_of_a_path_are_as_asked),
		cmocka_unit_test(a_stale_path_is_taken_over_and_a_live_one_is_not),
		cmocka_unit_test(what_is_no_socket_is_never_deleted),
		cmocka_unit_test(a_stored_socket_is_taken_back_as_it_is),
		cmocka_unit_test(another_socket_than_the_one_described_is_refused),
		cmocka_unit_test(what_is_whole_has_no_damage),
		cmocka_unit_test(o_nonblock_is_put_back_before_a_start_only),
		cmocka_unit_test(
			a_shortened_queue_gets_its_length_back_and_keeps_who_waits),
		cmocka_unit_test(
			a_shut_down_tcp_listener_is_the_same_socket_and_port_again),
		cmocka_unit_test(a_shut_down_unix_listener_is_made_anew),
		cmocka_unit_test(
			an_abstract_listener_that_was_shut_down_is_told_and_not_lost),
		cmocka_unit_test(refusing_and_reviving_keep_socket_and_port),
		cmocka_unit_test(
			a_listener_revives_beside_connections_that_it_accepted_before),
		cmocka_unit_test(a_taken_port_is_an_error_with_words),
	};

	return cmocka_run_group_tests_name("listener", tests, make_folder, remove_folder);
}
