/* SPDX-License-Identifier: MIT */
/* listener: see listener.h. */
#include "mechanism/listener.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "mechanism/listener-options.h"
#include "protocol/bind-diagnosis.h"

static bool
listener_is_datagram(const struct listener *listener)
{
	return listener->address.type == SOCK_DGRAM;
}

static bool
listener_is_unix(const struct listener *listener)
{
	return listener->address.storage.any.sa_family == AF_UNIX;
}

static bool
listener_has_path(const struct listener *listener)
{
	return listener_is_unix(listener) &&
		listener->address.length > offsetof(struct sockaddr_un, sun_path) &&
		listener->address.storage.un.sun_path[0] == '/';
}

/*
 * TCP_INFO of a listener: tcpi_unacked is the accept queue's length, tcpi_sacked its
 * limit (tcp_get_info() in net/ipv4/tcp.c, the branch for TCP_LISTEN).
 */
static int
listener_tcp_info(const struct listener *listener, struct tcp_info *ret_info)
{
	socklen_t length = sizeof(*ret_info);

	if (listener_is_unix(listener) || listener_is_datagram(listener))
		return -EOPNOTSUPP;
	memset(ret_info, 0, sizeof(*ret_info));
	if (getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, ret_info, &length) < 0)
		return -errno;
	return ret_info->tcpi_state == TCP_LISTEN ? 0 : -EOPNOTSUPP;
}

int
listener_queue(const struct listener *listener, unsigned *ret_waiting)
{
	struct tcp_info info;
	int r = listener_tcp_info(listener, &info);

	if (r < 0)
		return r;
	*ret_waiting = info.tcpi_unacked;
	return 0;
}

/* The kernel cuts a longer backlog to net.core.somaxconn by itself: listen(2). */
static int
listener_listen(struct listener *listener)
{
	int backlog =
		listener->options->backlog > 0 ? listener->options->backlog : INT_MAX;

	if (listener_is_datagram(listener))
		return 0;
	return listen(listener->fd, backlog) < 0 ? -errno : 0;
}

static void
listener_learn_limit(struct listener *listener)
{
	struct tcp_info info;

	listener->queue_limit =
		listener_tcp_info(listener, &info) == 0 ? info.tcpi_sacked : 0;
}

/* Folders above a Unix socket's path, as `mkdir -p` makes them. */
static int
listener_make_folders(const char *path, mode_t mode)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	(void)snprintf(folder, sizeof(folder), "%s", path);
	for (char *slash = strchr(folder + 1, '/'); slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, mode) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Whether the path's socket belongs to nobody: a connect to it is refused (unix(7)). */
