# SPDX-License-Identifier: MIT
"""crash: the product's promise. A program is killed again and again, and nobody is refused."""
import os
import random
import signal
import tempfile
import time

from netns import in_namespace, inspect, wait_until
from supervised import (LOAD, NOTE_SERVER, PORT, Load, Run, alive, ask, ask_again, script,
                        server, wait_dead)

KILLS = int(os.environ.get("PK_KILLS", "1000"))


def listener_inodes():
    return {s["inode"] for s in inspect(PORT)["sockets"] if s["state"] == "LISTEN"}


@in_namespace
def test_a_thousand_kills_under_load_refuse_and_reset_nobody():
    assert os.access(LOAD, os.X_OK)
    with tempfile.NamedTemporaryFile() as notes, \
            Run("-q", "-l", PORT, "-p", "RestartSec=0", "--", NOTE_SERVER, notes.name) as run:
        pid, cookie = ask_again()
        before = listener_inodes()
        load = Load(notes.name)
        for _ in range(KILLS):
            os.kill(pid, signal.SIGKILL)
            wait_dead(pid)
            pid, its_cookie = ask_again(but=pid)
            assert its_cookie == cookie
        result = load.stop()
        print(result)
        assert result["started"] / result["seconds"] >= 500
        assert result["refused"] == result["reset"] == 0, result
        assert result["timeout"] == result["other"] == 0, result
        assert result["served"] + result["lost"] == result["started"], result
        # a dying process takes at most what it had accepted: one connection at a time
        assert result["lost"] <= KILLS
        assert listener_inodes() == before and ask()[1] == cookie
        assert run.process.poll() is None


@in_namespace
def test_clients_of_the_gap_wait_and_are_served_by_the_next_process():
    slow = "import time; time.sleep(0.5)"  # the program takes its time to start
    with Run("-l", PORT, "--", *server(slow)) as run:
        pid, _ = ask_again()
        os.kill(pid, signal.SIGKILL)
        answers = [ask() for _ in range(3)]
        assert {a[0] for a in answers} != {pid}
        run.wait_for(r"killed by SIGKILL after .*; restart 1 at once")


@in_namespace
def test_what_the_dead_process_forked_does_not_accept_beside_the_next_one():
    # a worker that has left: new session, parent gone, listener kept
    orphan = ("if os.fork() == 0:\n"
              "    os.setsid()\n"
              "    if os.fork(): os._exit(0)\n"
              "    open('/proc/self/comm', 'w').write('escaped')\n")
    with Run("-l", PORT, "--", *server(orphan)) as run:
        main = run.wait_for(r"as pid (\d+)")[1]
        wait_until(lambda: len(run.tree()) == 3, "the orphan")
        escaped = [p for p in run.tree() if p not in (int(main), run.daemon())]
        os.kill(int(main), signal.SIGKILL)
        run.wait_for(r"restart 1 at once")
        assert not alive(escaped[0])
        pids = {ask()[0] for _ in range(20)}
        assert not pids & {int(main), *escaped}


@in_namespace
def test_killing_portkeeperd_refuses_nobody_and_keeps_the_socket():
    rounds = 20
    with tempfile.NamedTemporaryFile() as notes, \
            Run("-q", "-l", PORT, "-p", "RestartSec=0", "--", NOTE_SERVER, notes.name) as run:
        pid, cookie = ask_again()
        before = listener_inodes()
        load = Load(notes.name)
        for _ in range(rounds):
            daemon = run.daemon()
            time.sleep(random.uniform(0, 0.05))  # any moment, not a condition
            os.kill(daemon, signal.SIGKILL)
            wait_dead(daemon)
            pid, its_cookie = ask_again(but=pid)
            assert its_cookie == cookie
        result = load.stop()
        print(result)
        assert result["refused"] == result["reset"] == 0, result
        assert result["timeout"] == result["other"] == 0, result
        assert listener_inodes() == before
        assert len(run.tree()) == 2, "one portkeeperd and one program"


@in_namespace
def test_the_successor_ends_the_old_program_in_order_before_it_starts_another():
    setup = ("import signal, sys\n"
             "def bye(*_):\n"
             "    sys.stderr.write('asked to end\\n'); sys.stderr.flush(); os._exit(0)\n"
             "signal.signal(signal.SIGTERM, bye)")
    with Run("-l", PORT, "--", *server(setup)) as run:
        old, cookie = ask_again()
        os.kill(run.daemon(), signal.SIGKILL)
        new, its_cookie = ask_again(but=old)
        assert not alive(old) and its_cookie == cookie
        said = run.said()
        assert said.index("starts it again, 1 socket is kept") < said.index("asked to end")
        assert said.count("asked to end") == 1


@in_namespace
def test_survivors_that_ignore_the_signal_are_killed_after_the_time_out():
    setup = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with Run("-l", PORT, "-p", "TimeoutStopSec=200ms", "--", *server(setup)) as run:
        old, cookie = ask_again()
        os.kill(run.daemon(), signal.SIGKILL)
        wait_until(lambda: not alive(old))
        assert ask_again(but=old)[1] == cookie


@in_namespace
def test_a_killed_run_takes_its_service_down_in_order():
    with Run("-l", PORT, "--", *server()) as run:
        main, _ = ask_again()
        daemon = run.daemon()
        os.kill(run.pid, signal.SIGKILL)
        run.process.wait()
        wait_until(lambda: not alive(main) and not alive(daemon))
        assert "'portkeeper run' has died" in run.said()
        assert not listener_inodes()


@in_namespace
def test_a_crash_loop_makes_the_delay_grow_and_holds_the_port():
    with Run("-l", PORT, "--", *script("import os; os.abort()")) as run:
        run.wait_for(r"restart 7 in ")
        inodes = listener_inodes()
        assert len(inodes) == 1
        said = run.said()
        assert said.count("at once") == 5, "five at once, then delays"
        run.wait_for(r"restart 8 in ")
        assert listener_inodes() == inodes


@in_namespace
def test_a_successor_knows_every_kind_of_socket_again():
    # once a socket of UDP-Lite was taken for one of UDP, and the port was given up
    with tempfile.TemporaryDirectory() as folder:
        for words in (["-l", f"udp:{PORT}", "-p", "SocketProtocol=udplite"],
                      ["-l", PORT, "-p", "SocketProtocol=mptcp"],
                      ["-l", f"udp:127.0.0.1:{PORT}"], ["-l", f"[::1]:{PORT}"],
                      ["-l", PORT, "-p", "BindIPv6Only=ipv6-only"], ["-l", "127.0.0.1:0"],
                      ["-l", f"{folder}/socket"], ["-l", "unix-dgram:@name"],
                      ["-l", f"unix-seqpacket:{folder}/packets"]):
            with Run(*words, "--", "sleep", "1000") as run:
                run.wait_for("started")
                os.kill(run.daemon(), signal.SIGKILL)
                run.wait_for("(?s)still holds.*started")
