# SPDX-License-Identifier: MIT
"""netns: tests that own a whole network.

A test marked with @in_namespace runs in a child process with a network namespace of its own
(as root, or as root of a user namespace where that is allowed), so that ports, TIME_WAIT
sockets and sysctls are its own, and nothing of it survives it. Where namespaces are forbidden
the test is skipped and says so. Nothing here sleeps for a fixed time: wait_until() polls a
condition and has a bound.
"""
import atexit
import ctypes
import fcntl
import functools
import json
import os
import pickle
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import pytest

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
TEST_SECONDS = 90
WAIT_SECONDS = 10

libc = ctypes.CDLL(None, use_errno=True)


class Forbidden(Exception):
    pass


def unshare(flags):
    if libc.unshare(flags) != 0:
        raise Forbidden(f"unshare: {os.strerror(ctypes.get_errno())}")


def lo_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack_from("16sh", fcntl.ioctl(s, 0x8913, request))[1]
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


def enter_namespace():
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        unshare(CLONE_NEWNET)
    else:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        try:
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                               ("gid_map", f"0 {gid} 1")):
                with open(f"/proc/self/{name}", "w") as f:
                    f.write(text)
        except OSError as e:
            raise Forbidden(f"user namespace: {e}") from e
    lo_up()
    # Over loopback, with two CPUs, a late segment now and then draws a RST that ends a TIME_WAIT
    # (about one in a thousand, seen on Linux 6.18); with this setting RSTs do not (RFC 1337).
    with open("/proc/sys/net/ipv4/tcp_rfc1337", "w") as f:
        f.write("1")


def child(function, args, kwargs, result):
    outcome = ("ok", "")
    try:
        os.setpgid(0, 0)
        enter_namespace()
        function(*args, **kwargs)
    except Forbidden as e:
        outcome = ("skip", f"no network namespace here: {e}")
    except pytest.skip.Exception as e:
        outcome = ("skip", str(e))
    except BaseException:
        outcome = ("fail", traceback.format_exc())
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(result, pickle.dumps(outcome))


def in_namespace(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        binary()  # here, where a copy that it makes is removed at the end
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            child(function, args, kwargs, write_end)
            os._exit(0)
        os.close(write_end)
        ready, _, _ = select.select([read_end], [], [], TEST_SECONDS)
        data = os.read(read_end, 1 << 20) if ready else b""
        os.close(read_end)
        # The group is the test's own; helpers that it started end with it.
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(pid, 0)
        if not data:
            pytest.fail("no result from the test's process within "
                        f"{TEST_SECONDS} s, or it died")
        what, text = pickle.loads(data)
        if what == "skip":
            pytest.skip(text)
        if what == "fail":
            pytest.fail(text, pytrace=False)

    return wrapper


# ---- the program under test

def is_for_everybody(path):
    """Whether a user without rights may come to this file."""
    while path != "/":
        if not os.stat(path).st_mode & 1:
            return False
        path = os.path.dirname(path)
    return True


@functools.cache
def binary():
    """The portkeeper of the build, or a copy where another user could not reach that."""
    path = os.path.abspath(os.path.join(os.environ.get("PK_BUILDDIR", "."), "portkeeper"))
    if not os.access(path, os.X_OK):
        pytest.skip(f"no {path}: set PK_BUILDDIR")
    if is_for_everybody(path):
        return path
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, True)
    os.chmod(folder, 0o755)
    for name in ("portkeeper", "portkeeperd"):
        if os.path.exists(os.path.join(os.path.dirname(path), name)):
            shutil.copy(os.path.join(os.path.dirname(path), name), folder)
    return os.path.join(folder, "portkeeper")


