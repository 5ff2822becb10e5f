/* SPDX-License-Identifier: MIT */
/* unit-directives: see unit-directives.h. */
#include "config/unit-directives.h"

#include <stdint.h>
#include <string.h>

#include "config/unit.h"
#include "config/unit-parsers.h"
#include "protocol/nearest-name.h"

/* clang-format off */
static const char *const restart_names[] = {
	[RESTART_NO] = "no", [RESTART_ON_SUCCESS] = "on-success",
	[RESTART_ON_FAILURE] = "on-failure", [RESTART_ON_ABNORMAL] = "on-abnormal",
	[RESTART_ON_WATCHDOG] = "on-watchdog", [RESTART_ON_ABORT] = "on-abort",
	[RESTART_ALWAYS] = "always", [RESTART_MODE_MAX] = NULL,
};
static const char *const kill_names[] = {
	[KILL_MODE_CONTROL_GROUP] = "control-group", [KILL_MODE_MIXED] = "mixed",
	[KILL_MODE_PROCESS] = "process", [KILL_MODE_NONE] = "none", [KILL_MODE_MAX] = NULL,
};
static const char *const bind_names[] = {
	[BIND_IPV6_ONLY_DEFAULT] = "default", [BIND_IPV6_ONLY_BOTH] = "both",
	[BIND_IPV6_ONLY_IPV6] = "ipv6-only", [BIND_IPV6_ONLY_MAX] = NULL,
};
static const char *const while_down_names[] = {
	[WHILE_DOWN_HOLD] = "hold", [WHILE_DOWN_REFUSE] = "refuse", [WHILE_DOWN_MAX] = NULL,
};

#define FIELD(field) offsetof(struct unit, field)

