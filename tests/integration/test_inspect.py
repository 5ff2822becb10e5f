# SPDX-License-Identifier: MIT
"""inspect: who has the port, can it be bound, and when."""
import json
import os
import re
import socket
import struct
import subprocess
import sys

import pytest

from netns import (Server, binary, can_bind, connect, in_namespace, inspect, listen,
                   make_time_wait, portkeeper, states, sysctl, wait_until)

PORT = 49200
# Processes of other tests are seen, too: a name of one's own.
NAME = f"netns-{os.getpid()}"


def sentence(port=PORT):
    done = portkeeper("inspect", port)
    assert done.returncode == 0, done
    return done.stdout.splitlines()[0]


@in_namespace
def test_a_free_port_can_be_bound():
    assert sentence() == f"A program can bind tcp port {PORT} now."
    assert inspect(PORT)["sockets"] == []


@in_namespace
def test_a_crashed_servers_time_wait_is_named_with_its_seconds():
    server = Server(PORT)
    clients = server.connect(12)
    server.crash()
    for c in clients:
        assert c.recv(1) == b""
        c.close()
    wait_until(lambda: states(PORT).get("TIME_WAIT") == 12)
    assert not can_bind(PORT)
    first = sentence()
    assert "12 connections of a dead process are in TIME_WAIT" in first
    assert re.search(r"the last one gone in (1 min|\d+ s)", first)
    result = inspect(PORT)
    without = result["bind"][0]["without_reuseaddr"]
    assert without["bind"] == "blocked"
    assert 50000 < without["free_in_msec"] <= 60000
    assert all(0 < s["gone_in_msec"] <= 60000 for s in result["sockets"])
    assert not any(s["outgoing"] for s in result["sockets"])


@in_namespace
def test_so_reuseaddr_helps_only_if_both_had_it():
    make_time_wait(PORT, reuse=False)
    make_time_wait(PORT + 1, reuse=True)
    for port in (PORT, PORT + 1):
        bind = inspect(port)["bind"][0]
        assert bind["without_reuseaddr"]["bind"] == "blocked"
        wanted = "possible" if can_bind(port, reuse=True) else "blocked"
        assert bind["with_reuseaddr"]["bind"] == wanted
    assert "with or without SO_REUSEADDR" in sentence(PORT)
    assert "one with SO_REUSEADDR can." in sentence(PORT + 1)


@in_namespace
def test_a_listener_is_named_with_process_queue_limit_and_options():
    server = listen(PORT, reuse=True, backlog=7)
    clients = [connect(PORT) for _ in range(3)]
    wait_until(lambda: states(PORT).get("ESTABLISHED") == 3)
    result = inspect(PORT)
    found = [s for s in result["sockets"] if s["state"] == "LISTEN"]
    assert len(found) == 1
    assert (found[0]["queue"], found[0]["queue_limit"]) == (3, 7)
    assert found[0]["reuse_address"] is True
    assert found[0]["reuse_port"] is False
    assert [o["pid"] for o in found[0]["owners"]] == [os.getpid()]
    out = portkeeper("inspect", PORT).stdout
    assert "queue 3 of 7, SO_REUSEADDR" in out
    assert "ESTABLISHED (not accepted)" in out
    assert f"(pid {os.getpid()}" in out.splitlines()[0]
    del server, clients


@in_namespace
def test_every_state_is_counted_and_grouped():
    server = listen(PORT, backlog=16)
    clients = [connect(PORT) for _ in range(6)]
    accepted = [server.accept()[0] for _ in range(6)]
    for c in clients[:2]:
        c.close()  # the server's side: CLOSE_WAIT
    accepted[2].close()  # the server's side: FIN_WAIT_2, a kernel-only socket
    accepted[3].close()
    assert clients[3].recv(1) == b""
    clients[3].close()  # TIME_WAIT
    wanted = {"LISTEN": 1, "CLOSE_WAIT": 2, "FIN_WAIT_2": 1, "TIME_WAIT": 1,
              "ESTABLISHED": 2}
    wait_until(lambda: states(PORT) == wanted)
    groups = inspect(PORT)["groups"]
    assert {g["state"]: g["count"] for g in groups} == wanted
    out = portkeeper("inspect", PORT).stdout
    assert re.search(r"FIN_WAIT_2 .* gone in \d+ s", out)
    assert "TIME_WAIT" in out and "dead process" not in out.splitlines()[0]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def send_syn(source, destination, port):
    """A SYN whose sender will never answer the SYN-ACK."""
    tcp = struct.pack("!HHIIBBHHH", 4000, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + \
        struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0,
                     socket.inet_aton(source), socket.inet_aton(destination))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip + tcp, (destination, 0))


