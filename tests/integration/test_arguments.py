# SPDX-License-Identifier: MIT
"""arguments: bad input gets one clear message and its own exit status."""
import ctypes
import os
import resource
import socket

import pytest

from netns import in_namespace, listen, make_time_wait, portkeeper, sysctl, wait_until
from supervised import PORT, Run, ask_again, server

CASES = [
    # arguments, exit status, what the message has
    ([], 125, "no command to run"),
    (["-l", "49200"], 125, "no command to run"),
    (["--", "no-such-command"], 127, "command not found: 'no-such-command'"),
    (["--", "./no/such/file"], 127, "command not found: './no/such/file'"),
    (["--", "pyhton3"], 127, "did you mean 'python3'?"),
    (["--", "/etc/passwd"], 126, "cannot execute '/etc/passwd'"),
    (["--", "/etc"], 126, "cannot execute '/etc'"),
    (["-l", "99999", "--", "true"], 125, "bad address '99999'"),
    (["-l", "localhost:80", "--", "true"], 125, "names are not looked up"),
    (["-l", "::1:80", "--", "true"], 125, "an IPv6 address stands in brackets"),
    (["-l", "unix:relative", "--", "true"], 125, "absolute path or @name"),
    (["-l", "/" + "x" * 120, "--", "true"], 125, "longer than 107 bytes"),
    (["-l", "fd:77", "--", "true"], 125, "descriptor 77 is not open"),
    (["-l", "fd:x", "--", "true"], 125, "bad address 'fd:x'"),
    (["-l", "127.0.0.1:1", "-l", "127.0.0.1:1", "--", "true"], 125, "given twice"),
    (["-l", "192.0.2.1:80", "--", "true"], 125, "FreeBind=yes"),
    (["-p", "Restrat=always", "--", "true"], 125, "did you mean Restart=?"),
    (["-p", "Zzzzzzzz=1", "--", "true"], 125, "unknown directive 'Zzzzzzzz'"),
    (["-p", "Restart=sometimes", "--", "true"], 125, "one of no on-success"),
    (["-p", "RestartSec=soon", "--", "true"], 125, "a time like 500ms"),
    (["-p", "Backlog=-1", "--", "true"], 125, "bad value '-1' for Backlog="),
    (["-p", "KillSignal=SIGFOO", "--", "true"], 125, "a signal like SIGTERM"),
    (["-p", "Restart", "--", "true"], 125, "write -p Directive=Value"),
    (["-p", "ExecStop=no-such-command", "--", "true"], 127, "ExecStop=: command not found"),
    (["--wait", "soon", "--", "true"], 125, "bad time 'soon' for --wait"),
    (["--log-format", "xml", "--", "true"], 125, "unknown log format 'xml'"),
    (["-n", "a b", "--", "true"], 125, "bad name 'a b'"),
    (["--no-such-option", "--", "true"], 125, "unknown option '--no-such-option'"),
    (["-l"], 125, "'-l' needs an argument"),
]


@pytest.mark.parametrize("words,status,message", CASES, ids=lambda v: str(v)[:40])
def test_bad_input_gets_one_message_and_its_status(words, status, message):
    done = portkeeper("run", *words)
    assert message in done.stderr, done
    assert done.returncode == status, done
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Try ")]
    assert len(lines) == 1, done
    assert done.stdout == ""


@in_namespace
def test_a_taken_port_is_explained_with_its_owner_and_the_way_out():
    with listen(PORT):
        done = portkeeper("run", "-l", PORT, "--", "true")
    assert done.returncode == 125
    assert f"pid {os.getpid()}" in done.stderr, done
    assert f"kill {os.getpid()}" in done.stderr, done


@in_namespace
def test_time_wait_of_a_socket_without_reuseaddr_is_explained():
    make_time_wait(PORT)
    done = portkeeper("run", "-l", PORT, "-p", "ReuseAddress=no", "--", "true")
    assert done.returncode == 125
    assert "TIME_WAIT" in done.stderr, done