def portkeeper(*args, **kwargs):
    """Runs it to its end; stdout and stderr are text."""
    return subprocess.run([binary(), *map(str, args)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, **kwargs)


def portkeeper_json(*args, **kwargs):
    done = portkeeper(*args, "--json", **kwargs)
    try:
        return json.loads(done.stdout), done
    except json.JSONDecodeError as e:
        raise AssertionError(f"no JSON: {done}") from e


def inspect(port):
    result, done = portkeeper_json("inspect", port)
    assert done.returncode == 0, done
    return result


def states(port):
    """How many sockets of each state are on the TCP port: {"TIME_WAIT": 3}."""
    counts = {}
    for s in inspect(port)["sockets"]:
        if s["protocol"] == "tcp":
            counts[s["state"]] = counts.get(s["state"], 0) + 1
    return counts


def wait_until(condition, what="", seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.01)


# ---- scenes

def sysctl(name, value=None):
    path = "/proc/sys/" + name.replace(".", "/")
    if value is not None:
        with open(path, "w") as f:
            f.write(str(value))
    with open(path) as f:
        return f.read().strip()


def can_bind(port, address="0.0.0.0", reuse=False):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as s:
        if reuse:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
        except OSError:
            return False
        return True


def listen(port, address="127.0.0.1", reuse=False, backlog=16):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(backlog)
    return s


def connect(port, address="127.0.0.1"):
    return socket.create_connection((address, port), timeout=WAIT_SECONDS)


def make_time_wait(port, n=3, reuse=False, address="127.0.0.1"):
    """n TIME_WAIT sockets of a server that is gone."""
    with listen(port, address, reuse, n) as server:
        clients = [connect(port, address) for _ in range(n)]
        accepted = [server.accept()[0] for _ in range(n)]
    for s in accepted:
        s.close()
    for c in clients:
        assert c.recv(1) == b""
        c.close()
    wait_until(lambda: states(port).get("TIME_WAIT") == n, "TIME_WAIT")


SERVER = r"""
import socket, sys
port = int(sys.argv[1])
reuse = "reuse" in sys.argv
while True:
    s = socket.socket()
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("0.0.0.0", port))
        break
    except OSError:
        s.close()
        port += 1
s.listen(16)
print(port, flush=True)
held = []
while True:
    held.append(s.accept()[0])
    print("accepted", flush=True)
"""


class Server:
    """The seed's program: it takes the next port if its own is in use."""

    def __init__(self, port, *words):
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, str(port), *words],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    @property
    def pid(self):
        return self.process.pid

    def connect(self, n):
        clients = [connect(self.port) for _ in range(n)]
        for _ in range(n):
            assert self.process.stdout.readline() == "accepted\n"
        return clients

    def crash(self):
        self.process.kill()
        self.process.wait()


# ---- a kernel that can do less

SYSCALLS = {
    "x86_64": {"ioctl": 16, "seccomp": 317, "pidfd_open": 434, "pidfd_getfd": 438},
    "aarch64": {"ioctl": 29, "seccomp": 277, "pidfd_open": 434, "pidfd_getfd": 438},
}


def deny(name, error, second_argument=None):
    """A preexec_fn: the system call fails with `error` (only with that second argument)."""
    numbers = SYSCALLS.get(os.uname().machine)
    if numbers is None:
        pytest.skip(f"no system call numbers for {os.uname().machine} here")

    def instruction(code, yes, no, k):
        return struct.pack("HBBI", code, yes, no, k)

    load, equal, give = 0x20, 0x15, 0x06
    program = instruction(load, 0, 0, 0)
    if second_argument is None:
        program += instruction(equal, 0, 1, numbers[name])
    else:
        program += instruction(equal, 0, 3, numbers[name])
        program += instruction(load, 0, 0, 24)  # args[1], its lower half
        program += instruction(equal, 0, 1, second_argument)
    program += instruction(give, 0, 0, 0x00050000 | error)
    program += instruction(give, 0, 0, 0x7fff0000)

    def apply():
        buffer = ctypes.create_string_buffer(program)
        header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.create_string_buffer(header), 0, 0) == 0

    return apply
