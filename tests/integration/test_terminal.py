# SPDX-License-Identifier: MIT
"""terminal: Ctrl-C, Ctrl-Z and input, on a real pseudo-terminal."""
import os
import pty
import re
import select
import signal
import sys

from netns import binary, wait_until
from supervised import alive, children

CTRL_C, CTRL_Z, CTRL_BACKSLASH = b"\x03", b"\x1a", b"\x1c"


class Terminal:
    """A command on a terminal of its own, as a shell would start it."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)
        self.text = b""
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.text.decode(errors="replace"))
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.wait(5)
            except AssertionError:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds=0.01):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.text += os.read(self.fd, 65536)
            except OSError:  # EIO: the other side is closed
                return False
        return True

    def wait_for(self, pattern, seconds=10):
        def look():
            self.read()
            return re.search(pattern, self.text.decode(errors="replace"))
        return wait_until(look, pattern, seconds)

    def type(self, data):
        os.write(self.fd, data)

    def wait(self, seconds=10):
        def look():
            self.read()
            if self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
            return self.status is not None
        wait_until(look, "the end", seconds)
        while self.read(0) and select.select([self.fd], [], [], 0)[0]:
            pass
        return self.status


def run(*words):
    return Terminal(binary(), "run", *words)


def python(text):
    return [sys.executable, "-S", "-c", text]


def test_ctrl_c_ends_a_program_that_dies_of_it_and_does_not_restart_it():
    for _ in range(10):  # the race between the program's death and our signal
        with run("-p", "Restart=always", "--", "sleep", "1000") as t:
            t.wait_for(r"as pid \d+")
            t.type(CTRL_C)
            assert t.wait() == 130
            assert b"restart 1" not in t.text


def test_ctrl_c_ends_a_program_that_exits_with_a_failure_of_its_own():
    text = ("import os, signal\n"
            "signal.signal(signal.SIGINT, lambda *_: os._exit(1))\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()")
    for _ in range(10):
        with run("--", *python(text)) as t:
            t.wait_for("ready")
            t.type(CTRL_C)
            assert t.wait() == 1
            assert b"restart 1" not in t.text


def test_a_program_that_really_fails_is_restarted_on_a_terminal_too():
    with run("--", "sh", "-c", "exit 3") as t:
        t.wait_for("exited with status 3 .*restart 1 at once")


def test_one_ctrl_c_stops_in_order_and_a_second_kills():
    text = ("import signal\n"
            "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            "signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()")
    with run("--", *python(text)) as t:
        t.wait_for("ready")
        t.type(CTRL_C)
        t.wait_for("asked")
        assert alive(t.pid)
        t.type(CTRL_C)
        assert t.wait() == 137


def test_ctrl_backslash_stops_too():
    with run("--", "sh", "-c", "ulimit -c 0; exec sleep 1000") as t:
        t.wait_for(r"as pid \d+")
        t.type(CTRL_BACKSLASH)
        assert t.wait() == 131
        assert b"restart 1" not in t.text


def test_what_is_typed_reaches_the_program_also_after_a_restart():
    text = "import sys\nprint('ready', flush=True)\nfor l in sys.stdin: print('got', l, flush=True)"
    with run("--", *python(text)) as t:
        pid = int(t.wait_for(r"as pid (\d+)")[1])
        t.wait_for("ready")
        t.type(b"one\n")
        t.wait_for("got one")
        os.kill(pid, signal.SIGKILL)
        t.wait_for("ready(.|\n)*ready")
        t.type(b"two\n")
        t.wait_for("got two")


def test_job_control_stops_and_continues_all_of_it_in_a_real_shell():
    shell = Terminal("/bin/bash", "--norc", "--noprofile", "-i")
    with shell as t:
        t.type(b"PS1='$ '; " + f"{binary()} run -q -- cat\n".encode())
        cat = wait_until(lambda: t.read() and [
            p for a in children(t.pid) for b in children(a) for p in children(b)])[0]
        t.type(b"hello\n")
        t.wait_for("hello\r\nhello")
        t.type(CTRL_Z)
        t.wait_for("Stopped")

        def state():
            with open(f"/proc/{cat}/stat") as f:
                return f.read().rpartition(")")[2].split()[0]
        wait_until(lambda: state() == "T")
        t.type(b"fg\n")
        wait_until(lambda: state() != "T")
        t.type(b"again\n")
        t.wait_for("again\r\nagain")
        t.type(b"\x04")  # end of file: cat ends well, and run with it
        t.type(b"echo status $?\n")
        t.wait_for("status 0")
        t.type(b"exit\n")
        t.wait()


def test_a_closed_terminal_ends_the_service():
    t = run("--", "sleep", "1000")
    pid = int(t.wait_for(r"as pid (\d+)")[1])
    os.close(t.fd)
    os.waitpid(t.pid, 0)
    wait_until(lambda: not alive(pid))
