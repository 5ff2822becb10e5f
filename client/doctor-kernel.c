/* SPDX-License-Identifier: MIT */
/*
 * doctor-kernel: can this kernel, in this container, do what interception, re-adoption
 * and release need? Each feature is probed with a call that fails in a known way where
 * the feature exists. See doctor.h.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/doctor.h"
#include "protocol/cleanup.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* include/uapi/linux/pidfd.h of Linux 6.15; not yet in every distribution's headers. */
struct doctor_pidfd_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t ids[11];
	int32_t exit_code;
};
#define DOCTOR_PIDFD_GET_INFO _IOWR(0xff, 11, struct doctor_pidfd_info)
#define DOCTOR_PIDFD_INFO_EXIT (UINT64_C(1) << 3)

void
doctor_check_seccomp_notify(const struct doctor *doctor, struct doctor_result *result)
{
	(void)doctor;
	/* With a NULL filter the flags are looked at first: EFAULT if they are known. */
	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		NULL);
	if (errno == EFAULT) {
		doctor_say(result, DOCTOR_OK, "yes, with WAIT_KILLABLE_RECV");
		return;
	}
	doctor_say(result, DOCTOR_BAD, "no: %s",
		errno == EINVAL ? "this kernel is older than 5.19" : strerror(errno));
	doctor_todo(result,
		"use socket activation ('-l PORT' and a program that takes LISTEN_FDS), "
		"or allow seccomp() in the container's profile");
}

void
doctor_check_pidfd_getfd(const struct doctor *doctor, struct doctor_result *result)
{
	(void)doctor;
	(void)syscall(SYS_pidfd_getfd, -1, -1, 0);
	if (errno == EBADF) {
		doctor_say(result, DOCTOR_OK, "yes");
		return;
	}
	doctor_say(result, DOCTOR_BAD, "no: %s",
		errno == ENOSYS ? "this kernel is older than 5.6, or a filter hides it"
				: strerror(errno));
	doctor_todo(result,
		"docker run --cap-add SYS_PTRACE (its profile allows pidfd_getfd then), "
		"or declare the port with '-l PORT'");
}

/* Asks about a child of ours that has been reaped; 0 or -errno, -ENODATA: no exit status.
 */
static int
doctor_probe_pidfd_info(void)
{
	struct doctor_pidfd_info info = { .mask = DOCTOR_PIDFD_INFO_EXIT };
	PK_CLOSE int pidfd = -1;
	pid_t pid = fork();
	int r;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = pidfd < 0 ? -errno : 0;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return r;
	if (ioctl(pidfd, DOCTOR_PIDFD_GET_INFO, &info) < 0)
		return -errno;
	return info.mask & DOCTOR_PIDFD_INFO_EXIT ? 0 : -ENODATA;
}

void
doctor_check_pidfd_info(const struct doctor *doctor, struct doctor_result *result)
{
	int r = doctor_probe_pidfd_info();

	(void)doctor;
	if (r == 0) {
		doctor_say(result, DOCTOR_OK, "yes, with the exit status");
		return;
	}
	doctor_say(result, DOCTOR_NOTE, "no: %s",
		r == -ENOTTY || r == -ENODATA || r == -ESRCH
			? "this kernel is older than 6.15"
			: strerror(-r));
	doctor_todo(result,
		"nothing: 'portkeeper run' knows the status itself; under systemd the "
		"status of a re-adopted program reads 'unknown'");
}

/* Ends the sockets of `port` that are in `state`; 0, or the first failure. */
static int
doctor_probe_destroy(struct sock_diag *diag, uint16_t port, enum sock_diag_state state)
{
	const struct sock_diag_query query = {
		.protocol = IPPROTO_TCP,
		.states = SOCK_DIAG_STATE_BIT(state),
		.local_port = port,
	};
	struct sock_diag_list list = { 0 };
	int r = sock_diag_collect(diag, &query, &list);

	if (r == 0 && list.n_sockets == 0)
		r = -ENOENT;
	for (size_t i = 0; i < list.n_sockets && r == 0; i++)
		r = sock_diag_destroy(diag, &list.sockets[i]);
	sock_diag_list_done(&list);
	return r;
}

