/* SPDX-License-Identifier: MIT */
/*
 * socket-address: see socket-address.h.
 *
 * Parsing takes the prefix off first (it settles type and family), then reads the rest as
 * a path, an abstract name, or numbers. Formatting is the inverse; a unit test holds the
 * two together.
 */
#include "protocol/socket-address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* clang-format off */
static const struct socket_address_prefix {
	const char *text;
	int type;
	bool is_unix;
} socket_address_prefixes[] = {
	{ "tcp:",            SOCK_STREAM,    false },
	{ "udp:",            SOCK_DGRAM,     false },
	{ "unix:",           SOCK_STREAM,    true },
	{ "unix-stream:",    SOCK_STREAM,    true },
	{ "unix-dgram:",     SOCK_DGRAM,     true },
	{ "unix-seqpacket:", SOCK_SEQPACKET, true },
};
/* clang-format on */

#define SOCKET_ADDRESS_FORMS \
	"write PORT, ADDRESS:PORT, [ADDRESS]:PORT, udp:..., /path or @name; addresses " \
	"are " \
	"numbers, a port is 1 to 65535"

static int
socket_address_refuse(const char *text, const char *why, struct error *err)
{
	(void)error_set(err, -EINVAL, "bad address '%.100s': %s", text, why);
	error_set_hint(err, "%s", SOCKET_ADDRESS_FORMS);
	return -EINVAL;
}

/* 0 stands for any free port and is allowed only after an explicit address. */
static int
socket_address_parse_port(const char *text, uint16_t *ret_port)
{
	unsigned long port = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 5 || text[n] != '\0')
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned long)(text[i] - '0');
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int
socket_address_parse_unix(const char *text, const char *rest,
	struct socket_address *address, struct error *err)
{
	struct sockaddr_un *un = &address->storage.un;
	size_t length = strlen(rest);

	if (rest[0] != '/' && rest[0] != '@')
		return socket_address_refuse(
			text, "a Unix socket is an absolute path or @name", err);
	if (length < 2)
		return socket_address_refuse(text, "the name is empty", err);
	/* sun_path has 108 bytes; a path wants its NUL among them: unix(7) */
	if (length > sizeof(un->sun_path) - 1)
		return socket_address_refuse(
			text, "the path is longer than 107 bytes", err);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, rest, length);
	if (rest[0] == '@') {
		un->sun_path[0] = '\0';
		address->length =
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	} else {
		address->length =
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	}
	return 0;
}

/*
 * "fe80::1%eth0" has its interface behind the percent sign; the name is looked up in the
 * kernel. With other than link-local addresses the kernel forgets it: ipv6(7).
 */
static int
socket_address_parse_in6(const char *host, struct sockaddr_in6 *in6)
{
	char numbers[INET6_ADDRSTRLEN];
	const char *scope = strchr(host, '%');
	size_t length = scope ? (size_t)(scope - host) : strlen(host);

	if (length >= sizeof(numbers))
		return -EINVAL;
	memcpy(numbers, host, length);
	numbers[length] = '\0';
	if (inet_pton(AF_INET6, numbers, &in6->sin6_addr) != 1)
		return -EINVAL;
	if (!scope)
		return 0;
	if (!IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
		!IN6_IS_ADDR_MC_LINKLOCAL(&in6->sin6_addr))
		return -EINVAL;
	in6->sin6_scope_id = if_nametoindex(scope + 1);
	return in6->sin6_scope_id == 0 ? -EINVAL : 0;
}

static void
socket_address_set_in6(struct socket_address *address, uint16_t port, bool dual_stack)
{
	address->storage.in6.sin6_family = AF_INET6;
	address->storage.in6.sin6_port = htons(port);
	address->length = sizeof(address->storage.in6);
	address->dual_stack = dual_stack;
}

static int
socket_address_parse_ip(const char *text, const char *rest,
	struct socket_address *address, struct error *err)
{
	char host[64];
	const char *port_text = strrchr(rest, ':');
	size_t host_length;
	uint16_t port;

	if (!port_text) {
		if (socket_address_parse_port(rest, &port) < 0 || port == 0)
			return socket_address_refuse(text, "this is no port", err);
		socket_address_set_in6(address, port, true);
		return 0;
	}
	if (socket_address_parse_port(port_text + 1, &port) < 0)
		return socket_address_refuse(
			text, "what follows the colon is no port", err);
	host_length = (size_t)(port_text - rest);
	if (host_length >= sizeof(host))
		return socket_address_refuse(text, "this is no IP address", err);
	memcpy(host, rest, host_length);
	host[host_length] = '\0';
	if (host[0] == '[' && host[host_length - 1] == ']') {
		host[host_length - 1] = '\0';
		if (socket_address_parse_in6(host + 1, &address->storage.in6) < 0)
			return socket_address_refuse(text,
				strchr(host, '%')
					? "this is no link-local address with a known interface"
					: "between the brackets is no IPv6 address",
				err);
		/* as systemd.socket(5): BindIPv6Only=default, so [::] is dual-stack */
		socket_address_set_in6(address, port,
			IN6_IS_ADDR_UNSPECIFIED(&address->storage.in6.sin6_addr));
		return 0;
	}
	if (inet_pton(AF_INET, host, &address->storage.in.sin_addr) != 1)
		return socket_address_refuse(text,
			strchr(host, ':')
				? "an IPv6 address stands in brackets"
				: "this is no IP address (names are not looked up)",
			err);
	address->storage.in.sin_family = AF_INET;
	address->storage.in.sin_port = htons(port);
	address->length = sizeof(address->storage.in);
	return 0;
}

