/* SPDX-License-Identifier: MIT */
/*
 * spec: the plain values that config/ produces and the mechanisms take. No behaviour;
 * memory belongs to the struct unit that they are part of.
 *
 * Names and meanings are systemd's (systemd.socket(5), systemd.service(5),
 * systemd.kill(5), systemd.exec(5)); what is ours says so.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/socket-address.h"

/* An option that nobody set: the kernel's own default stays. */
#define SPEC_UNSET (-1)

enum bind_ipv6_only {
	BIND_IPV6_ONLY_DEFAULT,
	BIND_IPV6_ONLY_BOTH,
	BIND_IPV6_ONLY_IPV6,
	BIND_IPV6_ONLY_MAX,
};

/* WhileDown= (ours): what clients meet while no process serves a held listener. */
enum while_down {
	WHILE_DOWN_HOLD,   /* they wait in the accept queue */
	WHILE_DOWN_REFUSE, /* they are refused, and the port stays bound */
	WHILE_DOWN_MAX,
};

/* Linger= (ours), SO_LINGER, inherited by accepted sockets. */
enum linger_setting {
	LINGER_UNSET = -1,
	LINGER_RESET =
		0, /* close() resets; else the number of seconds that close() may take */
};

struct socket_options {
	int backlog; /* 0: as deep as the kernel allows */
	int protocol;
	int bind_ipv6_only; /* enum bind_ipv6_only */
	int while_down;	    /* enum while_down */
	uint64_t reap_usec; /* ReapSec= (ours): how long a half-closed connection may be
			       quiet; 0: for ever */
	char *bind_to_device;
	char *tcp_congestion;
	char *fd_name; /* FileDescriptorName=; NULL: the service's name */
	mode_t socket_mode;
	mode_t directory_mode;
	uid_t socket_uid; /* (uid_t)-1: unchanged */
	gid_t socket_gid;
	bool remove_on_stop;
	/* the rest is SPEC_UNSET or a value */
	int keep_alive;
	int keep_alive_time_sec;
	int keep_alive_interval_sec;
	int keep_alive_probes;
	int user_timeout_msec;
	int linger_sec;
	int reuse_address;
	int reuse_port;
	int no_delay;
	int priority;
	int defer_accept_sec;
	int receive_buffer;
	int send_buffer;
	int ip_tos;
	int ip_ttl;
	int mark;
	int free_bind;
	int transparent;
	int broadcast;
	int pass_credentials;
	int pass_security;
	int pass_packet_info;
};

/* One thing to listen on. */
struct listen_spec {
	char *text; /* as the user wrote it */
	struct socket_address address;
	int inherited_fd; /* fd:N: the number as the user wrote it; else SPEC_UNSET */
	char *fd_name;	  /* fd:N:NAME; else NULL */
};

/* One command line, ready for execve(). */
struct exec_command {
	char *path;	     /* what to execute, absolute or with a slash */
	char **argv;	     /* NULL-terminated */
	bool ignore_failure; /* a "-" before the path */
};

struct exec_spec {
	struct exec_command main;
	struct exec_command *stop; /* ExecStop=, run one after the other */
	size_t n_stop;
	struct exec_command *stop_post; /* ExecStopPost= */
	size_t n_stop_post;
	char **environment; /* what Environment= adds; NULL-terminated, or NULL */
	char *working_directory;
	mode_t umask;	   /* (mode_t)-1: unchanged */
	bool non_blocking; /* NonBlocking=: O_NONBLOCK on the fds that are handed over */
};

enum restart_mode { /* Restart= */
	RESTART_NO,
	RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE,
	RESTART_ON_ABNORMAL,
	RESTART_ON_WATCHDOG,
	RESTART_ON_ABORT,
	RESTART_ALWAYS,
	RESTART_MODE_MAX,
};

/* Exit statuses and signals, as SuccessExitStatus= and its siblings list them. */
struct exit_set {
	uint64_t statuses[4]; /* bit n of all 256 */
	uint64_t signals;     /* bit n - 1: signal n, 1 to 64 */
};

struct restart_spec {
	int mode;	     /* enum restart_mode */
	uint64_t delay_usec; /* RestartSec= */
	bool delay_is_set;
	unsigned steps; /* RestartSteps= */
	uint64_t max_delay_usec;
	uint64_t randomized_delay_usec; /* USEC_INFINITY: a quarter of the delay */
	unsigned immediate; /* RestartImmediate= (ours): that many restarts in a row at
			       once */
	bool immediate_is_set;
	struct exit_set success;
	struct exit_set prevent;
	struct exit_set force;
	uint64_t limit_interval_usec; /* StartLimitIntervalSec= */
	unsigned limit_burst;	      /* StartLimitBurst=; 0: no limit */
};

enum kill_mode { /* KillMode= */
	KILL_MODE_CONTROL_GROUP,
	KILL_MODE_MIXED,
	KILL_MODE_PROCESS,
	KILL_MODE_NONE,
	KILL_MODE_MAX,
};

struct kill_spec {
	int mode; /* enum kill_mode */
	int signal;
	int final_signal;
	bool send_sigkill;
	bool send_sighup;
	uint64_t timeout_stop_usec;
};
