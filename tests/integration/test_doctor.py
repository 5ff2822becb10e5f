# SPDX-License-Identifier: MIT
"""doctor: each check has a test that makes it fail and one that makes it pass."""
import errno
import os
import re
import resource
import socket
import subprocess
import sys
import threading

import pytest

from netns import (Server, binary, connect, deny, in_namespace, listen, make_time_wait,
                   portkeeper, portkeeper_json, states, sysctl, wait_until)

PORT = 49200
# Processes of other tests are seen, too: a name of one's own.
NAME = f"netns-{os.getpid()}"


def doctor(*args, **kwargs):
    return portkeeper_json("doctor", "--sample=0", *args, **kwargs)


def check(name, *args, **kwargs):
    """One row of the report; what it says must go with the exit status."""
    result, done = doctor(*args, **kwargs)
    rows = {row["id"]: row for row in result["checks"]}
    assert len(rows) == len(result["checks"]), "an id stands twice"
    bad = any(row["status"] == "bad" for row in rows.values())
    assert result["action_needed"] == bad
    assert done.returncode == (1 if bad else 0), done
    for row in rows.values():
        assert row["why"] and row["source"] and row["value"], row
        if row["status"] in ("bad", "note"):
            assert row["todo"], row
    return rows[name]


def passes(name, *args, **kwargs):
    row = check(name, *args, **kwargs)
    assert row["status"] == "ok", row
    return row


def fails(name, status, *args, **kwargs):
    row = check(name, *args, **kwargs)
    assert row["status"] == status, row
    return row


# ---- the port

@in_namespace
def test_ephemeral_range():
    sysctl("net.ipv4.ip_local_port_range", "32768 60999")
    row = fails("ephemeral-range", "bad", PORT)
    assert "32768-60999, and is not reserved" in row["value"]
    assert f"doctor {PORT} --fix" in row["todo"]
    passes("ephemeral-range", 8080)
    sysctl("net.ipv4.ip_local_reserved_ports", f"8080,{PORT - 10}-{PORT + 10}")
    passes("ephemeral-range", PORT)


@in_namespace
def test_fix_reserves_the_port_and_loses_no_other():
    sysctl("net.ipv4.ip_local_reserved_ports", "8080,9000-9010")
    done = portkeeper("doctor", "--sample=0", PORT, "--fix")
    assert done.returncode == 0, done
    assert sysctl("net.ipv4.ip_local_reserved_ports") == f"8080,9000-9010,{PORT}"
    assert f"net.ipv4.ip_local_reserved_ports = 8080,9000-9010,{PORT}" in done.stdout
    assert "/etc/sysctl.d/" in done.stdout
    again = portkeeper("doctor", "--sample=0", PORT, "--fix")
    assert again.returncode == 0
    assert sysctl("net.ipv4.ip_local_reserved_ports") == f"8080,9000-9010,{PORT}"
    passes("ephemeral-range", PORT)


@in_namespace
def test_fix_keeps_a_list_longer_than_a_page():
    ports = list(range(20001, 24001, 2))
    text = ",".join(map(str, ports))
    path = "/proc/sys/net/ipv4/ip_local_reserved_ports"
    for i in range(0, len(ports), 500):
        with open(path, "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), (",".join(map(str, ports[i:i + 500])) + "\n").encode(), 1)

    def whole():
        # Only the first read() of this file gives anything, so it must be a large one.
        with open(path, "rb", buffering=0) as f:
            return os.read(f.fileno(), 1 << 18).decode().strip()

    assert whole() == text
    assert len(text) > 2 * 4096
    assert portkeeper("doctor", "--sample=0", PORT, "--fix").returncode == 0
    assert whole() == f"{text},{PORT}"


@in_namespace
def test_a_reserved_port_is_not_given_to_an_outgoing_connection():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT + 1}")
    portkeeper("doctor", "--sample=0", PORT + 1, "--fix")
    far = listen(8000)
    a = connect(8000)
    assert a.getsockname()[1] == PORT
    try:
        connect(8000)
        raise AssertionError("the reserved port was given away")
    except OSError as e:
        assert e.errno == errno.EADDRNOTAVAIL
    del far


