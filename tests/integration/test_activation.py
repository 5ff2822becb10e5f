# SPDX-License-Identifier: MIT
"""activation: what a program gets, by the rules of sd_listen_fds(3); and real servers with it."""
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.request

import pytest

from netns import in_namespace, listen, wait_until
from supervised import PORT, Run, alive, ask_again, script, server

# Writes what it was given as JSON to the file named by $OUT.
REPORT = r"""
import fcntl, json, os, socket
names = os.environ.get("LISTEN_FDNAMES", "").split(":")
found = []
for i in range(int(os.environ.get("LISTEN_FDS", "0"))):
    s = socket.socket(fileno=3 + i)
    address = s.getsockname()
    if isinstance(address, bytes):
        address = address.decode()
    found.append([s.family.name, s.type.name, address, names[i], os.get_inheritable(3 + i),
                  bool(fcntl.fcntl(3 + i, fcntl.F_GETFL) & os.O_NONBLOCK),
                  s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)])
text = json.dumps({
    "pid": os.getpid(), "fds": found, "environment": dict(os.environ),
    "pidfdid": os.fstat(os.pidfd_open(os.getpid())).st_ino,
    "open": sorted(int(n) for n in os.listdir("/proc/self/fd"))})
with open(os.environ["OUT"] + ".new", "w") as f:
    f.write(text)
os.rename(os.environ["OUT"] + ".new", os.environ["OUT"])
"""


def report(*words, environment=None, **kwargs):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        with Run(*words, "--", *script(REPORT), env={**os.environ, **(environment or {}),
                                                      "OUT": out}, **kwargs) as run:
            assert run.wait() == 0, run.said()
        with open(out) as f:
            return json.load(f)


@in_namespace
def test_the_protocol_of_sd_listen_fds():
    got = report("-n", "web", "-l", PORT)
    environment = got["environment"]
    assert environment["LISTEN_FDS"] == "1"
    assert environment["LISTEN_PID"] == str(got["pid"])
    assert environment["LISTEN_FDNAMES"] == "web"
    assert environment.get("LISTEN_PIDFDID") == str(got["pidfdid"])
    assert len(environment["INVOCATION_ID"]) == 32
    assert "NOTIFY_SOCKET" not in environment
    assert not {"PORTKEEPER_MANAGER_PID", "PORTKEEPER_SUCCESSOR"} & set(environment)
    family, kind, address, _, inheritable, non_blocking, _ = got["fds"][0]
    assert (family, kind, address[:2]) == ("AF_INET6", "SOCK_STREAM", ["::", PORT])
    assert inheritable and not non_blocking
    # 0, 1, 2, the listener, the pidfd of the report and its listing: nothing of ours leaks
    assert got["open"] == [0, 1, 2, 3, 4, 5]


@in_namespace
def test_every_kind_of_address_in_the_order_given():
    with tempfile.TemporaryDirectory() as folder:
        got = report("-l", f"127.0.0.1:{PORT}", "-l", f"[::1]:{PORT}", "-l", f"udp:{PORT}",
                     "-l", f"{folder}/new/stream", "-l", f"unix-dgram:{folder}/dgram",
                     "-l", f"unix-seqpacket:{folder}/packets", "-l", "@abstract",
                     "-p", "SocketMode=0600", "-p", "RemoveOnStop=yes")
        assert not os.path.exists(f"{folder}/new/stream")
    assert [(f[0], f[1], f[2]) for f in got["fds"]] == [
        ("AF_INET", "SOCK_STREAM", ["127.0.0.1", PORT]),
        ("AF_INET6", "SOCK_STREAM", ["::1", PORT, 0, 0]),
        ("AF_INET6", "SOCK_DGRAM", ["::", PORT, 0, 0]),
        ("AF_UNIX", "SOCK_STREAM", f"{folder}/new/stream"),
        ("AF_UNIX", "SOCK_DGRAM", f"{folder}/dgram"),
        ("AF_UNIX", "SOCK_SEQPACKET", f"{folder}/packets"),
        ("AF_UNIX", "SOCK_STREAM", "\0abstract"),
    ]


@in_namespace
def test_multipath_tcp_by_its_directive():
    if not os.path.exists("/proc/sys/net/mptcp/enabled"):
        pytest.skip("this kernel has no MPTCP")
    got = report("-l", PORT, "-p", "SocketProtocol=mptcp")
    assert got["fds"][0][6] == 262


@in_namespace
def test_a_dual_stack_port_serves_both_families():
    with Run("-l", PORT, "--", *server()):
        pid, _ = ask_again(("127.0.0.1", PORT))
        assert ask_again(("::1", PORT))[0] == pid


@in_namespace
def test_a_stale_unix_path_is_taken_and_a_live_one_is_not():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/app.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with Run("-l", path, "-p", "SocketMode=0640", "--", *script("input()"),
                 stdin=subprocess.PIPE) as run:
            run.wait_for("started")
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
            with Run("-l", path, "--", "true") as second:
                assert second.wait() == 125
                assert path in second.said()


@in_namespace
def test_names_and_nonblocking_by_directive():
    got = report("-l", PORT, "-l", f"127.0.0.1:{PORT + 1}", "-p", "FileDescriptorName=http",
                 "-p", "NonBlocking=yes")
    assert got["environment"]["LISTEN_FDNAMES"] == "http:http"
    assert all(f[5] for f in got["fds"])


