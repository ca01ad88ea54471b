"""The three standard streams, of which a caller may have closed any.

With descriptor 1 closed, the next file that is opened gets the number 1: the log database, for instance,
and then an answer that is printed is written into it. So each closed one is opened on /dev/null before
anything else happens.
"""

from __future__ import annotations

import os
import sys

__all__ = ["open_standard_streams"]


def open_standard_streams() -> None:
    """Make descriptors 0, 1 and 2 valid, and `sys.stdin`, `sys.stdout` and `sys.stderr` usable."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, "r", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