@in_namespace
def test_half_open_connections_are_shown_and_do_not_block():
    # 192.0.2.1 is routed to lo and belongs to nobody: the SYN-ACK gets lost there.
    subprocess.run(["ip", "route", "add", "192.0.2.0/24", "dev", "lo"], check=True)
    sysctl("net.ipv4.conf.lo.rp_filter", 0)
    sysctl("net.ipv4.conf.all.rp_filter", 0)
    server = listen(PORT, "0.0.0.0")
    send_syn("192.0.2.1", "127.0.0.1", PORT)
    wait_until(lambda: states(PORT).get("SYN_RECV") == 1)
    assert "SYN_RECV (half-open)" in portkeeper("inspect", PORT).stdout
    found = [s for s in inspect(PORT)["sockets"] if s["state"] == "SYN_RECV"]
    assert found[0]["remote"] == "192.0.2.1:4000"
    assert "192.0.2.1" not in sentence()
    done = portkeeper("release", PORT, "--state=syn-recv", "--yes")
    assert "Ended 1 socket " in done.stdout
    assert states(PORT) == {"LISTEN": 1}
    del server


@in_namespace
def test_an_outgoing_connection_is_told_from_an_accepted_one():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT}")
    server = listen(8000)
    client = connect(8000)
    assert client.getsockname()[1] == PORT
    first = sentence()
    assert "an outgoing connection of" in first
    assert f"to 127.0.0.1:8000 uses the port from the ephemeral range {PORT}-{PORT}" in first
    assert "now, with or without SO_REUSEADDR" in first
    found = [s for s in inspect(PORT)["sockets"] if s["state"] == "ESTABLISHED"]
    assert found[0]["outgoing"] is True
    assert inspect(PORT)["in_ephemeral_range"] is True
    assert not can_bind(PORT, reuse=True)
    del server


@in_namespace
def test_ipv6_dual_stack_udp_and_mptcp_are_seen():
    six = listen(PORT, "::")
    assert not can_bind(PORT)
    result = inspect(PORT)
    assert result["sockets"][0]["local"] == f"[::]:{PORT}"
    assert result["sockets"][0]["v6only"] is False
    six.close()
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.bind(("::1", PORT))
    result = inspect(PORT)
    assert [b["protocol"] for b in result["bind"]] == ["tcp", "udp"]
    assert result["bind"][0]["without_reuseaddr"]["bind"] == "possible"
    assert result["bind"][1]["without_reuseaddr"]["bind"] == "blocked"
    assert inspect(f"udp:127.0.0.1:{PORT}")["sockets"] == []
    udp.close()
    try:
        mptcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    except OSError:
        pytest.skip("this kernel has no MPTCP")
    mptcp.bind(("127.0.0.1", PORT))
    mptcp.listen(4)
    result = inspect(PORT)
    assert {s["protocol"] for s in result["sockets"]} == {"tcp", "mptcp"}
    assert f"(pid {os.getpid()}" in sentence()


@in_namespace
def test_an_address_shows_only_what_it_meets():
    one = listen(PORT, "127.0.0.1")
    assert inspect(f"127.0.0.2:{PORT}")["bind"][0]["without_reuseaddr"]["bind"] == "possible"
    assert inspect(f"127.0.0.1:{PORT}")["bind"][0]["without_reuseaddr"]["bind"] == "blocked"
    assert inspect(f"[::1]:{PORT}")["bind"][0]["without_reuseaddr"]["bind"] == "possible"
    assert inspect(PORT)["bind"][0]["without_reuseaddr"]["bind"] == "blocked"
    del one


@in_namespace
def test_a_bound_socket_that_does_not_listen_is_found():
    s = socket.socket()
    s.bind(("127.0.0.1", PORT))
    result = inspect(PORT)
    if not result["sockets"]:
        pytest.skip("told since Linux 6.8")
    assert result["sockets"][0]["state"] == "BOUND"
    assert "has bound 127.0.0.1" in sentence()