@in_namespace
def test_an_inherited_descriptor_is_passed_on():
    with listen(PORT) as s:
        fd = fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20)
        got = report("-n", "app", "-l", f"fd:{fd}:given", pass_fds=[fd])
        os.close(fd)
    assert got["fds"][0][2:4] == [["127.0.0.1", PORT], "given"]
    assert fd not in got["open"]


@in_namespace
def test_run_that_was_activated_itself_passes_it_on_with_the_names():
    with listen(PORT) as a, listen(PORT + 1) as b, tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")

        def activate():
            # both out of the way first, then to their places
            fds = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 10) for s in (a, b)]
            for i, fd in enumerate(fds):
                os.dup2(fd, 3 + i)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2",
                              LISTEN_FDNAMES="one:two", OUT=out)
            os.execv(os.path.join(os.environ["PK_BUILDDIR"], "portkeeper"),
                     ["portkeeper", "run", "-q", "--", *script(REPORT)])

        pid = os.fork()
        if pid == 0:
            activate()
        assert os.waitpid(pid, 0)[1] == 0
        with open(out) as f:
            got = json.load(f)
    assert [(f[2][1], f[3]) for f in got["fds"]] == [(PORT, "one"), (PORT + 1, "two")]
    assert got["environment"]["LISTEN_PID"] == str(got["pid"])


@in_namespace
def test_without_listeners_nothing_is_announced():
    got = report()
    assert not [name for name in got["environment"] if name.startswith("LISTEN_")]


@in_namespace
def test_options_of_the_listener_reach_accepted_connections():
    options = ("import os, struct\n"
               "c = s.accept()[0]\n"
               "o = c.getsockopt\n"
               "seen = [o(socket.SOL_SOCKET, socket.SO_KEEPALIVE),\n"
               "        o(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),\n"
               "        o(socket.IPPROTO_TCP, 18),\n"
               "        list(struct.unpack('ii', o(socket.SOL_SOCKET, socket.SO_LINGER, 8)))]\n"
               "c.sendall((repr(seen) + '\\n').encode())\n")
    with Run("-l", PORT, "-p", "KeepAlive=yes", "-p", "KeepAliveTimeSec=33",
             "-p", "UserTimeoutSec=1500ms", "-p", "Linger=reset", "--",
             *server(options)) as run:
        run.wait_for("started")
        with socket.create_connection(("127.0.0.1", PORT), 10) as c:
            assert c.makefile().readline() == "[1, 33, 1500, [1, 0]]\n"


# ---- servers that Debian ships, as they are

def get(port=PORT, seconds=10):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=seconds) as answer:
        return answer.read()


def first_get():
    def attempt():
        try:
            return get()
        except OSError:
            return None
    return wait_until(attempt, "the first answer", 20)


@in_namespace
def test_gunicorn_master_killed_five_times_is_served_by_a_new_one_each_time():
    if not shutil.which("gunicorn"):
        pytest.skip("gunicorn is not installed")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/app.py", "w") as f:
            f.write("import os\n"
                    "def app(environ, start):\n"
                    "    start('200 OK', [])\n"
                    "    return [str(os.getppid()).encode()]\n")
        with Run("-l", PORT, "--", shutil.which("gunicorn"), "-w", "2", "app:app",
                 cwd=folder) as run:
            master = int(first_get())
            for i in range(5):
                os.kill(master, signal.SIGKILL)
                run.wait_for(f"restart {i + 1} at once")
                answer = int(get())  # neither refused nor reset: it waits
                assert answer != master and not alive(master)
                master = answer
            assert run.process.poll() is None


@in_namespace
def test_nginx_with_its_own_way_of_inheriting_survives_kills_of_its_master():
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx:
        pytest.skip("nginx is not installed")
    with open("/proc/self/setgroups") as f:
        if f.read().strip() == "deny":
            pytest.skip("nginx sets its groups, which this user namespace forbids")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/nginx.conf", "w") as f:
            f.write(f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 2;\n"
                    "events {}\n"
                    f"http {{ access_log off; client_body_temp_path {folder}/body;\n"
                    f"  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;\n"
                    f"  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n"
                    f"  server {{ listen 127.0.0.1:{PORT}; return 200 $pid; }} }}\n")
        with Run("-l", f"127.0.0.1:{PORT}", "-p", "Environment=NGINX=3;", "--", nginx, "-c",
                 f"{folder}/nginx.conf", "-e", "stderr") as run:
            worker = int(first_get())
            for i in range(5):
                os.kill(run.main(), signal.SIGKILL)
                run.wait_for(f"restart {i + 1} at once")
                answer = int(get())
                assert answer != worker and not alive(worker), "the old worker still answers"
                worker = answer


@in_namespace
def test_systemds_own_reader_of_the_protocol_agrees():
    code = ("import ctypes\n"
            "sd = ctypes.CDLL('libsystemd.so.0')\n"
            f"assert sd.sd_listen_fds(0) == 2, 'sd_listen_fds'\n"
            f"assert sd.sd_is_socket_inet(3, 0, 1, 1, {PORT}) > 0, 'sd_is_socket_inet'\n"
            "assert sd.sd_is_socket_unix(4, 1, 1, b'\\0pk', 3) > 0, 'sd_is_socket_unix'\n")
    with Run("-l", PORT, "-l", "@pk", "-p", "Restart=no", "--", sys.executable, "-c",
             code) as run:
        assert run.wait() == 0, run.said()
