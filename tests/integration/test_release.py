# SPDX-License-Identifier: MIT
"""release: free a port now, and nothing else."""
import os
import pty
import re
import select
import socket
import subprocess

from netns import (Server, binary, can_bind, connect, in_namespace, listen, make_time_wait,
                   portkeeper, portkeeper_json, states, sysctl, wait_until)

PORT = 49200


@in_namespace
def test_the_seed_a_crashed_server_gets_its_port_back_at_once():
    server = Server(PORT)
    clients = server.connect(5)
    server.crash()
    for c in clients:
        assert c.recv(1) == b""
        c.close()
    wait_until(lambda: states(PORT).get("TIME_WAIT") == 5)
    again = Server(PORT)
    assert again.port == PORT + 1  # the trouble that started it all
    again.crash()
    done = portkeeper("release", PORT)
    assert done.returncode == 0, done
    assert "Ended 5 sockets" in done.stdout
    assert "can bind it now" in done.stdout
    third = Server(PORT)
    assert third.port == PORT
    third.crash()


@in_namespace
def test_an_outgoing_connection_from_the_ephemeral_range_is_cut_on_demand():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT}")
    far = listen(8000)
    client = connect(8000)
    assert client.getsockname()[1] == PORT
    far_end, _ = far.accept()
    taken = Server(PORT)
    assert taken.port == PORT + 1
    taken.crash()
    done = portkeeper("release", PORT)
    assert done.returncode == 1
    assert "nothing of that kind" in done.stdout and "an outgoing connection" in done.stdout
    done = portkeeper("release", PORT, "--state", "established", "--yes")
    assert done.returncode == 0, done
    back = Server(PORT)
    assert back.port == PORT
    back.crash()
    try:
        client.recv(1)
        raise AssertionError("the connection lives")
    except ConnectionAbortedError:
        pass
    try:
        far_end.recv(1)
        raise AssertionError("the peer was not told")
    except ConnectionResetError:
        pass


@in_namespace
def test_the_time_wait_of_an_outgoing_connection_is_released_too():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT}")
    far = listen(8000)
    client = connect(8000)
    far_end, _ = far.accept()
    client.close()
    assert far_end.recv(1) == b""
    far_end.close()
    wait_until(lambda: states(PORT) == {"TIME_WAIT": 1})
    assert not can_bind(PORT, reuse=True)
    seen = portkeeper("inspect", PORT).stdout
    assert "1 outgoing connection that ended is in TIME_WAIT" in seen
    assert "outgoing, gone in" in seen
    assert portkeeper("release", PORT).returncode == 0
    assert can_bind(PORT)


@in_namespace
def test_only_time_wait_goes_by_default_and_nothing_alive():
    server = Server(PORT)
    clients = server.connect(3)
    closing, = server.connect(1)
    result, done = portkeeper_json("release", PORT)
    assert result["ended"] == 0
    assert done.returncode == 1
    assert states(PORT) == {"LISTEN": 1, "ESTABLISHED": 4}
    del clients, closing
    server.crash()


@in_namespace
def test_each_named_state_and_no_other_is_ended():
    server = listen(PORT, backlog=16)
    clients = [connect(PORT) for _ in range(4)]
    accepted = [server.accept()[0] for _ in range(4)]
    clients[0].close()  # CLOSE_WAIT here
    accepted[1].close()  # FIN_WAIT_2 here
    accepted[2].close()
    assert clients[2].recv(1) == b""
    clients[2].close()  # TIME_WAIT here
    now = {"LISTEN": 1, "CLOSE_WAIT": 1, "FIN_WAIT_2": 1, "TIME_WAIT": 1, "ESTABLISHED": 1}
    wait_until(lambda: states(PORT) == now)
    for name, state in (("fin-wait-2", "FIN_WAIT_2"), ("close-wait", "CLOSE_WAIT"),
                        ("TIME_WAIT", "TIME_WAIT"), ("established", "ESTABLISHED")):
        result, done = portkeeper_json("release", PORT, "--state", name, "--yes")
        assert result["ended"] == 1, result
        assert done.returncode == 0  # the listener is alive, and nobody asked for it
        del now[state]
        assert states(PORT) == now
    assert now == {"LISTEN": 1}


@in_namespace
def test_all_ends_every_connection_and_never_a_listener():
    server = Server(PORT)
    clients = server.connect(3)
    make = portkeeper("release", PORT, "--all", "--yes")
    assert "Ended 3 sockets" in make.stdout
    assert states(PORT) == {"LISTEN": 1}
    assert server.process.poll() is None
    assert "ended with its process" in make.stdout
    del clients
    server.crash()


@in_namespace
def test_a_listener_goes_only_when_its_process_is_named():
    server = Server(PORT)
    portkeeper("release", PORT, "--all", "--yes", "--listener", "nobody")
    assert states(PORT) == {"LISTEN": 1}
    done = portkeeper("release", PORT, "--listener", str(server.pid))
    assert done.returncode == 1 and "alive" in done.stderr  # not without a yes
    assert states(PORT) == {"LISTEN": 1}
    portkeeper("release", PORT, "--listener", str(server.pid), "--yes")
    assert "LISTEN" not in states(PORT)
    server.crash()
    assert can_bind(PORT)


