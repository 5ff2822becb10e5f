/* SPDX-License-Identifier: MIT */
/* service-fixture: see service-fixture.h. */
#include "tests/unit/service-fixture.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "config/unit-directives.h"
#include "mechanism/child.h"
#include "mechanism/listener-watch.h"
#include "mechanism/listener.h"
#include "mechanism/notify.h"
#include "tests/unit/fake-loop.h"
#include "tests/unit/fake-sys.h"
#include "tests/unit/unit-test.h"

static size_t fixture_n_fds_before;

static size_t
fixture_count_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(fds);
	while (readdir(fds))
		n++;
	(void)closedir(fds);
	return n;
}

static void
fixture_on_end(struct service *service, void *context)
{
	struct fixture *fixture = context;

	(void)service;
	fixture->n_ends++;
}

static void
fixture_fetch_signals(void *context)
{
	struct fixture *fixture = context;

	fixture->n_fetches++;
	fixture_reap(fixture);
}

static void
fixture_on_orphan(pid_t pid, void *context)
{
	struct fixture *fixture = context;

	(void)pid;
	fixture->tree_changed = true;
}

static void
fixture_on_hangup(void *context)
{
	struct fixture *fixture = context;

	if (fixture->service)
		service_on_listener_hangup(fixture->service);
}

static void
fixture_make_unit(struct fixture *fixture, const char *const *directives)
{
	struct unit *unit;

	assert_int_equal(unit_new("web", &fixture->unit), 0);
	unit = fixture->unit;
	unit->exec.main.path = strdup(FIXTURE_MAIN);
	unit->exec.main.argv = calloc(2, sizeof(char *));
	unit->exec.main.argv[0] = strdup(FIXTURE_MAIN);
	for (; directives && *directives; directives++) {
		struct error err = ERROR_NONE;
		PK_FREE char *name = strdup(*directives);
		char *value = strchr(name, '=');

		*value++ = '\0';
		if (directive_set(unit, name, value, &err) < 0)
			fail_msg("%s: %s", *directives, err.text);
	}
}

static struct listener *
fixture_open_listener(struct unit *unit)
{
	struct error err = ERROR_NONE;
	struct listener *listener = NULL;

	assert_int_equal(unit_add_listen(unit, "127.0.0.1:0", SOCK_STREAM, NULL), 0);
	assert_int_equal(unit_finish(unit, NULL), 0);
	if (listener_open(&unit->listens[0], &unit->socket, &listener, &err) < 0)
		fail_msg("%s", err.text);
	return listener;
}

void
fixture_open(struct fixture *fixture, const char *const *directives)
{
	struct listener **listeners;
	struct unit *unit;

	fake_sys_reset();
	fake_clock_reset();
	fixture_n_fds_before = fixture_count_fds();
	memset(fixture, 0, sizeof(*fixture));
	fixture_make_unit(fixture, directives);
	unit = fixture->unit;
	assert_int_equal(loop_new(&fixture->loop), 0);
	fixture->host = (struct service_host){ .loop = fixture->loop,
		.on_end = fixture_on_end,
		.fetch_signals = fixture_fetch_signals,
		.nofile = { .rlim_cur = 1024, .rlim_max = 1024 },
		.context = fixture };
	assert_int_equal(
		child_table_new(fixture_on_orphan, fixture, &fixture->host.children), 0);
	assert_int_equal(notify_new(fixture->loop, NULL, &fixture->host.notify, NULL), 0);
	assert_int_equal(listener_watch_new(fixture->loop, fixture_on_hangup, fixture,
				 &fixture->host.watch),
		0);
	listeners = calloc(1, sizeof(struct listener *));
	listeners[0] = fixture_open_listener(unit);
	assert_int_equal(listener_watch_add(fixture->host.watch, listeners[0]->fd), 0);
	assert_int_equal(
		service_new(unit, &fixture->host, listeners, 1, &fixture->service), 0);
}

void
fixture_close(struct fixture *fixture)
{
	fixture->service = service_free(fixture->service, true);
	fixture->host.watch = listener_watch_free(fixture->host.watch);
	fixture->host.notify = notify_free(fixture->host.notify);
	fixture->host.children = child_table_free(fixture->host.children);
	assert_int_equal(fake_loop_n_ios(fixture->loop), 0);
	assert_int_equal(fake_loop_n_timers(fixture->loop), 0);
	fixture->loop = loop_free(fixture->loop);
	fixture->unit = unit_free(fixture->unit);
	fake_sys_reset();
	assert_int_equal(fixture_count_fds(), fixture_n_fds_before);
}

void
fixture_reap(struct fixture *fixture)
{
	child_table_reap(fixture->host.children);
	if (fixture->tree_changed)
		service_on_tree_changed(fixture->service);
	fixture->tree_changed = false;
}

pid_t
fixture_main(struct fixture *fixture)
{
	assert_non_null(fixture->service->main);
	return child_pid(fixture->service->main);
}

void
fixture_crash(struct fixture *fixture)
{
	fake_sys_die(fixture_main(fixture), SIGSEGV, true);
	fixture_reap(fixture);
}

void
fixture_exit(struct fixture *fixture, int status)
{
	fake_sys_exit(fixture_main(fixture), status);
	fixture_reap(fixture);
}

int
fixture_fd(const struct fixture *fixture)
{
	return fixture->service->listeners[0]->fd;
}

uint16_t
fixture_port(const struct fixture *fixture)
{
	return socket_address_port(&fixture->service->listeners[0]->address);
}

uint64_t
fixture_cookie(const struct fixture *fixture)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	assert_int_equal(
		getsockopt(fixture_fd(fixture), SOL_SOCKET, SO_COOKIE, &cookie, &length),
		0);
	return cookie;
}

bool
fixture_listens(const struct fixture *fixture)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	assert_int_equal(getsockopt(fixture_fd(fixture), SOL_SOCKET, SO_ACCEPTCONN,
				 &listening, &length),
		0);
	return listening;
}

int
fixture_connect(const struct fixture *fixture)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(fixture_port(fixture)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)pk_close(fd);
		return r;
	}
	return fd;
}