static bool
listener_path_is_stale(const struct socket_address *address)
{
	PK_CLOSE int probe = -1;
	struct stat st;

	if (lstat(address->storage.un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	probe = socket(AF_UNIX, address->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return probe >= 0 && connect(probe, &address->storage.any, address->length) < 0 &&
		errno == ECONNREFUSED;
}

static int
listener_bind_path(struct listener *listener, struct error *err)
{
	const struct socket_address *address = &listener->address;
	const struct socket_options *options = listener->options;
	const char *path = address->storage.un.sun_path;
	mode_t before;
	int r;

	r = listener_make_folders(path, options->directory_mode);
	if (r < 0)
		return error_set_errno(err, r, "cannot make the folder of %s", path);
	if (listener_path_is_stale(address))
		(void)unlink(path);
	before = umask(~options->socket_mode & 0777);
	r = bind(listener->fd, &address->storage.any, address->length) < 0 ? -errno : 0;
	(void)umask(before);
	if (r < 0)
		return r;
	if ((options->socket_uid != (uid_t)-1 || options->socket_gid != (gid_t)-1) &&
		chown(path, options->socket_uid, options->socket_gid) < 0) {
		r = error_set_errno(
			err, -errno, "cannot give %s to its SocketUser=", path);
		(void)unlink(path);
	}
	return r;
}

/*
 * A port that the kernel chose is lost when the socket is shut down, and listen() would
 * then choose another: only one that bind() was asked for by its number is locked
 * (SOCK_BINDPORT_LOCK: __inet_bind(), tcp_set_state()). So another socket has one chosen
 * and holds it while ours asks for it. Returns that socket, or -errno.
 */
static int
listener_choose_port(struct listener *listener)
{
	struct socket_address *address = &listener->address;
	PK_CLOSE int chooser = socket(address->storage.any.sa_family,
		address->type | SOCK_CLOEXEC, address->protocol);
	socklen_t length = sizeof(address->storage);
	int r;

	if (chooser < 0)
		return -errno;
	r = listener_options_apply(chooser, address, listener->options, NULL);
	if (r < 0)
		return r;
	if (bind(chooser, &address->storage.any, address->length) < 0 ||
		getsockname(chooser, &address->storage.any, &length) < 0)
		return -errno;
	return pk_take_fd(&chooser);
}

static int
listener_bind_inet(struct listener *listener)
{
	const struct socket_address *address = &listener->address;
	PK_CLOSE int chooser = -1;

	if (!listener_is_datagram(listener) && !listener_is_unix(listener) &&
		socket_address_port(address) == 0) {
		chooser = listener_choose_port(listener);
		if (chooser < 0)
			return chooser;
		/* without SO_REUSEADDR the two cannot have the port at the same time */
		if (listener->options->reuse_address == 0)
			chooser = pk_close(chooser);
	}
	return bind(listener->fd, &address->storage.any, address->length) < 0 ? -errno
									      : 0;
}

static int
listener_bind(struct listener *listener, struct error *err)
{
	const struct socket_address *address = &listener->address;
	int r;

	if (listener_has_path(listener))
		r = listener_bind_path(listener, err);
	else
		r = listener_bind_inet(listener);
	/*
	 * Bound but not listening a socket could be taken over by another one that has
	 * SO_REUSEADDR, too: listen() follows at once. It can fail with EADDRINUSE as
	 * well, when two sockets were bound so (inet_csk_listen_start(), net/ipv4/).
	 */
	if (r >= 0)
		r = listener_listen(listener);
	if (r < 0 && (!err || err->code != r))
		bind_diagnosis_explain(address, r, err);
	return r;
}

static int
listener_new(const struct listen_spec *spec, const struct socket_options *options,
	struct listener **ret_listener)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return -ENOMEM;
	listener->spec = spec;
	listener->options = options;
	listener->address = spec->address;
	listener->fd = -1;
	*ret_listener = listener;
	return 0;
}

/* What the kernel made of the address (port 0 has become a real one), and the queue's
 * limit. */
static int
listener_learn(struct listener *listener)
{
	int r = socket_address_from_fd(listener->fd, &listener->address);

	if (r < 0)
		return r;
	(void)socket_address_format(
		&listener->address, listener->text, sizeof(listener->text));
	listener_learn_limit(listener);
	return 0;
}

/* A bare port means 0.0.0.0 where the kernel has no IPv6, as systemd.socket(5) has it. */
static void
listener_fall_back_to_ipv4(struct socket_address *address)
{
	in_port_t port = address->storage.in6.sin6_port;

	memset(&address->storage, 0, sizeof(address->storage));
	address->storage.in.sin_family = AF_INET;
	address->storage.in.sin_port = port;
	address->length = sizeof(address->storage.in);
	address->dual_stack = false;
}

static int
listener_new_socket(const struct socket_address *address)
{
	return socket(address->storage.any.sa_family, address->type | SOCK_CLOEXEC,
		address->protocol);
}

static int
listener_make_socket(struct listener *listener, struct error *err)
{
	struct socket_address *address = &listener->address;
	int r;

	listener->fd = listener_new_socket(address);
	if (listener->fd < 0 && errno == EAFNOSUPPORT && address->dual_stack) {
		listener_fall_back_to_ipv4(address);
		listener->fd = listener_new_socket(address);
	}
	if (listener->fd < 0) {
		r = error_set_errno(
			err, -errno, "cannot make a socket for %s", listener->spec->text);
		if (r == -EMFILE || r == -ENFILE)
			error_set_hint(err, "raise the limit of open files: ulimit -n");
		return r;
	}
	r = listener_options_apply(listener->fd, address, listener->options, err);
	if (r >= 0)
		r = listener_bind(listener, err);
	return r < 0 ? r : listener_learn(listener);
}

int
listener_open(const struct listen_spec *spec, const struct socket_options *options,
	struct listener **ret_listener, struct error *err)
{
	struct listener *listener;
	int r = listener_new(spec, options, &listener);

	if (r < 0)
		return r;
	r = listener_make_socket(listener, err);
	if (r < 0) {
		(void)listener_free(listener, false);
		return r;
	}
	*ret_listener = listener;
	return 0;
}

/* Port 0 was resolved by the kernel, so the port of such a spec says nothing. */
static bool
listener_matches(const struct listener *listener, const struct listen_spec *spec)
{
	struct socket_address wanted = spec->address;

	if (wanted.dual_stack && listener->address.storage.any.sa_family == AF_INET)
		listener_fall_back_to_ipv4(&wanted);
	if (socket_address_port(&wanted) == 0 && wanted.storage.any.sa_family == AF_INET)
		wanted.storage.in.sin_port = listener->address.storage.in.sin_port;
	else if (socket_address_port(&wanted) == 0 &&
		wanted.storage.any.sa_family == AF_INET6)
		wanted.storage.in6.sin6_port = listener->address.storage.in6.sin6_port;
	return socket_address_equal(&wanted, &listener->address);
}

static bool
listener_is_listening(const struct listener *listener)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	return getsockopt(listener->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) ==
		0 &&
		listening;
}

static int
listener_set_reuse(struct listener *listener, int value)
{
	if (listener->options->reuse_address == 0)
		return 0;
	return setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)) <
			0
		? -errno
		: 0;
}