@in_namespace
def test_dry_run_shows_and_does_nothing():
    server = Server(PORT)
    clients = server.connect(2)
    done = portkeeper("release", PORT, "--all", "--dry-run")
    assert done.returncode == 0
    assert "Would end on port 49200: 2 ESTABLISHED" in done.stdout
    assert f"(pid {server.pid}" in done.stdout
    assert states(PORT) == {"LISTEN": 1, "ESTABLISHED": 2}
    result, _ = portkeeper_json("release", PORT, "--all", "--dry-run")
    assert [s["result"] for s in result["sockets"]] == ["not tried"] * 2
    del clients
    server.crash()


@in_namespace
def test_nothing_alive_is_cut_without_a_yes():
    server = Server(PORT)
    clients = server.connect(2)
    done = portkeeper("release", PORT, "--all")
    assert done.returncode == 1
    assert "2 of the 2 sockets are alive" in done.stderr and "--yes" in done.stderr
    assert states(PORT)["ESTABLISHED"] == 2
    del clients
    server.crash()


def on_terminal(answer):
    """Runs release --all on a terminal and types the answer; all that was printed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(binary(), [binary(), "release", "--all", "--color=never", str(PORT)])
    seen = b""
    while True:
        ready, _, _ = select.select([fd], [], [], 20)
        assert ready, seen
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
        if seen.endswith(b"[y/N] "):
            os.write(fd, answer + b"\n")
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@in_namespace
def test_a_person_is_asked_and_may_say_no():
    server = Server(PORT)
    clients = server.connect(2)
    seen, status = on_terminal(b"n")
    assert "Cut 2 living sockets?" in seen and "Nothing was ended" in seen
    assert status == 1
    assert states(PORT)["ESTABLISHED"] == 2
    seen, status = on_terminal(b"y")
    assert "Ended 2 sockets" in seen
    assert states(PORT) == {"LISTEN": 1}
    del clients
    server.crash()


@in_namespace
def test_peer_and_age_narrow_the_choice():
    server = listen(PORT, "0.0.0.0", backlog=16)
    clients = []
    for source in ("127.0.0.1", "127.0.0.2", "127.0.1.1"):
        c = socket.socket()
        c.bind((source, 0))
        c.connect(("127.0.0.1", PORT))
        clients.append(c)
    accepted = [server.accept()[0] for _ in range(3)]

    def ended(*args):
        return portkeeper_json("release", PORT, "--all", "--yes", *args)[0]["ended"]

    assert ended("--peer", "127.0.0.9") == 0
    assert ended("--peer", "127.0.0.2:1") == 0
    assert ended("--older-than", "1h") == 0
    assert ended("--peer", f"127.0.0.2:{clients[1].getsockname()[1]}") == 1
    assert ended("--peer", "127.0.0.0/24") == 1
    assert states(PORT)["ESTABLISHED"] == 1
    wait_until(lambda: ended("--older-than", "50ms") == 1)
    del accepted


@in_namespace
def test_older_than_counts_the_seconds_of_time_wait():
    make_time_wait(PORT, 2)
    result, _ = portkeeper_json("release", PORT, "--older-than", "50s")
    assert result["ended"] == 0
    wait_until(lambda: portkeeper_json("release", PORT, "--older-than", "100ms")[0]["ended"] == 2)


@in_namespace
def test_orphans_of_a_crash_are_freed_by_state():
    server = Server(PORT)
    clients = server.connect(2)
    server.crash()
    wait_until(lambda: states(PORT) == {"FIN_WAIT_2": 2})
    done = portkeeper("release", PORT)
    assert done.returncode == 1
    assert re.search(r"2 connections .* still closing \(FIN_WAIT_2\), gone in", done.stdout)
    assert "--all" in done.stdout
    assert portkeeper("release", PORT, "--state=fin-wait-2").returncode == 0
    assert can_bind(PORT)
    del clients


@in_namespace
def test_ipv6_and_mapped_addresses_are_released():
    for address, peer in (("::1", "::1"), ("::", "127.0.0.1")):
        server = socket.socket(socket.AF_INET6)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind((address, PORT))
        server.listen()
        client = connect(PORT, peer)
        accepted, _ = server.accept()
        server.close()
        accepted.close()
        assert client.recv(1) == b""
        client.close()
        wait_until(lambda: states(PORT) == {"TIME_WAIT": 1})
        assert portkeeper("release", PORT).returncode == 0
        assert can_bind(PORT, "::")


@in_namespace
def test_without_cap_net_admin_it_says_so_and_what_else_helps():
    make_time_wait(PORT)
    done = subprocess.run(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                           binary(), "release", str(PORT)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "CAP_NET_ADMIN" in done.stderr
    assert "SO_REUSEADDR" in done.stderr and f"portkeeper run -l {PORT}" in done.stderr
    assert states(PORT) == {"TIME_WAIT": 3}


@in_namespace
def test_bad_arguments_are_usage_errors():
    for args in ((), ("--state", "listen", "80"), ("--state", "bogus", "80"),
                 ("--older-than", "x", "80"), ("--peer", "nowhere", "80"),
                 ("--peer", "10.0.0.0/33", "80"), ("--peer", "[::1", "80"), ("70000",)):
        done = portkeeper("release", *args)
        assert done.returncode == 2, (args, done)
        assert done.stderr
