# SPDX-License-Identifier: MIT
"""peers: the supervisors that the benchmarks compare, each with the same server under it.

A peer starts its supervisor in a session of its own and says on which port its server answers.
The listener is held as each can: portkeeper and systemd bind it themselves; the others know no
sockets, so they inherit a descriptor that this process has bound, as from a small holder above
them, and let it through to the server. The server's program, its environment and its way to
exec are the same everywhere: no shell stands between.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from netns import Forbidden, enter_namespace  # noqa: E402

SETTLE_SECONDS = 20
INHERITED_FD = 200  # above all that supervisord closes (minfds)
SANDBOX_PORT = 49200


class Missing(Exception):
    """The peer cannot be had here; the text says why."""


def enter_own_network(program):
    try:
        enter_namespace()
    except Forbidden as e:
        sys.exit(f"{program}: no network namespace here: {e}")


def helper(name):
    path = os.path.join(os.environ.get("PK_BUILDDIR", "."), "tests", "bench", name)
    if not os.access(path, os.X_OK):
        sys.exit(f"no {path}: run `make bench`, or set PK_BUILDDIR")
    return os.path.abspath(path)


def portkeeper_binary():
    return os.path.abspath(os.path.join(os.environ.get("PK_BUILDDIR", "."), "portkeeper"))


def find(program):
    path = shutil.which(program)
    if not path:
        raise Missing(f"{program} is not installed")
    return path


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(word) for word in f.read().split()]


class Peer:
    """What all have in common: a supervisor process that is ended by stop()."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = os.path.join(folder, name.replace(" ", "-").replace(",", ""))
        os.makedirs(self.folder)
        self.process = None
        self.port = None

    def spawn(self, *argv, fd=None, environment=None):
        clean = {"PATH": os.environ["PATH"], **(environment or {})}
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                argv, env=clean, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=() if fd is None else (fd,), start_new_session=True)

    def spawn_with_listener(self, *argv, environment=None):
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = listener.getsockname()[1]
        os.dup2(listener.fileno(), INHERITED_FD)
        listener.close()
        try:
            self.spawn(*argv, fd=INHERITED_FD,
                       environment={"BENCH_FD": str(INHERITED_FD), **(environment or {})})
        finally:
            os.close(INHERITED_FD)

    def supervisors(self):
        """The pids that stay when the server dies."""
        return [self.process.pid]

    def client(self, *argv):
        return list(argv)

    def wait_until_answers(self):
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                    if s.recv(16):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        with open(os.path.join(self.folder, "log")) as f:
            raise Missing(f"its server does not answer: {f.read()[-300:]}")

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class BareLoop(Peer):
    def __init__(self, name, folder, how):
        super().__init__(name, folder)
        self.how = how

    def start(self, environment=None):
        self.spawn_with_listener(helper("bare-loop"), self.how, helper("echo-server"),
                                 environment=environment)


class Portkeeper(Peer):
    def __init__(self, name, folder, *options):
        super().__init__(name, folder)
        self.options = options

    def start(self, environment=None):
        # the namespace is ours, so what was free a moment ago is free
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        self.spawn(portkeeper_binary(), "run", "-q", "-l", f"127.0.0.1:{self.port}",
                   *self.options, "--", helper("echo-server"), environment=environment)

    def supervisors(self):
        return [self.process.pid, *children(self.process.pid)]


class S6(Peer):
    def start(self):
        program = find("s6-supervise")
        os.symlink(helper("echo-server"), os.path.join(self.folder, "run"))
        self.spawn_with_listener(program, self.folder)


class Runit(Peer):
    def start(self):
        program = find("runsv")
        os.symlink(helper("echo-server"), os.path.join(self.folder, "run"))
        self.spawn_with_listener(program, self.folder)


class Supervisord(Peer):
    def start(self):
        program = find("supervisord")
        path = os.path.join(self.folder, "supervisord.conf")
        with open(path, "w") as f:
            f.write(f"[supervisord]\nnodaemon=true\nminfds=64\nuser=root\n"
                    f"logfile={self.folder}/own.log\npidfile={self.folder}/pid\n"
                    f"[program:web]\ncommand={helper('echo-server')}\n"
                    "autorestart=true\nstartsecs=0\n")
        self.spawn_with_listener(program, "-n", "-c", path)


class Systemd(Peer):
    """In a sandbox (PK_SYSTEMD_SANDBOX: a program with up, exec and down), because it wants to be
    PID 1. The client runs in there, too."""

    def __init__(self, name, folder):
        super().__init__(name, folder)
        self.sandbox = os.environ.get("PK_SYSTEMD_SANDBOX")
        self.box = f"pkb{os.getpid()}"[:12]
        self.is_up = False

    def run(self, *argv, **kwargs):
        done = subprocess.run([self.sandbox, *argv], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=180, **kwargs)
        if done.returncode != 0:
            raise Missing(f"the sandbox fails: {done.stderr.strip()[-300:]}")
        return done.stdout

    def start(self):
        if not self.sandbox:
            raise Missing("PK_SYSTEMD_SANDBOX is not set")
        self.is_up = True
        self.run("up", "--bind-ro", os.path.dirname(helper("echo-server")),
                 "--bind-ro", self.folder, self.box)
        self.port = SANDBOX_PORT
        units = {"web.socket": f"[Socket]\nListenStream=127.0.0.1:{self.port}\n"
                               "Backlog=4096\n",
                 "web.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\n"
                                f"ExecStart={helper('echo-server')}\n"
                                "Restart=always\nRestartSec=0\n"}
        for name, text in units.items():
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text)
            self.run("exec", self.box, "cp", os.path.join(self.folder, name),
                     "/etc/systemd/system/")
        self.run("exec", self.box, "systemctl", "daemon-reload")
        self.run("exec", self.box, "systemctl", "start", "web.socket", "web.service")

    def client(self, *argv):
        return [self.sandbox, "exec", self.box, *argv]

    def wait_until_answers(self):
        pass  # `systemctl start` has waited

    def stop(self):
        if self.is_up:
            subprocess.run([self.sandbox, "down", "--now", self.box],
                           stdin=subprocess.DEVNULL, check=False)


def start_all(peers):
    """Starts each of them; those that cannot be had are named and left out."""
    running = []
    for peer in peers:
        try:
            peer.start()
            peer.wait_until_answers()
            running.append(peer)
        except Missing as e:
            print(f"left out: {peer.name}: {e}", flush=True)
            peer.stop()
    return running