/*
 * Makes it listen, although a dead portkeeperd may have shut it down (listener_refuse())
 * or the program, and that one may have taken SO_REUSEADDR off: see listener_revive().
 */
static int
listener_listen_again(struct listener *listener)
{
	if (listener_is_datagram(listener))
		return 0;
	if (!listener_is_unix(listener) && !listener_is_listening(listener))
		(void)listener_set_reuse(listener, 1);
	return listener_listen(listener);
}

int
listener_take_consume(const struct listen_spec *spec,
	const struct socket_options *options, int fd, struct listener **ret_listener,
	struct error *err)
{
	struct listener *listener;
	int r = listener_new(spec, options, &listener);

	if (r < 0) {
		(void)pk_close(fd);
		return r;
	}
	listener->fd = fd;
	r = listener_learn(listener);
	if (r < 0)
		(void)error_set_errno(
			err, r, "descriptor %d for '%s' is no socket", fd, spec->text);
	else if (spec->inherited_fd < 0 && !listener_matches(listener, spec))
		r = error_set(err, -EINVAL, "the stored socket listens on %s, not on %s",
			listener->text, spec->text);
	else
		r = listener_listen_again(listener);
	if (r < 0) {
		if (err && err->code != r)
			(void)error_set_errno(
				err, r, "cannot listen on '%s'", spec->text);
		(void)listener_free(listener, false);
		return r;
	}
	listener_learn_limit(listener);
	*ret_listener = listener;
	return 0;
}

struct listener *
listener_free(struct listener *listener, bool at_stop)
{
	if (!listener)
		return NULL;
	if (at_stop && listener->options->remove_on_stop && listener_has_path(listener))
		(void)unlink(listener->address.storage.un.sun_path);
	(void)pk_close(listener->fd);
	free(listener);
	return NULL;
}

int
listener_restore_queue(struct listener *listener)
{
	return listener->refusing ? 0 : listener_listen(listener);
}

/*
 * shutdown() of a listening AF_UNIX socket is for good: sk_shutdown stays set and
 * accept() gives EINVAL ever after (unix_accept(), unix_shutdown() in
 * net/unix/af_unix.c). The flag shows as POLLHUP; SO_ACCEPTCONN stays 1. Only a new
 * socket helps. But an abstract name is taken until its last holder is gone, and the
 * program and the manager are two of them.
 */
