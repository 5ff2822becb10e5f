#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-load: clients connect all the time while the server crashes.

Eight clients connect at a steady rate (load-client.c); the server is killed with SIGKILL 200
times, some 20 times a second, at no particular moment of a connection. Of each connection it is
known what became of it: served; refused; reset while it still waited to be accepted; or lost
with the server that had accepted it, which no supervisor can mend (the server notes each
accept() in shared memory). The first two failures are portkeeper's: there should be none. The
bare loop is measured in the same way, for it holds its listener just as well.

Prints counts and rates; asserts nothing. PK_BUILDDIR names the build.

usage: bench-load.py [CRASHES [RATE]]
"""
import os
import subprocess
import sys
import tempfile

import peers

NOTES_SIZE = 1 << 17  # more than struct bench_notes takes
TITLES = ("peer", "crashes", "served", "refused", "reset", "lost", "connects/s")


def measure(peer, notes, crashes, rate):
    done = subprocess.run(
        [peers.helper("load-client"), str(peer.port), str(rate), str(crashes), notes],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=600)
    if done.returncode != 0:
        sys.exit("bench-load: the client failed")
    counts = list(map(int, done.stdout.split()))
    made = sum(counts[1:5]) * 1000 / counts[5]
    print(f"{peer.name:<16}" + "".join(f"{count:>9}" for count in counts[:5])
          + f"{made:>12.0f}", flush=True)
    return counts, made


def run(folder, crashes, rate):
    keep = peers.Portkeeper("portkeeper", folder, "-p", "Restart=always", "-p", "RestartSec=0")
    bare = peers.BareLoop("bare loop", folder, "fork")
    notes = os.path.join(folder, "notes")
    with open(notes, "wb") as f:
        f.truncate(NOTES_SIZE)
    try:
        print(f"{TITLES[0]:<16}" + "".join(f"{t:>9}" for t in TITLES[1:6])
              + f"{TITLES[6]:>12}")
        keep.start(environment={"BENCH_NOTES": notes})
        keep.wait_until_answers()
        counts, made = measure(keep, notes, crashes, rate)
        keep.stop()
        bare.start(environment={"BENCH_NOTES": notes})
        bare.wait_until_answers()
        measure(bare, notes, crashes, rate)
        failed = counts[2] + counts[3]
        print(f"limit 0 refused or reset at 500 connects/s or more, portkeeper: {failed} at "
              f"{made:.0f}, {'met' if failed == 0 and made >= 500 else 'NOT MET'}")
    finally:
        keep.stop()
        bare.stop()


def main():
    crashes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    peers.enter_own_network("bench-load")
    with tempfile.TemporaryDirectory(prefix="portkeeper-bench-") as folder:
        run(folder, crashes, rate)


if __name__ == "__main__":
    main()
