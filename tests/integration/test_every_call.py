# SPDX-License-Identifier: MIT
"""every call: portkeeperd is killed at each system call of a start, two crashes and a stop.

strace(1) counts the calls of one such life, then ends portkeeperd with SIGKILL at the n-th
call of each name in turn, while clients connect all the time. Nobody may be refused or reset,
the socket stays the same, and at the end one program runs, or none is left.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import supervised
from netns import binary, in_namespace, wait_until
from supervised import NOTE_SERVER, PORT, Load, Run, ask, ask_again, comm

WRAPPER = """#!/bin/sh
# the first portkeeperd of a run is traced, its successors are not
point=$PK_POINT
unset PK_POINT
if [ -n "$point" ] && [ -z "$PORTKEEPER_SUCCESSOR" ]; then
    # -D: the tracer is a child, so that portkeeperd keeps its pid and its parent
    exec strace -D -qq -o "$0.calls" $point -- "$0.real" "$@"
fi
exec "$0.real" "$@"
"""
# of a name that is called very often, every so-many-th will do
MANY, STRIDE = 30, 3
# LeakSanitizer cannot look for leaks in a process that is traced, and all is slower with it
SANITIZERS = os.environ.get("PK_SANITIZERS") == "yes"
THINNING = 6 if SANITIZERS else 1


def points(calls):
    """What to tell strace, for each call of the life in this file."""
    with open(calls) as f:
        names = [m[1] for line in f if (m := re.match(r"([a-z_0-9]+)\(", line))]
    for name, count in collections.Counter(names).items():
        for n in range(1, count + 1, STRIDE if count > MANY else 1):
            yield f"-e trace={name} -e inject={name}:signal=SIGKILL:when={n}"


def life(point, notes):
    """One life of a service. Returns whether portkeeperd died in it, and what was wrong."""
    with Run("-l", PORT, "-p", "RestartSec=0", "--", NOTE_SERVER, notes,
             env={**os.environ, "PK_POINT": point, "ASAN_OPTIONS": "detect_leaks=0"}) as run:
        pid, cookie = ask_again()
        load = Load(notes, rate=300)
        for _ in range(2):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended with the portkeeperd that was killed

            def another(before=pid):
                answer = ask()
                return answer if answer[0] not in (0, before) else None
            pid, its_cookie = wait_until(another, "another process answers")
            assert its_cookie == cookie
        result = load.stop()
        assert not any(result[k] for k in ("refused", "reset", "timeout", "other")), result
        # two successors may be at work on ending the last one: until it is settled
        wait_until(lambda: [comm(p) for p in run.tree()].count("note-server") == 1)
        run.signal(signal.SIGTERM)
        assert run.wait() in (143, 0), run.said()
        return "starts it again" in run.said()


def running(notes):
    return subprocess.run(["pgrep", "-f", f"note-server {notes}"], stdout=subprocess.PIPE,
                          check=False).stdout


@in_namespace
def test_portkeeperd_may_be_killed_at_every_system_call():
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        built = os.path.dirname(binary())
        shutil.copy(f"{built}/portkeeper", folder)
        shutil.copy(f"{built}/portkeeperd", f"{folder}/portkeeperd.real")
        with open(f"{folder}/portkeeperd", "w") as f:
            f.write(WRAPPER)
        os.chmod(f"{folder}/portkeeperd", 0o755)
        if subprocess.run(["strace", "-qq", "-o", f"{folder}/probe", "true"],
                          check=False, stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip("strace may not trace here")
        supervised.binary = lambda: f"{folder}/portkeeper"  # in this process of ours only
        notes = f"{folder}/notes"
        # a successor is "portkeeperd.real" by name: daemon() is not asked for
        life("-e trace=all", notes)
        deaths = 0
        tried = list(points(f"{folder}/portkeeperd.calls"))[::THINNING]
        for point in tried:
            try:
                deaths += life(point, notes)
            except BaseException:
                print("killed at:", point)
                raise
            wait_until(lambda: not running(notes), f"nothing is left after {point}")
        print(len(tried), "points,", deaths, "deaths")
        # some calls come only now and then; nearly all must have been reached
        assert deaths > 0.8 * len(tried) and len(tried) > 100 / THINNING