@in_namespace
def test_outgoing_use():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT}")
    passes("outgoing-use", PORT)
    far = listen(8000)
    client = connect(8000)
    row = fails("outgoing-use", "bad", PORT)
    assert "127.0.0.1:8000" in row["value"] and f"(pid {os.getpid()}" in row["value"]
    far_end, _ = far.accept()
    client.close()
    assert far_end.recv(1) == b""
    far_end.close()
    wait_until(lambda: states(PORT) == {"TIME_WAIT": 1})
    assert "TIME_WAIT" in fails("outgoing-use", "bad", PORT)["value"]


@in_namespace
def test_self_connect():
    passes("self-connect", PORT)
    s = socket.socket()
    s.bind(("127.0.0.1", PORT))
    s.connect(("127.0.0.1", PORT))
    row = fails("self-connect", "bad", PORT)
    assert f"(pid {os.getpid()}" in row["value"]
    assert "connected to itself" in portkeeper("inspect", PORT).stdout
    s.close()


@in_namespace
def test_privileged_port():
    passes("privileged-port", PORT)
    passes("privileged-port", 80)  # root of the namespace
    sysctl("net.ipv4.ip_unprivileged_port_start", 81)

    def drop():
        os.setgid(65534)
        os.setuid(65534)

    try:
        row = fails("privileged-port", "bad", 80, preexec_fn=drop)
    except subprocess.SubprocessError:
        pytest.skip("a user namespace with one user in it has no other to become")
    assert "ip_unprivileged_port_start=80" in row["todo"]
    passes("privileged-port", 81, preexec_fn=drop)


