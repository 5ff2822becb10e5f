# SPDX-License-Identifier: MIT
"""log: what `portkeeper run` says, and that nobody can stop it by not listening."""
import json
import os
import signal
import subprocess

from netns import in_namespace, wait_until
from supervised import PORT, Run, ask, ask_again, script, server


def fill(read_end):
    """Fills the pipe to the last byte; the descriptor that did it has to be closed."""
    filler = os.open(f"/proc/self/fd/{read_end}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(filler, b"x" * 4096)
    except BlockingIOError:
        return filler


@in_namespace
def test_one_line_says_why_how_long_who_waits_and_what_is_next():
    with Run("-n", "web", "-l", PORT, "-p", "RestartSec=300ms", "--",
             *server("import time; time.sleep(0.3)")) as run:
        pid = run.main()
        # nobody accepts yet: three clients wait in the queue
        import socket
        clients = [socket.create_connection(("127.0.0.1", PORT), 5) for _ in range(3)]
        os.kill(pid, signal.SIGSEGV)
        run.wait_for(r"web: killed by SIGSEGV( \(core dumped\))? after \d+ ms; "
                     r"3 clients are waiting; restart 1 in 300 ms")
        for c in clients:
            c.settimeout(10)
            assert c.recv(1)
            c.close()


@in_namespace
def test_quiet_says_only_what_went_wrong_and_verbose_every_change_of_state():
    with Run("-q", "-l", PORT, "--", *server()) as run:
        pid, _ = ask_again()
        assert run.said() == ""
        os.kill(pid, signal.SIGKILL)
        run.wait_for("killed by SIGKILL .*\n")
        assert len(run.said().splitlines()) == 1
    with Run("-v", "-l", PORT, "--", *server()) as run:
        ask_again()
        assert "changed down -> up" in run.said()


@in_namespace
def test_json_lines_are_json():
    with Run("-n", 'quo"te', "--log-format", "json", "-l", PORT, "--", *server()) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        ask_again(but=pid)
        os.kill(run.daemon(), signal.SIGKILL)
        run.wait_for("still holds")
        run.signal(signal.SIGTERM)
        run.wait()
        lines = [json.loads(line) for line in run.said().splitlines()]
    assert {"time", "level", "service", "message"} <= set(lines[0])
    assert lines[0]["service"] == 'quo"te'
    assert {"info", "warning"} <= {line["level"] for line in lines}


@in_namespace
def test_a_log_that_nobody_reads_blocks_nothing():
    read_end, write_end = os.pipe()
    with Run("-l", PORT, "-p", "RestartSec=0", "--", *server(), stderr=write_end) as run:
        os.close(write_end)
        pid, _ = ask_again()
        os.set_blocking(read_end, False)
        # fill the pipe to the last byte; the program writes nothing
        filler = fill(read_end)
        for _ in range(3):
            os.kill(pid, signal.SIGKILL)
            pid, _ = ask_again(but=pid)
        while True:
            try:
                if not os.read(read_end, 65536):
                    break
            except BlockingIOError:
                break
        os.kill(pid, signal.SIGKILL)
        ask_again(but=pid)

        def told():
            try:
                return b"3 lines lost" in os.read(read_end, 65536)
            except BlockingIOError:
                return False
        wait_until(told)
        os.close(filler)
    os.close(read_end)


@in_namespace
def test_a_log_that_is_closed_stops_nothing():
    read_end, write_end = os.pipe()
    os.close(read_end)
    with Run("-l", PORT, "--", *server(), stderr=write_end) as run:
        os.close(write_end)
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        ask_again(but=pid)
        daemon = run.daemon()
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: run.daemon() != daemon)
        assert ask()[0] and run.process.poll() is None


@in_namespace
def test_a_log_that_nobody_reads_does_not_keep_portkeeperd_from_coming_back():
    read_end, write_end = os.pipe()
    with Run("-l", PORT, "--", *server(), stderr=write_end) as run:
        pid, _ = ask_again()
        filler = fill(read_end)
        os.kill(run.daemon(), signal.SIGKILL)
        ask_again(but=pid)
        os.close(filler)
        os.close(write_end)
    os.close(read_end)


def test_the_program_has_the_standard_streams_of_run():
    with Run("--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        out, _ = run.process.communicate(b"through\n", 10)
        assert out == b"through\n" and run.process.returncode == 0
