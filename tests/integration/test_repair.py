# SPDX-License-Identifier: MIT
"""repair: what a program does to the held listener is mended; nobody else repairs it."""
import os
import signal
import socket
import tempfile

import pytest

from netns import in_namespace, inspect, wait_until
from supervised import PORT, Run, ask, ask_again, server


def queue_limit():
    limits = [s["queue_limit"] for s in inspect(PORT)["sockets"] if s["state"] == "LISTEN"]
    return limits[0] if len(limits) == 1 else None


@in_namespace
def test_nonblocking_mode_left_by_the_last_program_is_gone_for_the_next():
    # the first one leaves O_NONBLOCK behind, the second one tells what it finds
    setup = ("import fcntl\n"
             "flag = bool(fcntl.fcntl(3, fcntl.F_GETFL) & os.O_NONBLOCK)\n"
             "cookie = int(flag)\n"
             "fcntl.fcntl(3, fcntl.F_SETFL, os.O_NONBLOCK)\n")
    with Run("-l", PORT, "--", *server(setup)):
        first, flag = ask_again()
        assert flag == 0
        os.kill(first, signal.SIGKILL)
        assert ask_again(but=first)[1] == 0


@in_namespace
def test_a_shortened_queue_is_long_again_soon_and_at_once_after_a_crash():
    setup = "s.listen(5)"
    with Run("-l", PORT, "-p", "Backlog=200", "--", *server(setup)) as run:
        pid, _ = ask_again()
        run.wait_for(r"shortened the queue of 49200: put back to 200")
        wait_until(lambda: queue_limit() == 200)
    with Run("-l", PORT, "-p", "Backlog=200", "-p", "RestartSec=1h", "--",
             *server(setup)) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        run.wait_for("restart 1 in")
        assert queue_limit() == 200


@in_namespace
def test_many_clients_of_a_gap_fit_although_the_program_asked_for_five():
    with Run("-l", PORT, "-p", "RestartSec=300ms", "--", *server("s.listen(5)")) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        run.wait_for("restart 1 in")
        clients = []
        for _ in range(100):
            c = socket.create_connection(("127.0.0.1", PORT), 5)
            clients.append(c)
        for c in clients:
            c.settimeout(10)
            assert int(c.makefile().readline().split()[0]) != pid
            c.close()


@in_namespace
def test_a_listener_that_was_shut_down_listens_again_at_once():
    # the first program shuts it down and goes on; the marker says that it has
    with tempfile.TemporaryDirectory() as folder:
        setup = ("s.accept()[0].sendall(b'1 1\\n')\n"
                 "s.shutdown(socket.SHUT_RDWR)\n"
                 f"open('{folder}/done', 'w').close()\n")
        with Run("-l", PORT, "--", *server(setup)) as run:
            ask_again()
            wait_until(lambda: os.path.exists(f"{folder}/done"))
            run.wait_for("was shut down by the program: listens again")
            inode = {s["inode"] for s in inspect(PORT)["sockets"] if s["state"] == "LISTEN"}
            assert len(inode) == 1
            with socket.create_connection(("127.0.0.1", PORT), 5):
                pass


@in_namespace
def test_a_unix_listener_that_was_shut_down_is_made_anew():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/app.sock"
        shut = "if not os.path.exists({0!r}):\n    open({0!r}, 'w').close()\n" \
               "    s.shutdown(socket.SHUT_RDWR)\n    import time; time.sleep(1000)\n"
        with Run("-l", path, "--", *server(shut.format(f"{folder}/done"))) as run:
            run.wait_for("for good on a Unix socket: made anew")
            os.kill(run.main(), signal.SIGKILL)
            with socket.socket(socket.AF_UNIX) as c:
                c.settimeout(10)
                c.connect(path)
                assert int(c.makefile().readline().split()[0]) == run.main()


@in_namespace
def test_an_intact_listener_is_not_reported():
    with Run("-l", PORT, "--", *server()) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        ask_again(but=pid)
        run.signal(signal.SIGTERM)
        run.wait()
        assert "shut down" not in run.said() and "shortened" not in run.said()
