# SPDX-License-Identifier: MIT
"""restart: which end is followed by a restart, how soon, and what clients meet meanwhile."""
import os
import re
import signal
import socket

import pytest

from netns import in_namespace, inspect, wait_until
from supervised import PORT, Run, alive, ask, ask_again, script, server

EXIT_0, EXIT_1, SEGV, TERM = "exit 0", "exit 1", "kill -SEGV $$", "kill -TERM $$"

# The table of Restart= in systemd.service(5).
TABLE = [
    ("no", set()),
    ("always", {EXIT_0, EXIT_1, SEGV, TERM}),
    ("on-success", {EXIT_0, TERM}),
    ("on-failure", {EXIT_1, SEGV}),
    ("on-abnormal", {SEGV}),
    ("on-abort", {SEGV}),
    ("on-watchdog", set()),
]


def ends(run, seconds=10):
    """'restart' when it is restarted, else the exit status of run."""
    def look():
        if re.search(r"restart 1 ", run.said()):
            return "restart"
        status = run.process.poll()
        return None if status is None else str(status)
    return wait_until(look, "a restart or the end", seconds)


@pytest.mark.parametrize("mode,causes", TABLE, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("cause", [EXIT_0, EXIT_1, SEGV, TERM])
def test_restart_follows_the_table_of_systemd(mode, causes, cause):
    with Run("-p", f"Restart={mode}", "--", "sh", "-c", cause) as run:
        status = {EXIT_0: "0", EXIT_1: "1", SEGV: "139", TERM: "143"}[cause]
        assert ends(run) == ("restart" if cause in causes else status)


@pytest.mark.parametrize("directive,command,want", [
    ("SuccessExitStatus=3 SIGKILL", "exit 3", "3"),
    ("SuccessExitStatus=3 SIGKILL", "kill -KILL $$", "137"),
    ("SuccessExitStatus=TEMPFAIL", "exit 75", "75"),
    ("RestartPreventExitStatus=4", "exit 4", "4"),
    ("RestartPreventExitStatus=SIGABRT", "kill -ABRT $$", "134"),
    ("RestartForceExitStatus=0", "exit 0", "restart"),
])
def test_exit_statuses_override_the_table(directive, command, want):
    with Run("-p", directive, "--", "sh", "-c", command) as run:
        assert ends(run) == want


@in_namespace
def test_a_start_limit_pauses_with_the_port_held():
    with Run("-l", PORT, "-p", "RestartSec=0", "-p", "StartLimitBurst=3", "-p",
             "StartLimitIntervalSec=1h", "--", *script("raise SystemExit(1)")) as run:
        run.wait_for(r"too many starts, so restart 3 in 5\d min")
        assert [s["state"] for s in inspect(PORT)["sockets"]] == ["LISTEN"]
        with socket.create_connection(("127.0.0.1", PORT), 5):
            pass
        assert run.process.poll() is None


@in_namespace
def test_a_pause_ends_when_the_interval_has_room_again():
    with Run("-l", PORT, "-p", "RestartSec=0", "-p", "StartLimitBurst=2", "-p",
             "StartLimitIntervalSec=300ms", "--", *script("raise SystemExit(1)")) as run:
        run.wait_for(r"restart 2 in \d+ ms")
        run.wait_for(r"restart 4 in ")


@in_namespace
def test_while_down_refuse_refuses_and_the_next_start_serves_again():
    with Run("-l", PORT, "-p", "WhileDown=refuse", "-p", "RestartSec=2s", "--",
             *server()) as run:
        pid, cookie = ask_again()
        os.kill(pid, signal.SIGKILL)
        run.wait_for("restart 1 in 2.0 s|restart 1 in 2 s")
        with pytest.raises(ConnectionRefusedError):
            ask()
        # nobody else can take the port meanwhile
        for reuse in (0, 1):
            with socket.socket(socket.AF_INET6) as thief:
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                with pytest.raises(OSError):
                    thief.bind(("::", PORT))
                    thief.listen()

        def served():
            try:
                return ask()
            except ConnectionRefusedError:
                return None
        new, its_cookie = wait_until(served)
        assert new not in (0, pid) and its_cookie == cookie


@in_namespace
def test_while_down_hold_lets_clients_wait():
    with Run("-l", PORT, "-p", "RestartSec=500ms", "--", *server()) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        run.wait_for("restart 1 in 500 ms")
        assert ask()[0] not in (0, pid)


def test_restart_steps_grow_to_the_longest_delay():
    with Run("-p", "RestartSec=10ms", "-p", "RestartSteps=3", "-p", "RestartMaxDelaySec=80ms",
             "--", "false") as run:
        run.wait_for("restart 6 in")
        delays = re.findall(r"restart \d in (\d+) ms", run.said())[:6]
    # each a factor of two longer; whole milliseconds are shown
    assert [int(d) for d in delays[3:]] == [80, 80, 80]
    assert int(delays[0]) == 10 and 19 <= int(delays[1]) <= 20 and 39 <= int(delays[2]) <= 40


def test_the_randomized_delay_stays_below_its_limit():
    with Run("-p", "RestartSec=10ms", "-p", "RestartRandomizedDelaySec=40ms", "--",
             "false") as run:
        run.wait_for("restart 12 in")
        delays = [int(d) for d in re.findall(r"restart \d+ in (\d+) ms", run.said())]
    assert all(10 <= d <= 50 for d in delays) and len(set(delays)) > 1


@in_namespace
def test_a_program_that_vanished_is_started_when_it_is_back(tmp_path=None):
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(shutil.which("sleep"), folder)
        with Run("-l", PORT, "-p", "RestartSec=50ms", "--", copy, "1000") as run:
            run.wait_for("as pid")
            os.rename(copy, copy + ".away")
            os.kill(run.main(), signal.SIGKILL)
            run.wait_for(r"cannot start '.*execve.*No such file.*restart 2 in")
            assert [s["state"] for s in inspect(PORT)["sockets"]] == ["LISTEN"]
            os.rename(copy + ".away", copy)
            wait_until(lambda: alive(run.main()))
