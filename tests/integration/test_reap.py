# SPDX-License-Identifier: MIT
"""reap: ReapSec= ends the half-closed connections of a held port that nobody finishes."""
import re
import socket

from netns import in_namespace, states, wait_until
from supervised import PORT, Run, server
from test_arguments import without_capability

# accepts and never closes: each client that leaves stays behind in CLOSE_WAIT
HOARDER = "kept = []\nwhile True: kept.append(s.accept()[0])"


def half_closed(n):
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", PORT), 5):
            pass
    wait_until(lambda: states(PORT).get("CLOSE_WAIT") == n, f"{n} in CLOSE_WAIT")


@in_namespace
def test_quiet_half_closed_connections_are_ended_and_living_ones_are_not():
    with Run("-l", PORT, "-p", "ReapSec=300ms", "--", *server(HOARDER)) as run:
        run.wait_for("started")
        with socket.create_connection(("127.0.0.1", PORT), 5) as living:
            for _ in range(3):
                socket.create_connection(("127.0.0.1", PORT), 5).close()
            run.wait_for(r"ended \d of \d half-closed connections on 49200 that were quiet")
            wait_until(lambda: "CLOSE_WAIT" not in states(PORT))
            assert states(PORT)["ESTABLISHED"] == 1
            living.sendall(b"still here")


@in_namespace
def test_without_the_directive_they_stay():
    with Run("-l", PORT, "--", *server(HOARDER)) as run:
        run.wait_for("started")
        half_closed(3)


@in_namespace
def test_the_limit_shrinks_when_there_are_many():
    with Run("-l", PORT, "-p", "ReapSec=20s", "--", *server(HOARDER)) as run:
        run.wait_for("started")
        half_closed(1500)
        # 20 s for up to a hundred of them is 1.3 s for fifteen times as many
        said = run.wait_for(r"ended (\d+) of (\d+) half-closed .* quiet for (.*)", 15)
        assert re.match(r"1\.\d s|1 s", said[3]), said[0]
        assert int(said[2]) > 1000


@in_namespace
def test_without_the_right_it_says_so_once_and_goes_on():
    with Run("-l", PORT, "-p", "ReapSec=100ms", "--", *server(HOARDER),
             preexec_fn=without_capability(12)) as run:
        run.wait_for("started")
        half_closed(1)
        run.wait_for("ReapSec= cannot end connections here .* needs CAP_NET_ADMIN")
        assert run.process.poll() is None
        assert run.said().count("ReapSec=") == 1
