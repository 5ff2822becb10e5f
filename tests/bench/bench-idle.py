#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-idle: what portkeeper costs while nothing happens.

Memory: the PSS (proportional set size: own pages, and of shared ones the share) of `portkeeper
run` and portkeeperd together, from smaps_rollup. Wake-ups: how often the two were switched to
over a minute, voluntary and not. s6-supervise is measured the same way in the same minute.

Prints the limits (3 MiB, no wake-up) and whether they are met; asserts nothing. PSS depends on
who else maps the C library: on a busy machine it is a little smaller than on an empty one.

usage: bench-idle.py [SECONDS]
"""
import re
import sys
import tempfile
import time

import peers

PSS_LIMIT_KIB = 3 * 1024
QUIET_SECONDS = 7  # portkeeperd looks at its listeners for 5 s after a start
QUIET_TRIES = 6


def read(pid, name):
    with open(f"/proc/{pid}/{name}") as f:
        return f.read()


def pss_kib(pid):
    return int(re.search(r"^Pss:\s+(\d+) kB$", read(pid, "smaps_rollup"), re.M).group(1))


def switches(pid):
    return sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", read(pid, "status"))))


class Idle:
    def __init__(self, peer):
        self.peer = peer
        self.pids = peer.supervisors()
        self.before = self.after = None

    def count(self):
        return [switches(pid) for pid in self.pids]

    def show(self):
        for i, pid in enumerate(self.pids):
            print(f"{self.peer.name:<14}{read(pid, 'comm').strip():<16}"
                  f"{pss_kib(pid):>8}{self.after[i] - self.before[i]:>10}")
        if len(self.pids) > 1:
            print(f"{self.peer.name:<14}{'together':<16}{self.pss():>8}{self.woken():>10}")

    def pss(self):
        return sum(map(pss_kib, self.pids))

    def woken(self):
        return sum(self.after) - sum(self.before)


def wait_until_quiet(idle):
    """Start-up is over when nothing ran for longer than any of its timers."""
    for _ in range(QUIET_TRIES):
        before = [i.count() for i in idle]
        time.sleep(QUIET_SECONDS)
        if before == [i.count() for i in idle]:
            return
    print("bench-idle: not everything has become quiet")


def run(folder, seconds):
    everybody = [peers.Portkeeper("portkeeper", folder), peers.S6("s6-supervise", folder)]
    try:
        idle = [Idle(peer) for peer in peers.start_all(everybody)]
        wait_until_quiet(idle)
        for i in idle:
            i.before = i.count()
        time.sleep(seconds)
        for i in idle:
            i.after = i.count()
        print(f"{'peer':<14}{'process':<16}{'PSS KiB':>8}{'switches':>10}"
              f"   (in {seconds} idle seconds)")
        for i in idle:
            i.show()
        pss, woken = idle[0].pss(), idle[0].woken()
        print(f"limit {PSS_LIMIT_KIB} KiB, portkeeper: {pss}, "
              f"{'met' if pss <= PSS_LIMIT_KIB else 'NOT MET'}")
        print(f"limit 0 switches, portkeeper: {woken}, {'met' if woken == 0 else 'NOT MET'}")
    finally:
        for peer in everybody:
            peer.stop()


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    peers.enter_own_network("bench-idle")
    with tempfile.TemporaryDirectory(prefix="portkeeper-bench-") as folder:
        run(folder, seconds)


if __name__ == "__main__":
    main()
