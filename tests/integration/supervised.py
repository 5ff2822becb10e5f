# SPDX-License-Identifier: MIT
"""supervised: a `portkeeper run` under test, and programs for it to run."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile

from netns import binary, wait_until

PORT = 49200
HELPERS = os.path.join(os.environ.get("PK_BUILDDIR", "."), "tests", "helpers")
NOTE_SERVER = os.path.join(HELPERS, "note-server")
LOAD = os.path.join(HELPERS, "load")

# Answers each connection with its pid and the listener's SO_COOKIE (57).
SERVER = r"""
import os, socket, struct
s = socket.socket(fileno=3)
cookie = struct.unpack("Q", s.getsockopt(socket.SOL_SOCKET, 57, 8))[0]
{setup}
while True:
    try:
        c = s.accept()[0]
    except BlockingIOError:
        continue
    c.sendall(f"{{os.getpid()}} {{cookie}}\n".encode())
    c.close()
"""


def server(setup=""):
    """The command line of a Python server that does `setup` first."""
    return [sys.executable, "-S", "-c", SERVER.format(setup=setup)]


def script(text):
    return [sys.executable, "-S", "-c", text]


def alive(pid):
    """Neither gone nor a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def ask(address=("127.0.0.1", PORT), seconds=10):
    """One connection: (pid, cookie) of who answers, both 0 if the server died with it."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(seconds)
        s.connect(address)
        try:
            words = s.makefile().readline().split()
        except ConnectionResetError:
            words = []
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)


def ask_again(address=("127.0.0.1", PORT), but=0):
    """The same until a living server answers whose pid is not `but`.

    Only who asks for the first answer of all (`but` is 0) may be refused meanwhile.
    """
    def attempt():
        try:
            answer = ask(address)
        except ConnectionRefusedError:
            assert but == 0, "refused"
            return None
        return answer if answer[0] not in (0, but) else None
    return wait_until(attempt, f"an answer of somebody else than {but}")


class Run:
    """portkeeper run OPTIONS -- COMMAND, its messages in a file."""

    def __init__(self, *words, **kwargs):
        self.err = tempfile.TemporaryFile("w+")
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.DEVNULL)
        kwargs.setdefault("stderr", self.err)
        # a session of its own: no terminal of whoever runs the tests plays a part
        kwargs.setdefault("start_new_session", True)
        self.process = subprocess.Popen([binary(), "run", *map(str, words)], **kwargs)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print("---- portkeeper run said\n" + self.said())
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in [self.process.pid, *self.tree()]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.wait()
                if not kind:
                    raise AssertionError("did not stop: " + self.said())

    @property
    def pid(self):
        return self.process.pid

    def said(self):
        # pread, for the offset is shared with the processes that write
        return os.pread(self.err.fileno(), 1 << 24, 0).decode(errors="replace")

    def wait_for(self, pattern, seconds=10):
        return wait_until(lambda: re.search(pattern, self.said()), pattern, seconds)

    def wait(self, seconds=15):
        return self.process.wait(seconds)

    def daemon(self):
        def find():
            found = [p for p in children(self.pid) if comm(p) == "portkeeperd" and alive(p)]
            return found[0] if len(found) == 1 else None
        return wait_until(find, "one portkeeperd")

    def tree(self):
        """All pids below that live."""
        found, queue = [], [self.pid]
        while queue:
            below = children(queue.pop())
            found += filter(alive, below)
            queue += below
        return found

    def main(self):
        """The pid of the one process that portkeeperd runs."""
        def find():
            found = [p for p in children(self.daemon()) if alive(p)]
            return found[0] if len(found) == 1 else None
        return wait_until(find, "one main process")

    def signal(self, number):
        self.process.send_signal(number)


class Load:
    """Connects all the time; stop() gives the counts."""

    def __init__(self, notes, rate=600, port=PORT):
        self.process = subprocess.Popen([LOAD, "127.0.0.1", str(port), str(rate), notes],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "connecting\n"

    def stop(self):
        self.process.terminate()
        return json.loads(self.process.communicate(timeout=40)[0])


def wait_dead(pid):
    """Until the process is really dead: its pidfd is readable then."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([fd], [], [], 10)
        assert ready, f"{pid} does not die"
    finally:
        os.close(fd)