@in_namespace
def test_watch_draws_again_until_it_is_stopped():
    watch = subprocess.Popen([binary(), "inspect", "--watch=20ms", str(PORT)],
                             stdout=subprocess.PIPE, text=True)
    assert "can bind" in watch.stdout.readline()
    server = listen(PORT)
    for _ in range(1000):
        if "listens on" in watch.stdout.readline():
            break
    else:
        raise AssertionError("the listener never appeared")
    watch.terminate()
    watch.wait()
    del server


@in_namespace
def test_a_user_without_rights_still_learns_what_there_is():
    server = listen(PORT)
    make_time_wait(PORT + 1)

    def drop():
        os.setgroups([]) if os.path.exists("/proc/self/setgroups") and \
            open("/proc/self/setgroups").read() != "deny\n" else None
        os.setgid(65534)
        os.setuid(65534)

    try:
        done = portkeeper("inspect", PORT, "--json", preexec_fn=drop)
    except subprocess.SubprocessError:
        pytest.skip("a user namespace with one user in it has no other to become")
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert result["bind"][0]["without_reuseaddr"]["bind"] == "blocked"
    assert result["hidden_processes"] > 0
    done = portkeeper("inspect", PORT, preexec_fn=drop)
    assert "a process that may not be seen (uid 0)" in done.stdout
    assert "as root, inspect names every owner" in done.stdout
    done = portkeeper("inspect", PORT + 1, preexec_fn=drop)
    assert "TIME_WAIT" in done.stdout
    del server


@in_namespace
def test_a_name_means_the_ports_its_supervisor_holds():
    """A stand-in with the supervisor's process name and arguments holds two ports."""
    script = ("import socket,sys\n"
              "open('/proc/self/comm','w').write('portkeeperd')\n"
              "a=socket.socket(); a.bind(('127.0.0.1',5001)); a.listen()\n"
              "b=socket.socket(); b.bind(('127.0.0.1',5002)); b.listen()\n"
              "print('ready',flush=True); sys.stdin.read()\n")
    holder = subprocess.Popen([sys.executable, "-c", script, "--name", NAME],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    ports = sorted(r["port"] for r in inspect(NAME))
    assert ports == [5001, 5002]
    done = portkeeper("inspect", NAME + "-other")
    assert done.returncode == 1
    assert "neither a port nor the name" in done.stderr
    holder.stdin.close()
    holder.wait()


@in_namespace
def test_a_held_port_names_the_program_and_its_holder():
    script = ("import os,socket,sys\n"
              "s=socket.socket(); s.bind(('127.0.0.1',5001)); s.listen()\n"
              "if os.fork():\n"
              "    open('/proc/self/comm','w').write('portkeeperd'); sys.stdin.read()\n"
              "else:\n"
              "    open('/proc/self/comm','w').write('the-app'); print(os.getpid(),flush=True)\n"
              "    sys.stdin.read()\n")
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    app = int(holder.stdout.readline())
    # Between the two stands the unit, where the tests run in one.
    wanted = rf"the-app \(pid {app}, .*held by portkeeperd, pid {holder.pid}\)"
    wait_until(lambda: re.search(wanted, sentence(5001)), wanted)
    holder.stdin.close()
    holder.wait()


@in_namespace
def test_the_name_of_a_portkeeper_run_is_found():
    if not os.access(os.path.join(os.path.dirname(binary()), "portkeeperd"), os.X_OK):
        pytest.skip("no portkeeperd in this build")
    run = subprocess.Popen([binary(), "run", f"--name={NAME}", "-l", str(PORT), "--", "cat"],
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: states(PORT).get("LISTEN") or run.poll() is not None)
        assert run.poll() is None, run.stderr.read()
        result = inspect(NAME)
        assert result["port"] == PORT
        assert "portkeeperd" in result["bind"][0]["sentence"]
    finally:
        run.terminate()
        run.communicate(timeout=20)


@in_namespace
def test_bad_arguments_are_usage_errors():
    for args in ((), ("1", "2"), ("70000",), ("0",), ("/run/x.sock",), ("--watch=never", "80"),
                 ("--color=pink", "80"), ("--nothing", "80")):
        done = portkeeper("inspect", *args)
        assert done.returncode == 2, (args, done)
        assert done.stderr and not done.stdout