/*
 * The right is looked at only after a socket was found, so that nothing but a socket
 * tells; here it is one of our own, on loopback and a port that the kernel chooses. Its
 * listener is ended first: without the right no TIME_WAIT is left behind.
 */
static int
doctor_probe_sock_destroy(bool *ret_time_wait)
{
	struct sock_diag *diag __attribute__((cleanup(sock_diag_cleanup))) = NULL;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	PK_CLOSE int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	PK_CLOSE int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	PK_CLOSE int server = -1;
	char byte;
	int r = sock_diag_open(&diag);

	*ret_time_wait = false;
	if (r < 0)
		return r;
	if (bind(listener, (const struct sockaddr *)&address, length) < 0 ||
		listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
		connect(client, (const struct sockaddr *)&address, length) < 0)
		return -errno;
	server = accept(listener, NULL, NULL);
	if (server < 0)
		return -errno;
	r = doctor_probe_destroy(diag, ntohs(address.sin_port), SOCK_DIAG_LISTEN);
	if (r < 0) {
		/* A reset leaves no TIME_WAIT. */
		const struct linger reset = { .l_onoff = 1 };

		(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		client = pk_close(client);
		return r;
	}
	server = pk_close(server);
	/* The end of file says that the FIN has arrived; closing then makes it TIME_WAIT.
	 */
	if (read(client, &byte, 1) < 0)
		return -errno;
	client = pk_close(client);
	/* It may be gone already, by a late RST (RFC 1337): then nothing speaks against
	 * it. */
	*ret_time_wait = doctor_probe_destroy(diag, ntohs(address.sin_port),
				 SOCK_DIAG_TIME_WAIT) != -EOPNOTSUPP;
	return 0;
}

void
doctor_check_sock_destroy(const struct doctor *doctor, struct doctor_result *result)
{
	bool time_wait;
	int r = doctor_probe_sock_destroy(&time_wait);

	(void)doctor;
	if (r == 0 && time_wait) {
		doctor_say(result, DOCTOR_OK, "yes, TIME_WAIT too");
	} else if (r == 0) {
		doctor_say(result, DOCTOR_BAD,
			"not TIME_WAIT: this kernel is older than 6.0");
		doctor_todo(
			result, "a newer kernel; until then only waiting ends TIME_WAIT");
	} else if (r == -EPERM) {
		doctor_say(result, DOCTOR_NOTE, "not by you: it needs CAP_NET_ADMIN");
		doctor_todo(result, "sudo portkeeper release PORT");
	} else if (r == -EOPNOTSUPP) {
		doctor_say(result, DOCTOR_BAD, "no: CONFIG_INET_DIAG_DESTROY is off");
		doctor_todo(result,
			"a kernel with CONFIG_INET_DIAG_DESTROY=y; until then only "
			"waiting ends TIME_WAIT");
	} else {
		doctor_say(result, DOCTOR_UNKNOWN, "the probe over loopback failed: %s",
			strerror(-r));
	}
}

void
doctor_check_ptrace_scope(const struct doctor *doctor, struct doctor_result *result)
{
	uint64_t scope;

	if (!doctor_read_number(doctor, "kernel/yama/ptrace_scope", &scope) ||
		scope == 0) {
		doctor_say(result, DOCTOR_OK, "own processes may be looked into");
	} else if (scope == 1) {
		doctor_say(result, DOCTOR_OK, "1: children may, which is enough");
	} else {
		doctor_say(result, DOCTOR_BAD, "%llu: not without CAP_SYS_PTRACE",
			(unsigned long long)scope);
		doctor_todo(result,
			"sudo sysctl -w kernel.yama.ptrace_scope=1, or declare the port "
			"with '-l PORT'");
	}
}