static const struct directive directives[] = {
	{ "Description", SECTION_UNIT, unit_parse_string, FIELD(description), NULL,
	  "what this is, for people", 0, NULL },
	{ "StartLimitIntervalSec", SECTION_UNIT, unit_parse_usec, FIELD(restart.limit_interval_usec), "10s",
	  "the interval of StartLimitBurst=", 0, NULL },
	{ "StartLimitBurst", SECTION_UNIT, unit_parse_unsigned, FIELD(restart.limit_burst), "0",
	  "so many starts in the interval, then a pause with the port held; 0: no limit", 0, NULL },

	{ "ListenStream", SECTION_SOCKET, unit_parse_listen, FIELD(listens), NULL,
	  "a TCP port or address, or a Unix path or @name", SOCK_STREAM, NULL },
	{ "ListenDatagram", SECTION_SOCKET, unit_parse_listen, FIELD(listens), NULL,
	  "the same for UDP and Unix datagrams", SOCK_DGRAM, NULL },
	{ "ListenSequentialPacket", SECTION_SOCKET, unit_parse_listen, FIELD(listens), NULL,
	  "a Unix path or @name, with message boundaries", SOCK_SEQPACKET, NULL },
	{ "SocketProtocol", SECTION_SOCKET, unit_parse_socket_protocol, FIELD(socket.protocol), "",
	  "mptcp, sctp or udplite", 0, NULL },
	{ "BindIPv6Only", SECTION_SOCKET, unit_parse_enum, FIELD(socket.bind_ipv6_only), "default",
	  "whether [::] takes IPv4 as well", 0, bind_names },
	{ "Backlog", SECTION_SOCKET, unit_parse_integer, FIELD(socket.backlog), "0",
	  "length of the accept queue; 0: as long as the kernel allows", 0, NULL },
	{ "BindToDevice", SECTION_SOCKET, unit_parse_string, FIELD(socket.bind_to_device), NULL,
	  "only this network interface", 0, NULL },
	{ "SocketUser", SECTION_SOCKET, unit_parse_user, FIELD(socket.socket_uid), NULL,
	  "owner of a Unix socket's path", 0, NULL },
	{ "SocketGroup", SECTION_SOCKET, unit_parse_group, FIELD(socket.socket_gid), NULL,
	  "group of a Unix socket's path", 0, NULL },
	{ "SocketMode", SECTION_SOCKET, unit_parse_mode, FIELD(socket.socket_mode), "0666",
	  "mode of a Unix socket's path", 0, NULL },
	{ "DirectoryMode", SECTION_SOCKET, unit_parse_mode, FIELD(socket.directory_mode), "0755",
	  "mode of folders made for a Unix socket", 0, NULL },
	{ "KeepAlive", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.keep_alive), NULL,
	  "SO_KEEPALIVE on accepted connections", 0, NULL },
	{ "KeepAliveTimeSec", SECTION_SOCKET, unit_parse_seconds, FIELD(socket.keep_alive_time_sec), NULL,
	  "TCP_KEEPIDLE: idle time before the first probe", 0, NULL },
	{ "KeepAliveIntervalSec", SECTION_SOCKET, unit_parse_seconds, FIELD(socket.keep_alive_interval_sec), NULL,
	  "TCP_KEEPINTVL: time between probes", 0, NULL },
	{ "KeepAliveProbes", SECTION_SOCKET, unit_parse_integer, FIELD(socket.keep_alive_probes), NULL,
	  "TCP_KEEPCNT: unanswered probes that end a connection", 1, NULL },
	{ "NoDelay", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.no_delay), NULL,
	  "TCP_NODELAY", 0, NULL },
	{ "Priority", SECTION_SOCKET, unit_parse_integer, FIELD(socket.priority), NULL,
	  "SO_PRIORITY", 0, NULL },
	{ "DeferAcceptSec", SECTION_SOCKET, unit_parse_seconds, FIELD(socket.defer_accept_sec), NULL,
	  "TCP_DEFER_ACCEPT: hand a connection over when data has come", 0, NULL },
	{ "ReceiveBuffer", SECTION_SOCKET, unit_parse_size, FIELD(socket.receive_buffer), NULL,
	  "SO_RCVBUF", 0, NULL },
	{ "SendBuffer", SECTION_SOCKET, unit_parse_size, FIELD(socket.send_buffer), NULL,
	  "SO_SNDBUF", 0, NULL },
	{ "IPTOS", SECTION_SOCKET, unit_parse_ip_tos, FIELD(socket.ip_tos), NULL,
	  "type of service of packets sent", 0, NULL },
	{ "IPTTL", SECTION_SOCKET, unit_parse_integer, FIELD(socket.ip_ttl), NULL,
	  "time to live of packets sent", 1, NULL },
	{ "Mark", SECTION_SOCKET, unit_parse_integer, FIELD(socket.mark), NULL,
	  "SO_MARK, for firewall rules", 0, NULL },
	{ "ReusePort", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.reuse_port), NULL,
	  "SO_REUSEPORT: others of the same user may share the port", 0, NULL },
	{ "FreeBind", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.free_bind), NULL,
	  "bind to an address that the machine does not have yet", 0, NULL },
	{ "Transparent", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.transparent), NULL,
	  "IP_TRANSPARENT", 0, NULL },
	{ "Broadcast", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.broadcast), NULL,
	  "SO_BROADCAST", 0, NULL },
	{ "PassCredentials", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.pass_credentials), NULL,
	  "SO_PASSCRED", 0, NULL },
	{ "PassSecurity", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.pass_security), NULL,
	  "SO_PASSSEC", 0, NULL },
	{ "PassPacketInfo", SECTION_SOCKET, unit_parse_tristate, FIELD(socket.pass_packet_info), NULL,
	  "the address that a datagram was sent to comes with it", 0, NULL },
	{ "TCPCongestion", SECTION_SOCKET, unit_parse_string, FIELD(socket.tcp_congestion), NULL,
	  "congestion control algorithm", 0, NULL },
	{ "RemoveOnStop", SECTION_SOCKET, unit_parse_boolean, FIELD(socket.remove_on_stop), "no",
	  "delete the path of a Unix socket at the end", 0, NULL },
	{ "FileDescriptorName", SECTION_SOCKET, unit_parse_fd_name, FIELD(socket.fd_name), NULL,
	  "the name in LISTEN_FDNAMES; the service's name if not set", 0, NULL },

	{ "Restart", SECTION_SERVICE, unit_parse_enum, FIELD(restart.mode), "no",
	  "after which ends the service is started again", 0, restart_names },
	{ "RestartSec", SECTION_SERVICE, unit_parse_restart_sec, FIELD(restart.delay_usec), "100ms",
	  "the delay before a restart, or the first of several", 0, NULL },
	{ "RestartSteps", SECTION_SERVICE, unit_parse_unsigned, FIELD(restart.steps), "0",
	  "in how many restarts the delay grows to RestartMaxDelaySec=", 0, NULL },
	{ "RestartMaxDelaySec", SECTION_SERVICE, unit_parse_usec, FIELD(restart.max_delay_usec), "infinity",
	  "the longest delay", 0, NULL },
	{ "RestartRandomizedDelaySec", SECTION_SERVICE, unit_parse_usec, FIELD(restart.randomized_delay_usec), "0",
	  "up to so much is added to a delay, at random", 0, NULL },
	{ "SuccessExitStatus", SECTION_SERVICE, unit_parse_exit_set, FIELD(restart.success), "",
	  "exit statuses and signals that count as success", 0, NULL },
	{ "RestartPreventExitStatus", SECTION_SERVICE, unit_parse_exit_set, FIELD(restart.prevent), "",
	  "after these there is no restart", 0, NULL },
	{ "RestartForceExitStatus", SECTION_SERVICE, unit_parse_exit_set, FIELD(restart.force), "",
	  "after these there is always a restart", 0, NULL },
	{ "ExecStop", SECTION_SERVICE, unit_parse_commands, FIELD(exec.stop), NULL,
	  "a command that asks the service to end, before KillSignal=", 0, NULL },
	{ "ExecStopPost", SECTION_SERVICE, unit_parse_commands, FIELD(exec.stop_post), NULL,
	  "a command after the service has ended, however it did", 0, NULL },
	{ "TimeoutStopSec", SECTION_SERVICE, unit_parse_usec, FIELD(kill.timeout_stop_usec), "90s",
	  "how long each step of a stop may take", 0, NULL },
	{ "KillMode", SECTION_SERVICE, unit_parse_enum, FIELD(kill.mode), "control-group",
	  "which processes of the service a stop ends", 0, kill_names },
	{ "KillSignal", SECTION_SERVICE, unit_parse_signal, FIELD(kill.signal), "SIGTERM",
	  "the signal that asks for the end", 0, NULL },
	{ "FinalKillSignal", SECTION_SERVICE, unit_parse_signal, FIELD(kill.final_signal), "SIGKILL",
	  "the signal after TimeoutStopSec=", 0, NULL },
	{ "SendSIGKILL", SECTION_SERVICE, unit_parse_boolean, FIELD(kill.send_sigkill), "yes",
	  "whether FinalKillSignal= is sent", 0, NULL },
	{ "SendSIGHUP", SECTION_SERVICE, unit_parse_boolean, FIELD(kill.send_sighup), "no",
	  "a SIGHUP right after KillSignal=", 0, NULL },
	{ "NonBlocking", SECTION_SERVICE, unit_parse_boolean, FIELD(exec.non_blocking), "no",
	  "O_NONBLOCK on the sockets that are handed over", 0, NULL },
	{ "WorkingDirectory", SECTION_SERVICE, unit_parse_absolute_path, FIELD(exec.working_directory), NULL,
	  "the folder that the commands start in", 0, NULL },
	{ "Environment", SECTION_SERVICE, unit_parse_environment, FIELD(exec.environment), NULL,
	  "NAME=VALUE words for the commands", 0, NULL },
	{ "UMask", SECTION_SERVICE, unit_parse_mode, FIELD(exec.umask), NULL,
	  "the file mode mask of the commands", 0, NULL },

	{ "WhileDown", SECTION_PORTKEEPER, unit_parse_enum, FIELD(socket.while_down), "hold",
	  "what clients meet during a delay: they wait (hold) or are refused", 0, while_down_names },
	{ "RestartImmediate", SECTION_PORTKEEPER, unit_parse_immediate, FIELD(restart.immediate), "5",
	  "so many restarts in a row are made at once, before any delay", 0, NULL },
	{ "ReuseAddress", SECTION_PORTKEEPER, unit_parse_tristate, FIELD(socket.reuse_address), "yes",
	  "SO_REUSEADDR: bind although connections are in TIME_WAIT", 0, NULL },
	{ "Linger", SECTION_PORTKEEPER, unit_parse_linger, FIELD(socket.linger_sec), "no",
	  "SO_LINGER of accepted connections: no, reset, or seconds", 0, NULL },
	{ "ReapSec", SECTION_PORTKEEPER, unit_parse_usec, FIELD(socket.reap_usec), "0",
	  "end half-closed connections of a held port that are quiet for so long; 0: never", 0, NULL },
	{ "UserTimeoutSec", SECTION_PORTKEEPER, unit_parse_milliseconds, FIELD(socket.user_timeout_msec), NULL,
	  "TCP_USER_TIMEOUT: how long sent data may stay unacknowledged", 0, NULL },
};
/* clang-format on */

