#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-inspect: one port among 100,000 TIME_WAIT sockets.

In a network namespace of its own: how long `portkeeper inspect` and `portkeeper release` of one
port take, next to `ss` doing the same in the same run, whole processes both. Prints medians and
the ratio to ss (below 1: faster); asserts nothing about time. PK_BUILDDIR names the build.

usage: bench-inspect.py [TIME_WAITS [ROUNDS]]
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from netns import Forbidden, binary, enter_namespace, sysctl  # noqa: E402

PER_PORT = 100
SMALL_PORT = 30000  # a few sockets each, from here on
SMALL_PORTS = 24  # half for each program
BIG_PORT = 20000  # the mass


def make(port, n):
    """n TIME_WAIT sockets on the server's side of `port`, each with a client port of its own:
    one that is used twice would take the place of its TIME_WAIT."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(16)
    for i in range(n):
        client = socket.socket()
        client.bind((f"127.1.{port // 256}.{port % 256}", 1024 + i))
        client.connect(("127.0.0.1", port))
        server.accept()[0].close()
        client.recv(1)
        client.close()
    server.close()


def time_waits():
    with open("/proc/net/sockstat") as f:
        for line in f:
            if line.startswith("TCP:"):
                return int(line.split(" tw ")[1].split()[0])
    return 0


def make_many(total, first_port, per_port):
    children = []
    ports = list(range(first_port, first_port + -(-total // per_port)))
    for half in (ports[::2], ports[1::2]):
        pid = os.fork()
        if pid == 0:
            for port in half:
                make(port, per_port)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0


def run(*args):
    start = time.perf_counter()
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done


def report(what, ours, theirs):
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{what:<34} portkeeper {a * 1000:8.2f} ms   ss {b * 1000:8.2f} ms   "
          f"ratio {a / b:.2f}")


def count_inspect(port):
    done = run(binary(), "inspect", "--json", str(port))[1]
    return done.stdout.count('"gone_in_msec"')


def bench_inspect(port, rounds, what):
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run(binary(), "inspect", str(port))[0])
        theirs.append(run("ss", "-Htan", f"sport = :{port}")[0])
    report(what, ours, theirs)


def bench_release(ports, expected, what):
    ours, theirs = [], []
    for i, port in enumerate(ports):
        if i % 2:
            seconds, done = run("ss", "-HKtan", f"sport = :{port}")
            theirs.append(seconds)
        else:
            assert count_inspect(port) == expected, "TIME_WAIT sockets ran out: too slow?"
            seconds, done = run(binary(), "release", str(port))
            ours.append(seconds)
            assert done.returncode == 0, done
        assert count_inspect(port) == 0, done
    report(what, ours, theirs)


def main():
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    if not shutil.which("ss"):
        sys.exit("bench-inspect: no ss here (iproute2)")
    try:
        enter_namespace()
    except Forbidden as e:
        sys.exit(f"bench-inspect: no network namespace here: {e}")
    sysctl("net.ipv4.ip_local_port_range", "32768 65535")
    sysctl("net.ipv4.tcp_max_tw_buckets", total * 3)
    sysctl("net.ipv4.tcp_tw_reuse", 0)
    start = time.perf_counter()
    make_many(total, BIG_PORT, 20000)
    make_many(SMALL_PORTS * PER_PORT, SMALL_PORT, PER_PORT)
    print(f"{time_waits()} TIME_WAIT sockets, made in {time.perf_counter() - start:.1f} s")
    bench_inspect(SMALL_PORT, rounds, f"inspect a port with {PER_PORT} of them")
    bench_inspect(49999, rounds, "inspect a free port")
    bench_inspect(BIG_PORT, max(rounds // 4, 1), "inspect a port with 20000 of them")
    bench_release(range(SMALL_PORT, SMALL_PORT + SMALL_PORTS), PER_PORT,
                  f"release a port with {PER_PORT} of them")
    bench_release((BIG_PORT, BIG_PORT + 1), 20000, "release a port with 20000 of them")
    print(f"{time_waits()} TIME_WAIT sockets are left")


if __name__ == "__main__":
    main()
