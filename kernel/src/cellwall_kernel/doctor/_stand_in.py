"""A process that stands in for the host while a probe tries to harm it; run by path.

Standard library only. Its memory and environment hold the token; it counts the signals that reach it. It says
where its token is, answers each line with how it stands, and ends with its input.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

__all__ = ["main"]

PR_SET_PTRACER, ANYBODY = 0x5961_6D61, -1


def main() -> None:
    """Stand in until the input ends."""
    signals = 0

    def count(_number: int, _frame: object) -> None:
        nonlocal signals
        signals += 1

    signal.signal(signal.SIGCONT, count)
    if sys.platform == "linux":  # where only parents may trace, the probe is let, so that the wall is tested
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(ANYBODY), 0, 0, 0)
    token = os.environb[b"CELLWALL_TOKEN"]
    canary = os.open(sys.argv[1], os.O_RDONLY)
    tell({"pid": os.getpid(), "address": id(token) + bytes.__basicsize__ - 1, "fd": canary})
    for _ in sys.stdin.buffer:
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        tell(
            {"signal": signals, "renice": niceness, "prlimit": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}
        )


def tell(facts: dict[str, int]) -> None:
    """Write a line."""
    os.write(1, json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
