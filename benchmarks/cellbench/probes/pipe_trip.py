"""Ping-pong of a fixed number of bytes between two Python processes: the floor of any round trip.

python -m cellbench.probes.pipe_trip REQUEST_BYTES RESPONSE_BYTES COUNT
"""

from __future__ import annotations

import os
import subprocess
import sys

from cellbench.probes.trips import Trips, pin_if_asked, print_figures

__all__: list[str] = []

_CHILD = """
import os, sys
request_bytes, response = int(sys.argv[1]), b"x" * (int(sys.argv[2]) - 1) + b"\\n"
while True:
    have = 0
    while have < request_bytes:
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit()
        have += len(chunk)
    os.write(1, response)
"""


def _main(request_bytes: int, response_bytes: int, count: int) -> None:
    request = b"x" * (request_bytes - 1) + b"\n"
    argv = [sys.executable, "-I", "-S", "-c", _CHILD, str(request_bytes), str(response_bytes)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        to_child, from_child = child.stdin.fileno(), child.stdout.fileno()
        trips = Trips(count)
        for _ in trips:
            os.write(to_child, request)
            have = 0
            while have < response_bytes:
                have += len(os.read(from_child, 65536))
    print_figures(trips.figures())


if __name__ == "__main__":
    pin_if_asked()
    _main(*map(int, sys.argv[1:4]))
