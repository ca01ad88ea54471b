"""What a plugin prints: all of it is read, the end is remembered, a bounded part goes into a file for people.

A plugin must never wait because nobody reads its messages, and must not fill the disk with them: endless
lines are cut, a flood is thinned out, and the file is replaced when it is large.
"""

# ruff: noqa: PTH105 - descriptors all along

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StderrLog"]

TAIL_BYTES = 64 * 1024
"""How much of the end is remembered for error messages."""

PIECE_BYTES = 8 * 1024
"""A line that is longer is cut into pieces of this size."""

RATE_BYTES_PER_S = 64 * 1024
"""How much a plugin may add to the file each second, on average."""

BURST_BYTES = 256 * 1024
"""How much it may add at once: a long traceback, or a library's greeting."""

FILE_BYTES = 1024 * 1024
"""A larger file becomes `….1`, in place of the one before; two files of this size are kept at most."""

SHOWN_LINES = 20
"""How many of the last lines stand in an error's details."""

_CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))


class StderrLog:
    """Collects what one child prints.

    Args:
        path: the file to append to; None keeps no file.
        title: the first line of this child's part of the file.
        clock: seconds that only grow.
    """

    def __init__(
        self, path: str | None = None, *, title: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._title = title
        self._clock = clock
        self._tail = bytearray()
        self._column = 0
        self._allowance = float(BURST_BYTES)
        self._counted_at = clock()
        self._dropped = 0
        self._fd: int | None = None

    def feed(self, chunk: bytes) -> None:
        """Take what was read; never waits and never raises: a full disk is no reason to lose an answer."""
        chunk = self._cut(chunk)
        self._tail += chunk
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        if self._path is not None:
            self._keep(chunk)

    def last_lines(self, count: int = SHOWN_LINES) -> str:
        """Return the last lines, oldest first, without what would steer a terminal."""
        text = (
            bytes(self._tail[-TAIL_BYTES:])
            .decode("utf-8", "replace")
            .replace("\r\n", "\n")
            .replace("\r", "\n")
        )
        lines = [line.translate(_CONTROL).rstrip() for line in text.split("\n")]
        return "\n".join([line for line in lines if line][-count:])

    def close(self) -> None:
        """Write what is due and let go of the file."""
        if self._dropped:
            self._write(self._notice())
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._path = None, None

    def _cut(self, chunk: bytes) -> bytes:
        end = chunk.rfind(b"\n")
        if end < 0 and self._column + len(chunk) <= PIECE_BYTES:
            self._column += len(chunk)
            return chunk
        pieces: list[bytes] = []
        for number, line in enumerate(chunk.split(b"\n")):
            if number:
                pieces.append(b"\n")
                self._column = 0
            start = 0
            while self._column + len(line) - start > PIECE_BYTES:
                fits = PIECE_BYTES - self._column
                pieces += (line[start : start + fits], b"\n")
                start, self._column = start + fits, 0
            pieces.append(line[start:])
            self._column += len(line) - start
        return b"".join(pieces)

    def _keep(self, chunk: bytes) -> None:
        now = self._clock()
        self._allowance = min(BURST_BYTES, self._allowance + (now - self._counted_at) * RATE_BYTES_PER_S)
        self._counted_at = now
        fits = min(len(chunk), int(self._allowance))
        self._allowance -= fits
        if fits and self._dropped:
            self._write(self._notice())
        if fits:
            self._write(chunk[:fits])
        self._dropped += len(chunk) - fits

    def _notice(self) -> bytes:
        dropped, self._dropped = self._dropped, 0
        return f"\n[{dropped} bytes are left out here: the plugin printed faster than is kept]\n".encode()

    def _write(self, content: bytes) -> None:
        try:
            if self._fd is None:
                self._open()
            if self._fd is not None:
                os.write(self._fd, content)
        except OSError:
            self._path = None  # the messages stay in memory, and that is enough

    def _open(self) -> None:
        if self._path is None:
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.fstat(fd).st_size > FILE_BYTES:
            os.close(fd)
            os.replace(self._path, self._path + ".1")
            fd = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        self._fd = fd
        stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
        os.write(fd, f"--- {stamp} {self._title}\n".encode("utf-8", "replace"))
