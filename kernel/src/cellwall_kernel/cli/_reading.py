"""Reading from a pipe, a file or a device without holding the event loop up."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

__all__ = ["read_when_ready"]

CHUNK_BYTES = 65_536
"""How much is read at a time."""


async def read_when_ready(fd: int) -> bytes:
    """Read what is there, waiting for it without holding anybody up; empty at the end."""
    import anyio

    if not stat.S_ISREG(os.fstat(fd).st_mode):  # a file is always ready, and cannot be waited for
        with suppress(PermissionError):  # likewise a device such as /dev/null
            await anyio.wait_readable(fd)
    return os.read(fd, CHUNK_BYTES)
