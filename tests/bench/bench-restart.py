#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-restart: how long a client waits when the server has died.

Every peer supervises the same server; in each round each of them has its server killed once, so
that whatever else the machine does meets all of them alike. The clock runs from the server's
death (its pidfd becomes readable, which is when its parent is told) to the reply of another
process to a client that connected right after the death; restart-client.c measures it.

First table: each server has been up for more than a second when it is killed, so that no peer
holds its restart back (s6-supervise, runit and portkeeper's defaults slow down a crash loop).
Second table: killed again as soon as it answers, which is what a crash loop under load looks
like; portkeeper's defaults back off there by design and are left out.

Prints the limit (portkeeper at most 1.3 times the bare loop, medians) and whether it is met;
asserts nothing. PK_BUILDDIR names the build, PK_SYSTEMD_SANDBOX a program that runs systemd.

usage: bench-restart.py [ROUNDS [QUICK_ROUNDS]]
"""
import statistics
import subprocess
import sys
import tempfile
import time

import peers

LIMIT = 1.3
UPTIME_SECONDS = 1.3
TITLES = ("peer", "n", "median", "p90", "p99", "from kill", "ratio", "lost")


class Measured:
    def __init__(self, peer):
        self.peer = peer
        self.client = subprocess.Popen(
            peer.client(peers.helper("restart-client"), str(peer.port)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.clear()

    def clear(self):
        self.from_death, self.from_kill, self.lost, self.last = [], [], 0, 0.0

    def round(self):
        self.client.stdin.write("\n")
        self.client.stdin.flush()
        line = self.client.stdout.readline()
        if not line:
            sys.exit(f"bench-restart: the client of {self.peer.name} has ended")
        from_death, from_kill, lost = map(int, line.split())
        self.from_death.append(from_death / 1e6)
        self.from_kill.append(from_kill / 1e6)
        self.lost += lost
        self.last = time.monotonic()

    def stop(self):
        self.client.stdin.close()
        self.client.wait(10)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def show(title, measured):
    base = statistics.median(measured[0].from_death)
    print(f"\n{title} (milliseconds from the death to the next reply)")
    print("{:<26}{:>5}{:>10}{:>10}{:>10}{:>11}{:>8}{:>6}".format(*TITLES))
    for m in measured:
        median = statistics.median(m.from_death)
        print(f"{m.peer.name:<26}{len(m.from_death):>5}{median:>10.3f}"
              f"{percentile(m.from_death, 90):>10.3f}{percentile(m.from_death, 99):>10.3f}"
              f"{statistics.median(m.from_kill):>11.3f}{median / base:>8.2f}{m.lost:>6}")
    for m in measured:
        if m.peer.name.startswith("portkeeper"):
            ratio = statistics.median(m.from_death) / base
            print(f"limit {LIMIT} x bare loop, {m.peer.name}: {ratio:.2f}, "
                  f"{'met' if ratio <= LIMIT else 'NOT MET'}")
    sys.stdout.flush()


def rounds(measured, n, uptime):
    for _ in range(n):
        for m in measured:
            time.sleep(max(0.0, m.last + uptime - time.monotonic()))
            m.round()


def run(folder, n, n_quick):
    # the first of them is what all are compared with
    everybody = [
        peers.BareLoop("bare loop", folder, "fork"),
        peers.BareLoop("bare loop, vfork", folder, "vfork"),
        peers.Portkeeper("portkeeper", folder, "-p", "Restart=always", "-p", "RestartSec=0"),
        peers.Portkeeper("portkeeper, defaults", folder),
        peers.S6("s6-supervise", folder),
        peers.Runit("runit", folder),
        peers.Supervisord("supervisord", folder),
        peers.Systemd("systemd", folder),
    ]
    measured = []
    try:
        measured = [Measured(peer) for peer in peers.start_all(everybody)]
        rounds(measured, 2, UPTIME_SECONDS)  # page cache, branch predictors, malloc arenas
        for m in measured:
            m.clear()
        rounds(measured, n, UPTIME_SECONDS)
        show("killed after more than a second of uptime", measured)
        quick = [m for m in measured if m.peer.name != "portkeeper, defaults"]
        for m in quick:
            m.clear()
        rounds(quick, n_quick, 0)
        show("killed again at once", quick)
    finally:
        for m in measured:
            m.stop()
        for peer in everybody:
            peer.stop()


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    n_quick = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    peers.enter_own_network("bench-restart")
    with tempfile.TemporaryDirectory(prefix="portkeeper-bench-") as folder:
        run(folder, n, n_quick)


if __name__ == "__main__":
    main()