int
socket_address_parse(const char *text, int default_type,
	struct socket_address *ret_address, struct error *err)
{
	struct socket_address address = { .type = default_type };
	const char *rest = text;
	bool is_unix = text[0] == '/' || text[0] == '@';
	int r;

	for (size_t i = 0; i < PK_ARRAY_SIZE(socket_address_prefixes); i++) {
		const struct socket_address_prefix *prefix = &socket_address_prefixes[i];

		if (strncmp(text, prefix->text, strlen(prefix->text)) != 0)
			continue;
		rest = text + strlen(prefix->text);
		address.type = prefix->type;
		is_unix = prefix->is_unix;
		break;
	}
	r = is_unix ? socket_address_parse_unix(text, rest, &address, err)
		    : socket_address_parse_ip(text, rest, &address, err);
	if (r < 0)
		return r;
	*ret_address = address;
	return 0;
}

static const char *
socket_address_prefix_text(const struct socket_address *address)
{
	if (address->storage.any.sa_family == AF_UNIX)
		return address->type == SOCK_DGRAM	  ? "unix-dgram:"
			: address->type == SOCK_SEQPACKET ? "unix-seqpacket:"
							  : "";
	return address->type == SOCK_DGRAM ? "udp:" : "";
}

static void
socket_address_format_unix(const struct socket_address *address, const char *prefix,
	char *buffer, size_t size)
{
	const struct sockaddr_un *un = &address->storage.un;
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t length = address->length > offset ? address->length - offset : 0;

	if (length == 0)
		(void)snprintf(buffer, size, "%s(unnamed)", prefix);
	else if (un->sun_path[0] == '\0')
		(void)snprintf(buffer, size, "%s@%.*s", prefix, (int)(length - 1),
			un->sun_path + 1);
	else
		(void)snprintf(buffer, size, "%s%.*s", prefix,
			(int)strnlen(un->sun_path, length), un->sun_path);
}

const char *
socket_address_format(const struct socket_address *address, char *buffer, size_t size)
{
	const union socket_address_storage *storage = &address->storage;
	const char *prefix = socket_address_prefix_text(address);
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE + 1] = "";

	switch (storage->any.sa_family) {
	case AF_UNIX:
		socket_address_format_unix(address, prefix, buffer, size);
		return buffer;
	case AF_INET:
		(void)inet_ntop(AF_INET, &storage->in.sin_addr, host, sizeof(host));
		(void)snprintf(buffer, size, "%s%s:%u", prefix, host,
			ntohs(storage->in.sin_port));
		return buffer;
	case AF_INET6:
		if (address->dual_stack &&
			IN6_IS_ADDR_UNSPECIFIED(&storage->in6.sin6_addr) &&
			storage->in6.sin6_port != 0) {
			(void)snprintf(buffer, size, "%s%u", prefix,
				ntohs(storage->in6.sin6_port));
			return buffer;
		}
		(void)inet_ntop(AF_INET6, &storage->in6.sin6_addr, host, sizeof(host));
		if (storage->in6.sin6_scope_id) {
			scope[0] = '%';
			if (!if_indextoname(storage->in6.sin6_scope_id, scope + 1))
				scope[0] = '\0';
		}
		(void)snprintf(buffer, size, "%s[%s%s]:%u", prefix, host, scope,
			ntohs(storage->in6.sin6_port));
		return buffer;
	default:
		(void)snprintf(
			buffer, size, "(address family %d)", storage->any.sa_family);
		return buffer;
	}
}

int
socket_address_from_fd(int fd, struct socket_address *ret_address)
{
	struct socket_address address = { .length = sizeof(address.storage) };
	socklen_t length = sizeof(int);
	int v6only = 1;

	if (getsockname(fd, &address.storage.any, &address.length) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &address.type, &length) < 0)
		return -errno;
	length = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &address.protocol, &length) < 0)
		return -errno;
	/* a type's own protocol is 0, as in what socket_address_parse() makes */
	if (address.protocol == IPPROTO_TCP || address.protocol == IPPROTO_UDP)
		address.protocol = 0;
	length = sizeof(int);
	if (address.storage.any.sa_family == AF_INET6 &&
		getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &length) == 0)
		address.dual_stack = !v6only &&
			IN6_IS_ADDR_UNSPECIFIED(&address.storage.in6.sin6_addr);
	*ret_address = address;
	return 0;
}

bool
socket_address_equal(const struct socket_address *a, const struct socket_address *b)
{
	const union socket_address_storage *sa = &a->storage, *sb = &b->storage;

	if (sa->any.sa_family != sb->any.sa_family || a->type != b->type ||
		a->protocol != b->protocol || a->dual_stack != b->dual_stack)
		return false;
	switch (sa->any.sa_family) {
	case AF_UNIX:
		return a->length == b->length && memcmp(&sa->un, &sb->un, a->length) == 0;
	case AF_INET:
		return sa->in.sin_port == sb->in.sin_port &&
			sa->in.sin_addr.s_addr == sb->in.sin_addr.s_addr;
	case AF_INET6:
		return sa->in6.sin6_port == sb->in6.sin6_port &&
			sa->in6.sin6_scope_id == sb->in6.sin6_scope_id &&
			IN6_ARE_ADDR_EQUAL(&sa->in6.sin6_addr, &sb->in6.sin6_addr);
	default:
		return false;
	}
}

uint16_t
socket_address_port(const struct socket_address *address)
{
	switch (address->storage.any.sa_family) {
	case AF_INET:
		return ntohs(address->storage.in.sin_port);
	case AF_INET6:
		return ntohs(address->storage.in6.sin6_port);
	default:
		return 0;
	}
}