@in_namespace
def test_an_outgoing_connection_that_owns_the_port_is_named():
    sysctl("net.ipv4.ip_local_port_range", f"{PORT} {PORT}")
    with listen(8000), socket.create_connection(("127.0.0.1", 8000)) as client:
        assert client.getsockname()[1] == PORT
        done = portkeeper("run", "-l", PORT, "--", "true")
    assert done.returncode == 125
    assert "outgoing" in done.stderr and "127.0.0.1:8000" in done.stderr, done


@in_namespace
def test_wait_gets_the_same_port_when_it_becomes_free():
    blocker = listen(PORT)
    with Run("-l", PORT, "--wait", "30", "--", *server()) as run:
        run.wait_for("waits for it up to 30 s")
        blocker.close()
        assert ask_again()[0] == run.main()


@in_namespace
def test_wait_gives_up_with_the_reason():
    with listen(PORT):
        done = portkeeper("run", "-l", PORT, "--wait", "200ms", "--", "true")
    assert done.returncode == 125
    assert f"pid {os.getpid()}" in done.stderr.splitlines()[-1], done


def without_capability(*numbers):
    """A preexec_fn: what is executed then lacks them, also as root: capabilities(7)."""
    libc = ctypes.CDLL(None)

    def drop():
        for number in numbers if os.geteuid() == 0 else ():
            assert libc.prctl(24, number, 0, 0, 0) == 0
    return drop


@in_namespace
def test_a_port_below_1024_without_the_right_says_so():
    sysctl("net.ipv4.ip_unprivileged_port_start", 1024)
    done = portkeeper("run", "-l", "80", "--", "true", preexec_fn=without_capability(10))
    assert done.returncode == 125
    assert "ip_unprivileged_port_start" in done.stderr, done


@in_namespace
def test_every_shortage_of_descriptors_at_start_is_told_or_survived():
    statuses = set()
    for limit in range(3, 40):
        done = portkeeper("run", "-l", PORT, "--", "true", preexec_fn=lambda n=limit:
                          resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        # 127 is the dynamic loader's, in its own words
        assert done.returncode in (0, 125, 127), (limit, done)
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 0 or "open files" in last or "Error 24" in last, done
        statuses.add(done.returncode)
    assert {0, 125} <= statuses


def test_a_long_command_line_is_passed_on_whole():
    words = [f"word-{i}" for i in range(3000)]
    done = portkeeper("run", "-q", "--", "echo", *words)
    assert done.stdout.split() == words, done.stderr


def test_help_and_version_go_to_standard_output():
    for words in (["run", "--help"], ["help"], ["help", "run"], ["version"], ["--version"]):
        done = portkeeper(*words)
        assert done.returncode == 0 and done.stdout and not done.stderr, (words, done)


def test_an_unknown_verb_has_the_nearest_known_one():
    done = portkeeper("rnu")
    assert done.returncode == 2 and "did you mean 'run'?" in done.stderr


@pytest.mark.parametrize("command,status", [
    (["true"], 0),
    (["sh", "-c", "exit 7"], 7),
    (["sh", "-c", "kill -TERM $$"], 143),
    (["sh", "-c", "kill -SEGV $$"], 139),
])
def test_the_exit_status_is_the_programs_as_a_shell_tells_it(command, status):
    done = portkeeper("run", "-q", "-p", "Restart=no", "--", *command)
    assert done.returncode == status, done


def test_a_script_without_an_interpreter_is_not_executable(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    done = portkeeper("run", "--", script)
    assert done.returncode == 127 and "execve" in done.stderr, done


def test_messages_go_to_standard_error_only():
    done = portkeeper("run", "-v", "--", "echo", "hello")
    assert done.stdout == "hello\n" and "started" in done.stderr


def test_a_folder_of_path_that_may_not_be_searched_hides_nothing(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o700)
    path = f"{tmp_path}/closed:{os.environ['PATH']}"
    os.chmod(tmp_path / "closed", 0)
    done = portkeeper("run", "--", "no-such-command", env={**os.environ, "PATH": path},
                      preexec_fn=without_capability(1, 2))
    assert done.returncode == 127 and "command not found" in done.stderr, done
