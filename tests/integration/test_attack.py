# SPDX-License-Identifier: MIT
"""attack: what went wrong once, when it was attacked: each test names what it was."""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from netns import binary, in_namespace, inspect, wait_until
from supervised import (PORT, Run, alive, ask, ask_again, children, comm, script, server,
                        wait_dead)

DEAD_AT_ONCE = "#!/bin/sh\nkill -9 $$\n"


class OwnDaemon(Run):
    """portkeeper run of a private copy, whose portkeeperd is what the test puts there."""

    def __init__(self, folder, *words, wrapper=None):
        self.folder = folder
        built = os.path.dirname(os.path.realpath(binary()))
        for name in ("portkeeper", "portkeeperd"):
            shutil.copy(os.path.join(built, name), folder)
        if wrapper:
            os.rename(f"{folder}/portkeeperd", f"{folder}/portkeeperd-real")
            self.replace_daemon(wrapper)
        super().__init__(*words, executable=f"{folder}/portkeeper")

    def replace_daemon(self, text):
        with open(f"{self.folder}/new", "w") as f:
            f.write(text)
        os.chmod(f"{self.folder}/new", 0o755)
        os.rename(f"{self.folder}/new", f"{self.folder}/portkeeperd")


# ---- run, and a portkeeperd that dies

def test_a_stop_that_comes_before_portkeeperd_looks_is_not_lost():
    # SIGTERM killed a portkeeperd that had no handler yet, and run started another
    wrapper = (f"#!{sys.executable} -S\nimport os, sys, time\n"
               "os.write(2, b'starts\\n'); time.sleep(0.5)\n"
               "os.execv(sys.argv[0] + '-real', sys.argv)\n")
    with tempfile.TemporaryDirectory() as folder, \
            OwnDaemon(folder, "--", "sleep", "1000", wrapper=wrapper) as run:
        run.wait_for("starts")
        run.signal(signal.SIGTERM)
        run.wait()
        assert "starts it again" not in run.said()


@in_namespace
def test_a_stop_that_reaches_a_dying_portkeeperd_is_passed_to_its_successor():
    # the signal went to the zombie, and the successor knew of no stop
    with Run("-l", PORT, "--", *server()) as run:
        main, _ = ask_again()
        daemon = run.daemon()
        run.signal(signal.SIGSTOP)
        os.kill(daemon, signal.SIGKILL)
        wait_dead(daemon)
        run.signal(signal.SIGTERM)
        run.signal(signal.SIGCONT)
        run.wait()
        assert not alive(main)
        assert not [s for s in inspect(PORT)["sockets"] if s["state"] == "LISTEN"]


@in_namespace
def test_a_stop_ends_the_program_also_when_portkeeperd_cannot_be_started_any_more():
    # run ended alone, and left the program with the port
    with tempfile.TemporaryDirectory() as folder, \
            OwnDaemon(folder, "-l", PORT, "--", *server()) as run:
        main, cookie = ask_again()
        run.replace_daemon(DEAD_AT_ONCE)
        daemon = run.daemon()
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: run.said().count("starts it again") >= 4)
        assert ask() == (main, cookie), "nobody was there to end it, and the port is held"
        run.signal(signal.SIGTERM)
        assert run.wait() == 125
        assert not alive(main)


@in_namespace
def test_a_successor_that_cannot_begin_gives_no_port_up():
    # its "I end with status 125" was taken for the end of the service
    broken = ("#!/bin/sh\nexec python3 -S -c 'import os, socket\n"
              "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
              "s.sendto(b\"STOPPING=1\\nEXIT_STATUS=125\", \"\\0\" + "
              "os.environ[\"NOTIFY_SOCKET\"][1:])'\n")
    with tempfile.TemporaryDirectory() as folder, \
            OwnDaemon(folder, "-l", PORT, "--", *server()) as run:
        main, cookie = ask_again()
        daemon = run.daemon()
        os.rename(f"{folder}/portkeeperd", f"{folder}/kept")
        run.replace_daemon(broken)
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: run.said().count("starts it again") >= 3)
        assert ask() == (main, cookie)
        os.rename(f"{folder}/kept", f"{folder}/portkeeperd")
        assert ask_again(but=main)[1] == cookie


@in_namespace
def test_a_port_that_refuses_survives_the_death_of_portkeeperd():
    # the successor's listen() met the closed connections of its predecessor: EADDRINUSE
    once = ("import os, socket, struct\n"
            "s = socket.socket(fileno=3)\n"
            "print(struct.unpack('Q', s.getsockopt(socket.SOL_SOCKET, 57, 8))[0], flush=True)\n"
            "c = s.accept()[0]; c.close(); os._exit(1)\n")
    with Run("-l", PORT, "-p", "RestartSec=1h", "-p", "WhileDown=refuse", "--", *script(once),
             stdout=subprocess.PIPE) as run:
        cookie = run.process.stdout.readline()
        # the program closes first, so that TIME_WAIT is on its side
        with socket.create_connection(("127.0.0.1", PORT), 5) as s:
            s.recv(1)
        run.wait_for("restart 1 in 1 h")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", PORT), 5)
        wait_until(lambda: "TIME_WAIT" in [s["state"] for s in inspect(PORT)["sockets"]])
        os.kill(run.daemon(), signal.SIGKILL)
        assert run.process.stdout.readline() == cookie


