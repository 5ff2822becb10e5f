#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The main job, to watch: gunicorn, as Debian ships it, on port 49200; a client that connects all
the time; kill -9 of the server every second. The last line has the counts.

usage: demo.py PORTKEEPER [CRASHES]
"""
import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PORT = 49200
APP = b"""
import os
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getppid()).encode()]
"""


class Client(threading.Thread):
    """Connects, asks, reads, again and again; counts what became of it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.served = self.refused = self.reset = 0
        self.longest = 0.0
        self.master = 0  # the pid of the gunicorn that answered last
        self.stopping = False

    def ask(self):
        with socket.create_connection(("127.0.0.1", PORT), timeout=30) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while data := s.recv(4096):
                answer += data
        # cut off in the middle: the server died while it answered
        pid = answer.rpartition(b"\r\n\r\n")[2]
        if not pid:
            raise ConnectionResetError
        return int(pid)

    def run(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                self.master = self.ask()
                self.served += 1
                self.longest = max(self.longest, time.monotonic() - began)
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                self.reset += 1
            time.sleep(0.002)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("demo: gave up waiting")
        time.sleep(0.005)


def main():
    portkeeper, crashes = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 15
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/app.py", "wb") as f:
            f.write(APP)
        command = [portkeeper, "run", "-l", str(PORT), "-n", "web", "--",
                   "gunicorn", "--log-level", "error", "app:app"]
        print("$ portkeeper", *command[1:], flush=True)
        run = subprocess.Popen(command, cwd=folder, start_new_session=True)
        atexit.register(run.terminate)  # also when the demo itself fails
        until(lambda: run.poll() is not None or can_connect())
        if run.poll() is not None:
            sys.exit(run.returncode)
        client = Client()
        client.start()
        until(lambda: client.master)
        for _ in range(crashes):
            master = client.master
            time.sleep(1)
            print(f"$ kill -9 {master}", flush=True)
            os.kill(master, signal.SIGKILL)
            until(lambda: client.master != master)
        client.stopping = True
        client.join()
        run.terminate()
        run.wait()
    print(f"the longest wait of a client: {client.longest * 1000:.0f} ms, "
          "most of it the start of gunicorn")
    print(f"{crashes} crashes, {client.served} served, {client.refused} refused, "
          f"{client.reset} reset")
    return 0 if client.refused == 0 else 1


def can_connect():
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
