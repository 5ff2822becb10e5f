# SPDX-License-Identifier: MIT
"""stop: a service ends in order, with everything that belongs to it."""
import os
import signal
import tempfile

import pytest

from netns import in_namespace, inspect, wait_until
from supervised import PORT, Run, alive, ask_again, children, comm, script, server

IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
# two workers, one of them a daemon in a session of its own
FAMILY = ("import os, time\n"
          "if os.fork() == 0:\n"
          "    time.sleep(1000)\n"
          "if os.fork() == 0:\n"
          "    os.setsid()\n"
          "    if os.fork() == 0:\n"
          "        time.sleep(1000)\n"
          "    os._exit(0)\n"
          "os.wait()\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_sends_sigterm_and_gives_the_programs_status(number):
    with Run("--", "sleep", "1000") as run:
        run.wait_for("as pid")
        run.signal(number)
        assert run.wait() == 143
        assert "killed by SIGTERM" in run.said() and "; stopped" in run.said()


def test_a_program_that_ends_well_when_asked_gives_zero():
    polite = "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print(1, flush=True)"
    with Run("--", *script(polite + "\nsignal.pause()"), stdout=-1) as run:
        run.process.stdout.readline()
        run.signal(signal.SIGTERM)
        assert run.wait() == 0


def test_kill_signal_by_directive():
    with Run("-p", "KillSignal=SIGUSR2", "--", "sleep", "1000") as run:
        run.wait_for("as pid")
        run.signal(signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGUSR2


@in_namespace
def test_after_the_time_out_comes_the_final_signal():
    with Run("-l", PORT, "-p", "TimeoutStopSec=100ms", "--", *server(IGNORE)) as run:
        ask_again()
        run.signal(signal.SIGTERM)
        assert run.wait() == 137
        assert not [s for s in inspect(PORT)["sockets"] if s["state"] == "LISTEN"]


@in_namespace
def test_a_second_sigint_kills_at_once():
    with Run("-l", PORT, "--", *server(IGNORE)) as run:
        pid, _ = ask_again()
        run.signal(signal.SIGINT)
        # the first one has been taken when the program is being stopped
        run.signal(signal.SIGINT)
        wait_until(lambda: not alive(pid) or run.signal(signal.SIGINT))
        assert run.wait() == 137


def test_the_commands_of_a_stop_run_in_order_with_their_environment():
    with tempfile.TemporaryDirectory() as folder:
        log = f"{folder}/log"
        say = f"sh -c 'echo %s $MAINPID $SERVICE_RESULT >> {log}'"
        with Run("-p", "ExecStop=" + say % "one", "-p", "ExecStop=" + say % "two", "-p",
                 "ExecStopPost=" + say % "post", "--", "sleep", "1000") as run:
            pid = run.wait_for(r"as pid (\d+)")[1]
            run.signal(signal.SIGTERM)
            assert run.wait() == 143
        with open(log) as f:
            assert f.read().splitlines() == [
                f"one {pid} success", f"two {pid} success", "post success"]


def test_a_failed_stop_command_leaves_out_the_rest_unless_it_may_fail():
    with tempfile.TemporaryDirectory() as folder:
        for prefix, want in (("", False), ("-", True)):
            with Run("-p", f"ExecStop={prefix}false", "-p",
                     f"ExecStop=touch {folder}/there", "--", "sleep", "1000") as run:
                run.wait_for("as pid")
                run.signal(signal.SIGTERM)
                assert run.wait() == 143
            assert os.path.exists(f"{folder}/there") == want


def test_a_stop_command_that_hangs_is_cut_off():
    with Run("-p", "ExecStop=sleep 1000", "-p", "TimeoutStopSec=100ms", "--", "sleep",
             "1000") as run:
        run.wait_for("as pid")
        run.signal(signal.SIGTERM)
        assert run.wait() == 143


def test_exec_stop_post_runs_after_a_crash_too():
    with tempfile.TemporaryDirectory() as folder:
        with Run("-p", f"ExecStopPost=sh -c 'echo $SERVICE_RESULT >> {folder}/log'", "-p",
                 "Restart=no", "--", "sh", "-c", "kill -KILL $$") as run:
            assert run.wait() == 137
        with open(f"{folder}/log") as f:
            assert f.read() == "signal\n"


def family(run):
    """Waits until main, worker and daemon are there; their pids, main first."""
    main = int(run.wait_for(r"as pid (\d+)")[1])

    def look():
        # the daemon has come to portkeeperd, and what was between has gone
        daemons = [p for p in children(run.daemon()) if alive(p) and p != main]
        workers = [p for p in children(main) if alive(p)]
        return (workers, daemons) if len(workers) == len(daemons) == 1 else None
    workers, daemons = wait_until(look, "the whole family")
    return [main, *workers, *daemons]


@pytest.mark.parametrize("mode", ["control-group", "mixed"])
def test_a_stop_ends_the_whole_tree(mode):
    with Run("-p", f"KillMode={mode}", "-p", "TimeoutStopSec=300ms", "--",
             *script(FAMILY + "time.sleep(1000)")) as run:
        pids = family(run)
        run.signal(signal.SIGTERM)
        assert run.wait() == 143
        assert not any(map(alive, pids))


def test_kill_mode_process_leaves_the_others_alone():
    with Run("-p", "KillMode=process", "--", *script(FAMILY + "time.sleep(1000)")) as run:
        main, *others = family(run)
        run.signal(signal.SIGTERM)
        assert run.wait() == 143
        assert not alive(main) and all(map(alive, others))
        for pid in others:
            os.kill(pid, signal.SIGKILL)


@in_namespace
def test_with_kill_mode_process_only_holders_of_a_listener_die_with_a_crash():
    close = FAMILY.replace("    time.sleep(1000)\nif", "    os.close(3); time.sleep(1000)\nif")
    with Run("-l", PORT, "-p", "KillMode=process", "--",
             *script(close + "time.sleep(1000)")) as run:
        main, *others = family(run)

        def look():
            found = [p for p in others if os.path.exists(f"/proc/{p}/fd/3")]
            return found if len(found) == 1 else None
        holders = wait_until(look, "the worker has closed the listener")
        os.kill(main, signal.SIGKILL)
        run.wait_for("restart 1 at once")
        assert not alive(holders[0])
        left = [p for p in others if p not in holders]
        assert all(map(alive, left))
        run.signal(signal.SIGTERM)
        run.wait()
        for pid in left:
            os.kill(pid, signal.SIGKILL)


def test_without_sigkill_the_rest_is_waited_for_and_left():
    with Run("-p", "SendSIGKILL=no", "-p", "TimeoutStopSec=100ms", "--",
             *script(IGNORE + "; print(1, flush=True)\nsignal.pause()"), stdout=-1) as run:
        run.process.stdout.readline()
        pid = run.main()
        run.signal(signal.SIGTERM)
        run.wait()
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)


def test_other_signals_are_passed_to_the_program():
    talk = ("import signal\n"
            "for n in (1, 10, 12, 28, 3):\n"
            "    signal.signal(n, lambda n, _: print(n, flush=True))\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()")
    with Run("--", *script(talk), stdout=-1) as run:
        assert run.process.stdout.readline() == b"ready\n"
        for number in (1, 10, 12, 28, 3):
            run.signal(number)
            assert int(run.process.stdout.readline()) == number


def test_the_time_out_goes_on_when_the_main_process_ends_before_the_others():
    # once the end of the main process took the stop's timer away, and it hung for ever
    ignore = ("import os, signal, time\n"
              "if os.fork() == 0:\n"
              "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
              "    open('/proc/self/comm', 'w').write('deaf')\n"
              "    time.sleep(1000)\n"
              "time.sleep(1000)\n")
    with Run("-p", "TimeoutStopSec=200ms", "--", *script(ignore)) as run:
        wait_until(lambda: "deaf" in map(comm, run.tree()))
        run.signal(signal.SIGTERM)
        assert run.wait() == 143


def test_a_stop_command_that_outlives_the_main_process_is_cut_off():
    with Run("-p", "ExecStop=sh -c 'kill $MAINPID; sleep 1000'", "-p", "TimeoutStopSec=200ms",
             "--", "sleep", "1000") as run:
        run.wait_for("as pid")
        run.signal(signal.SIGTERM)
        assert run.wait() == 143


def test_a_stop_during_a_delay_says_so():
    with Run("-p", "RestartSec=1h", "--", "false") as run:
        run.wait_for("restart 1 in 1 h")
        run.signal(signal.SIGTERM)
        assert run.wait() == 1
        assert "stopped while it waited for its restart" in run.said()


def test_kill_mode_mixed_kills_the_others_as_soon_as_the_main_process_has_ended():
    deaf = ("import os, signal, time\n"
            "if os.fork() == 0:\n"
            "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "    open('/proc/self/comm', 'w').write('deaf')\n"
            "    time.sleep(1000)\n"
            "time.sleep(1000)\n")
    with Run("-p", "KillMode=mixed", "-p", "TimeoutStopSec=infinity", "--",
             *script(deaf)) as run:
        wait_until(lambda: "deaf" in map(comm, run.tree()))
        run.signal(signal.SIGTERM)
        assert run.wait() == 143