const struct directive *
directive_at(size_t i)
{
	return i < PK_ARRAY_SIZE(directives) ? &directives[i] : NULL;
}

const struct directive *
directive_find(const char *name)
{
	for (size_t i = 0; i < PK_ARRAY_SIZE(directives); i++)
		if (strcmp(directives[i].name, name) == 0)
			return &directives[i];
	return NULL;
}

const char *
directive_section_name(enum directive_section section)
{
	static const char *const names[SECTION_MAX] = {
		[SECTION_UNIT] = "Unit",
		[SECTION_SOCKET] = "Socket",
		[SECTION_SERVICE] = "Service",
		[SECTION_PORTKEEPER] = "X-Portkeeper",
	};

	return names[section];
}

int
directive_set(struct unit *unit, const char *name, const char *value, struct error *err)
{
	const struct directive *directive = directive_find(name);
	const char *nearest = NULL;
	size_t distance = SIZE_MAX;

	if (directive)
		return directive->parse(directive, value, unit, err);
	for (size_t i = 0; i < PK_ARRAY_SIZE(directives); i++)
		nearest_name_offer(name, directives[i].name, &nearest, &distance);
	(void)error_set(err, -EINVAL, "unknown directive '%.60s'", name);
	if (nearest)
		error_set_hint(err, "did you mean %s=?", nearest);
	else
		error_set_hint(err, "portkeeper.unit(5) lists them all");
	return -EINVAL;
}