@in_namespace
def test_shared_traffic_of_tcp():
    def reuseport(address):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((address, PORT))
        s.listen()
        return s

    one = reuseport("0.0.0.0")
    passes("shared-traffic", PORT)
    two = reuseport("0.0.0.0")  # the same process may: its workers do
    passes("shared-traffic", PORT)
    two.close()
    code = ("import socket,sys; s=socket.socket();"
            "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
            "s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(); print('up', flush=True);"
            "sys.stdin.read()")
    for address, words in (("0.0.0.0", "both receive on 0.0.0.0:49200 (SO_REUSEPORT)"),
                           ("127.0.0.1", "the more specific one wins")):
        thief = subprocess.Popen([sys.executable, "-c", code, address, str(PORT)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert thief.stdout.readline() == "up\n"
        row = fails("shared-traffic", "bad", PORT)
        assert words in row["value"] and f"(pid {thief.pid}" in row["value"]
        thief.stdin.close()
        thief.wait()
    one.close()


@in_namespace
def test_shared_traffic_of_udp():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("0.0.0.0", PORT))
    passes("shared-traffic", f"udp:{PORT}")
    u.close()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    u.bind(("0.0.0.0", PORT))
    assert "SO_REUSEADDR" in fails("shared-traffic", "note", f"udp:{PORT}")["value"]
    u.close()


@in_namespace
def test_held():
    server = Server(PORT)
    row = fails("held", "note", PORT)
    assert f"(pid {server.pid}) has it: the port closes with that" in row["value"]
    server.crash()
    code = ("import socket,sys\nopen('/proc/self/comm','w').write('portkeeperd')\n"
            "s=socket.socket(); s.bind(('127.0.0.1',5001)); s.listen()\n"
            "print('up',flush=True); sys.stdin.read()\n")
    holder = subprocess.Popen([sys.executable, "-c", code, "--name", NAME],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "up\n"
    assert passes("held", 5001)["value"] == f"held by portkeeperd (pid {holder.pid})"
    passes("held", NAME)
    holder.stdin.close()
    holder.wait()


@in_namespace
def test_accept_queue():
    server = listen(PORT, backlog=2)
    passes("accept-queue", PORT)
    clients = [connect(PORT) for _ in range(2)]
    fails("accept-queue", "note", PORT)
    clients.append(connect(PORT))
    row = fails("accept-queue", "bad", PORT)
    assert "full: 3 of 2" in row["value"] and f"(pid {os.getpid()}" in row["value"]
    server.close()


@in_namespace
def test_backlog():
    server = listen(PORT, backlog=200)
    row = passes("backlog", PORT, "--rate=100", "--restart=400ms")
    assert row["value"] == "200 bridges 2 s at 100 connections/s; a restart takes 400 ms"
    row = fails("backlog", "bad", PORT, "--rate=1000", "--restart=400ms")
    assert "Backlog=800" in row["todo"]
    passes("backlog", PORT, "--rate=853", "--restart=4s", "--backlog=4096")
    server.close()
    small = listen(PORT, backlog=5)
    assert "only 5 clients" in fails("backlog", "note", PORT, "--rate=0")["value"]
    small.close()


@in_namespace
def test_backlog_measures_the_rate_itself():
    server = listen(PORT, backlog=4096)
    stop = threading.Event()

    def clients():
        while not stop.is_set():
            connect(PORT).close()
            server.accept()[0].close()

    thread = threading.Thread(target=clients)
    thread.start()
    try:
        result, _ = portkeeper_json("doctor", PORT, "--sample=200ms")
    finally:
        stop.set()
        thread.join()
    row = [r for r in result["checks"] if r["id"] == "backlog"][0]
    assert re.search(r"4096 bridges .* at \d+ connections/s \(all ports", row["value"]), row


@in_namespace
def test_somaxconn():
    passes("somaxconn")
    passes("somaxconn", PORT, "--backlog=4096")
    fails("somaxconn", "bad", PORT, "--backlog=5000")
    sysctl("net.core.somaxconn", 128)
    fails("somaxconn", "note")
    server = listen(PORT, backlog=1000)  # cut to 128
    fails("somaxconn", "note", PORT)
    row = fails("somaxconn", "bad", PORT, "--backlog=1000")
    assert "cuts a backlog of 1000" in row["value"]
    assert "net.core.somaxconn=1000" in row["todo"]
    server.close()


# ---- the machine

def overflow(server_port):
    """Connects once more than the queue takes; the kernel drops and counts it."""
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", server_port))
    return s


@in_namespace
def test_overflows():
    passes("overflows")
    server = listen(PORT, backlog=0)
    sockets = [overflow(PORT) for _ in range(8)]
    wait_until(lambda: check("overflows")["status"] != "ok")
    sockets.append(server)
    stop = threading.Event()

    def more():
        while not stop.is_set():
            overflow(PORT).close()

    thread = threading.Thread(target=more)
    thread.start()
    try:
        result, done = portkeeper_json("doctor", "--sample=200ms")
    finally:
        stop.set()
        thread.join()
    row = [r for r in result["checks"] if r["id"] == "overflows"][0]
    assert row["status"] == "bad" and row["value"].startswith("rising:"), row
    assert done.returncode == 1


@in_namespace
def test_tw_reuse():
    for value in (0, 2):
        sysctl("net.ipv4.tcp_tw_reuse", value)
        passes("tw-reuse")
    sysctl("net.ipv4.tcp_tw_reuse", 1)
    assert "outgoing" in fails("tw-reuse", "note")["value"]


@in_namespace
def test_tw_recycle(tmp_path):
    passes("tw-recycle")
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir(parents=True)
    (folder / "10-old.conf").write_text("# net.ipv4.tcp_tw_recycle = 1\n")
    passes("tw-recycle", "--root", tmp_path)
    (folder / "10-old.conf").write_text("net.ipv4.tcp_tw_recycle = 1\n")
    row = fails("tw-recycle", "note", "--root", tmp_path)
    assert "10-old.conf" in row["value"]
    old = tmp_path / "proc/sys/net/ipv4"
    old.mkdir(parents=True)
    (old / "tcp_tw_recycle").write_text("1\n")  # as a kernel before 4.12 has it
    fails("tw-recycle", "bad", "--root", tmp_path)
    (old / "tcp_tw_recycle").write_text("0\n")
    (folder / "10-old.conf").unlink()
    passes("tw-recycle", "--root", tmp_path)


@in_namespace
def test_fin_timeout():
    passes("fin-timeout")
    sysctl("net.ipv4.tcp_fin_timeout", 15)
    assert "TIME_WAIT still lasts 60 s" in fails("fin-timeout", "note")["value"]
    make_time_wait(PORT, 1)  # and so it does
    result, _ = portkeeper_json("inspect", PORT)
    assert result["sockets"][0]["gone_in_msec"] > 30000


@in_namespace
def test_abort_on_overflow():
    passes("abort-on-overflow")
    sysctl("net.ipv4.tcp_abort_on_overflow", 1)
    fails("abort-on-overflow", "bad")


@in_namespace
def test_max_tw_buckets():
    passes("max-tw-buckets")
    sysctl("net.ipv4.tcp_max_tw_buckets", 20)
    make_time_wait(PORT, 10)
    passes("max-tw-buckets")
    sysctl("net.ipv4.tcp_max_tw_buckets", 11)
    assert "10 TIME_WAIT of at most 11" in fails("max-tw-buckets", "bad")["value"]


@in_namespace
def test_limits():
    def limit(n):
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))

    assert "256 open files" in fails("limits", "bad", preexec_fn=limit(256))["value"]
    passes("limits", preexec_fn=limit(4096))