def test_a_unix_socket_that_was_made_anew_is_what_a_successor_gets():
    # the manager kept the dead one, and clients of the new one were reset
    first = ("import os, socket\n"
             "s = socket.socket(fileno=3)\n"
             "if not os.path.exists('{flag}'):\n"
             "    open('{flag}', 'w').close(); s.shutdown(socket.SHUT_RDWR)\n"
             "import time; time.sleep(1000)\n")
    with tempfile.TemporaryDirectory() as folder:
        path, flag = f"{folder}/socket", f"{folder}/flag"
        with Run("-l", path, "--", *script(first.format(flag=flag))) as run:
            run.wait_for("made anew")
            inode = os.stat(path).st_ino
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                os.kill(run.daemon(), signal.SIGKILL)
                run.wait_for("(?s)still holds.*started")
                assert run.said().count("made anew") == 1
                assert os.stat(path).st_ino == inode
                client.setblocking(False)
                with pytest.raises(BlockingIOError):
                    client.recv(1)


# ---- descriptors

@in_namespace
def test_the_soft_limit_of_open_files_loses_no_listener():
    # portkeeperd raised its own limit, and run lost what was sent beyond its own
    n, soft = 60, 68

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    words = [word for i in range(n) for word in ("-l", str(20000 + i))]
    show = "import resource, time; print(resource.getrlimit(7)[0], flush=True); time.sleep(1000)"
    with Run(*words, "--", *script(show), preexec_fn=limit, stdout=subprocess.PIPE) as run:
        assert int(run.process.stdout.readline()) == soft
        os.kill(run.daemon(), signal.SIGKILL)
        run.wait_for(f"{n} sockets are kept")
        assert int(run.process.stdout.readline()) == soft
        assert run.said().count("still holds") == n


@in_namespace
def test_more_listeners_than_the_program_may_have_files_is_one_clear_message():
    # fcntl() said EINVAL, which told nobody anything
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    words = [word for i in range(30) for word in ("-l", str(20000 + i))]
    with Run("-q", *words, "--", "true", preexec_fn=limit) as run:
        assert run.wait() == 125
        assert "Too many open files; raise the limit of open files: ulimit -n" in run.said()
        assert run.said().count("true: ") == 1


@in_namespace
def test_three_hundred_listeners_reach_the_program():
    # there was room for 256
    n = 300
    words = [word for i in range(n) for word in ("-l", str(20000 + i))]
    count = "import os; raise SystemExit(os.environ['LISTEN_FDS'] != '300' or not os.fstat(302))"
    with Run("-q", *words, "--", *script(count)) as run:
        assert run.wait() == 0, run.said()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_no_socket_gets_the_number_of_a_closed_standard_stream(closed):
    # what was said went to the listener, and SIGPIPE ended run
    def close():
        for fd in closed:
            os.close(fd)
    with Run("-l", "127.0.0.1:0", "--", "sleep", "1000", preexec_fn=close) as run:
        wait_until(lambda: len(run.tree()) == 2)
        for pid in (run.pid, run.daemon(), run.main()):
            for fd in (0, 1, 2):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                assert target == "/dev/null" if fd in closed else "socket" not in target
        os.kill(run.daemon(), signal.SIGKILL)
        wait_until(lambda: len(run.tree()) == 2)


# ---- strangers

def test_a_flood_of_forged_messages_keeps_run_from_nothing():
    # run must not read on for ever, nor believe anybody but portkeeperd
    flood = ("import os, socket\n"
             "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
             "os.write(1, b'.')\n"
             "r, w = os.pipe()\n"
             "while True:\n"
             "    try: socket.send_fds(s, [b'STOPPING=1\\nEXIT_STATUS=3\\nFDSTORE=1\\n'\n"
             "             b'FDNAME=l0\\nREADY=1'], [r] * 100, 0, '{address}')\n"
             "    except OSError: pass\n")
    with Run("--", "sleep", "1000") as run:
        run.wait_for("started")
        with open(f"/proc/{run.daemon()}/environ", "rb") as f:
            address = re.search(rb"NOTIFY_SOCKET=@([^\0]+)", f.read())[1].decode()
        flooders = [subprocess.Popen(["python3", "-S", "-c",
                                      flood.format(address="\\0" + address)],
                                     stdout=subprocess.PIPE) for _ in range(2)]
        try:
            for flooder in flooders:
                flooder.stdout.read(1)
            run.signal(signal.SIGTERM)
            assert run.wait() == 143
        finally:
            for flooder in flooders:
                flooder.kill()
                flooder.wait()
                flooder.stdout.close()


@in_namespace
def test_children_that_run_had_before_are_not_taken_for_the_services():
    # sh starts a companion and becomes portkeeper run, as entry points of containers do
    shell = f"sleep 4321 & exec {binary()} run -l {PORT} -- sleep 1234"
    process = subprocess.Popen(["sh", "-c", shell], start_new_session=True,
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def below():
            found = {comm(p): p for p in children(process.pid) if alive(p)}
            return found if "portkeeperd" in found and "sleep" in found else None
        companion, daemon = (wait_until(below)[name] for name in ("sleep", "portkeeperd"))
        program = wait_until(lambda: children(daemon))[0]
        os.kill(daemon, signal.SIGKILL)
        successor = wait_until(lambda: (found := below()) and
                               found["portkeeperd"] != daemon and found["portkeeperd"])
        wait_until(lambda: [p for p in children(successor) if comm(p) == "sleep"])
        assert not alive(program) and alive(companion)
    finally:
        process.terminate()
        process.wait()
        os.kill(companion, signal.SIGKILL)
