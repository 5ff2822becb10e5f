# SPDX-License-Identifier: MIT
"""container: `portkeeper run` as PID 1 of a process namespace, as an image would start it."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

from netns import binary, wait_until
from supervised import alive, children, comm


class Container:
    """unshare(1) makes the namespaces; the first process in them is `portkeeper run`."""

    def __init__(self, *words):
        if not shutil.which("unshare"):
            pytest.skip("no unshare(1)")
        flags = ["--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
        if os.geteuid() != 0:
            flags.insert(0, "-Ur")
        probe = subprocess.run(["unshare", *flags, "true"], stderr=subprocess.PIPE, text=True)
        if probe.returncode != 0:
            pytest.skip(f"namespaces are forbidden here: {probe.stderr.strip()}")
        self.err = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            ["unshare", *flags, binary(), "run", *map(str, words)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.err, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.said())
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        return os.pread(self.err.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_for(self, pattern):
        return wait_until(lambda: re.search(pattern, self.said()), pattern)

    @property
    def init(self):
        """PID 1, as seen from here."""
        return wait_until(lambda: children(self.process.pid))[0]

    def inside(self):
        found, queue = [], [self.init]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += children(pid)
        return found


@pytest.mark.parametrize("command,status", [
    (["true"], 0), (["sh", "-c", "exit 9"], 9), (["sh", "-c", "kill -9 $$"], 137)])
def test_the_container_ends_with_the_programs_status(command, status):
    with Container("-p", "Restart=no", "--", *command) as c:
        assert c.process.wait(10) == status


def test_sigterm_to_pid_1_stops_the_service():
    with Container("--", "sleep", "1000") as c:
        c.wait_for("as pid")
        os.kill(c.init, signal.SIGTERM)
        assert c.process.wait(10) == 143


def test_orphans_are_reaped():
    text = ("import os, time\n"
            "for i in range(50):\n"
            "    if os.fork() == 0:\n"
            "        if os.fork() == 0: time.sleep(0.01)\n"
            "        os._exit(0)\n"
            "for i in range(50): os.wait()\n"
            "open('/proc/self/comm', 'w').write('waited')\n"
            "time.sleep(1000)")
    with Container("--", sys.executable, "-S", "-c", text) as c:
        c.wait_for("as pid")
        wait_until(lambda: "waited" in map(comm, c.inside()))
        # run, portkeeperd, the program: no zombie is left
        wait_until(lambda: len(c.inside()) == 3)


def test_pid_1_survives_the_death_of_portkeeperd():
    with Container("-l", "49200", "--", "sleep", "1000") as c:
        first = int(c.wait_for(r"as pid (\d+)")[1])
        daemon = wait_until(lambda: children(c.init))[0]
        os.kill(daemon, signal.SIGKILL)
        c.wait_for("still holds 49200")
        second = int(c.wait_for(r"(?s)still holds.*as pid (\d+)")[1])
        assert second != first
        wait_until(lambda: len([p for p in c.inside() if alive(p)]) == 3)
