"""Ids that sort by time: ULIDs, which are 48 bits of milliseconds and 80 random bits, in small letters."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["new_ulid"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_lock = threading.Lock()
_last = {"pid": 0, "value": 0}


def new_ulid() -> str:
    """Return a new id of 26 characters, greater than every one that this process got before."""
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
        # Within one millisecond, or when the clock is set back, count on; but a forked child must not count
        # like its parent.
        counts_on = _last["pid"] == os.getpid() and fresh <= _last["value"]
        value = _last["value"] + 1 if counts_on else fresh
        _last.update(pid=os.getpid(), value=value)
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