# ---- the kernel

@in_namespace
def test_seccomp_notify():
    passes("seccomp-notify")
    row = fails("seccomp-notify", "bad", preexec_fn=deny("seccomp", errno.EINVAL))
    assert "5.19" in row["value"]
    fails("seccomp-notify", "bad", preexec_fn=deny("seccomp", errno.EPERM))


@in_namespace
def test_pidfd_getfd():
    passes("pidfd-getfd")
    row = fails("pidfd-getfd", "bad", preexec_fn=deny("pidfd_getfd", errno.ENOSYS))
    assert "5.6" in row["value"]
    fails("pidfd-getfd", "bad", preexec_fn=deny("pidfd_getfd", errno.EPERM))


@in_namespace
def test_pidfd_info():
    row = check("pidfd-info")
    assert row["status"] in ("ok", "note")  # Linux 6.15 has it
    row = fails("pidfd-info", "note", preexec_fn=deny("ioctl", errno.ENOTTY, 0xc040ff0b))
    assert "6.15" in row["value"]
    fails("pidfd-info", "note", preexec_fn=deny("pidfd_open", errno.ENOSYS))


@in_namespace
def test_sock_destroy():
    passes("sock-destroy")
    # It has probed with sockets of its own, and leaves none behind.
    with open("/proc/net/sockstat") as f:
        assert " tw 0 " in f.read()
    done = subprocess.run(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                           binary(), "doctor", "--sample=0"], capture_output=True, text=True,
                          timeout=30)
    assert "not by you: it needs CAP_NET_ADMIN" in done.stdout


@in_namespace
def test_ptrace_scope(tmp_path):
    folder = tmp_path / "proc/sys/kernel/yama"
    folder.mkdir(parents=True)
    for value, status in ((0, "ok"), (1, "ok"), (2, "bad"), (3, "bad")):
        (folder / "ptrace_scope").write_text(f"{value}\n")
        assert check("ptrace-scope", "--root", tmp_path)["status"] == status


# ---- the whole

@in_namespace
def test_every_check_has_a_test_here_and_a_paragraph_in_the_manual():
    result, _ = doctor(PORT)
    ids = [row["id"] for row in result["checks"]]
    tests = [name for name in globals() if name.startswith("test_")]
    page = os.path.join(os.environ.get("PK_SRCDIR") or
                        os.path.join(os.path.dirname(__file__), "..", ".."),
                        "packaging", "man", "portkeeper-doctor.1")
    with open(page) as f:
        manual = re.findall(r"^\.It Cm (\S+)$", f.read(), re.M)
    assert sorted(manual) == sorted(ids)
    for name in ids:
        wanted = "test_" + name.replace("-", "_")
        assert any(t.startswith(wanted) for t in tests), f"no {wanted}"


@in_namespace
def test_a_good_machine_and_port_give_zero():
    server = listen(8080, backlog=4096)
    done = portkeeper("doctor", "--sample=0", 8080)
    assert done.returncode == 0, done
    assert "Nothing must be done" in done.stdout
    assert "✓ ephemeral-range" in done.stdout and "✗" not in done.stdout
    assert "why" in portkeeper("doctor", "--sample=0", "--verbose", 8080).stdout
    server.close()


@in_namespace
def test_without_rights_it_gives_what_it_can():
    def drop():
        os.setgid(65534)
        os.setuid(65534)

    server = listen(PORT)
    try:
        result, done = doctor(PORT, preexec_fn=drop)
    except subprocess.SubprocessError:
        pytest.skip("a user namespace with one user in it has no other to become")
    rows = {row["id"]: row["status"] for row in result["checks"]}
    assert rows["ephemeral-range"] == "bad" and rows["sock-destroy"] == "note"
    done = portkeeper("doctor", "--sample=0", PORT, "--fix", preexec_fn=drop)
    assert done.returncode == 1 and "run it as root" in done.stderr
    server.close()


@in_namespace
def test_bad_arguments_are_usage_errors():
    for args in (("1", "2"), ("--fix",), ("--rate=x", "80"), ("--restart=x", "80"),
                 ("--backlog=-1", "80"), ("--sample=1day",), ("0",),
                 ("--fix", "80", "--root=/")):
        done = portkeeper("doctor", *args)
        assert done.returncode == 2, (args, done)
        assert done.stderr