static int
listener_replace_unix(struct listener *listener)
{
	int old = listener->fd, r;

	if (!listener_has_path(listener))
		return -EADDRINUSE;
	(void)unlink(listener->address.storage.un.sun_path);
	listener->fd = -1;
	r = listener_make_socket(listener, NULL);
	if (r < 0) {
		(void)pk_close(listener->fd);
		listener->fd = old;
		return r;
	}
	(void)pk_close(old);
	return LISTENER_WAS_REPLACED | LISTENER_WAS_SHUT_DOWN;
}

static bool
listener_is_hung_up(const struct listener *listener)
{
	struct pollfd probe = { .fd = listener->fd };

	return poll(&probe, 1, 0) > 0 && (probe.revents & POLLHUP);
}

static int
listener_repair_queue(struct listener *listener)
{
	struct tcp_info info;
	int r;

	if (listener_tcp_info(listener, &info) < 0 || listener->queue_limit == 0 ||
		info.tcpi_sacked >= listener->queue_limit)
		return 0;
	r = listener_listen(listener);
	return r < 0 ? r : LISTENER_QUEUE_WAS_SHORT;
}

static int
listener_repair_stream(struct listener *listener, bool before_start)
{
	int r;

	if (listener->refusing || listener_is_datagram(listener))
		return 0;
	if (listener_is_unix(listener)) {
		/* an abstract name is taken while anybody holds the dead socket, the
		 * manager included: nothing to be done while the program runs */
		if (!listener_has_path(listener) && !before_start)
			return 0;
		return listener_is_hung_up(listener) ? listener_replace_unix(listener)
						     : 0;
	}
	if (listener_is_listening(listener))
		return listener_repair_queue(listener);
	r = listener_listen(listener);
	return r < 0 ? r : LISTENER_WAS_SHUT_DOWN;
}

/* O_NONBLOCK is a flag of the open file description, which all holders share: fcntl(2).
 */
static int
listener_repair_flags(struct listener *listener, bool non_blocking)
{
	int flags = fcntl(listener->fd, F_GETFL);
	int wanted = non_blocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	if (flags < 0)
		return -errno;
	if (flags == wanted)
		return 0;
	if (fcntl(listener->fd, F_SETFL, wanted) < 0)
		return -errno;
	return non_blocking ? 0 : LISTENER_WAS_NONBLOCKING;
}

int
listener_repair(struct listener *listener, bool before_start, bool non_blocking)
{
	int damage = listener_repair_stream(listener, before_start), flags = 0;

	if (before_start)
		flags = listener_repair_flags(listener, non_blocking);
	if (damage < 0)
		return damage;
	return flags < 0 ? flags : damage | flags;
}

/*
 * shutdown() of a listening TCP socket resets who is in its queue and lets it stay bound
 * (inet_shutdown(), TCP_LISTEN). Then another socket with SO_REUSEADDR could bind the
 * port, if ours had the option too: inet_bind_conflict() asks for it on both sides, and
 * listen() has cleared the bucket's fastreuse. So it is taken off for as long.
 */
int
listener_refuse(struct listener *listener)
{
	if (listener->refusing || listener_is_datagram(listener) ||
		listener_is_unix(listener))
		return 0;
	(void)listener_set_reuse(listener, 0);
	if (shutdown(listener->fd, SHUT_RDWR) < 0 && errno != ENOTCONN) {
		int r = -errno;

		(void)listener_set_reuse(listener, 1);
		return r;
	}
	listener->refusing = true;
	return 0;
}

int
listener_revive(struct listener *listener)
{
	int r;

	if (!listener->refusing)
		return 0;
	/* without it listen() would meet our own accepted connections: EADDRINUSE */
	r = listener_set_reuse(listener, 1);
	if (r >= 0)
		r = listener_listen(listener);
	if (r >= 0)
		listener->refusing = false;
	return r;
}
