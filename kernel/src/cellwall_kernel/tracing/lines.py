"""Bytes to lines for who only looks on: a line that is too long is cut, and nothing is ever refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONGEST_LINE_BYTES", "Lines"]

LONGEST_LINE_BYTES = 8 * 1024 * 1024 + 2
"""A longer line is no message; what is kept of it is its beginning."""


class Lines:
    """Bytes to lines, in linear time and bounded memory.

    Args:
        take: gets a line with its newline, and its size. A line that was too long has fewer bytes than that.
        most: how many bytes of a line are kept.
    """

    def __init__(self, take: Callable[[bytes, int], None], most: int) -> None:
        self._take = take
        self._most = most
        self._pieces: list[bytes] = []
        self._kept = 0
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take what came."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._keep(chunk[start : end + 1])
            self.finish()
            start = end + 1
        if start < len(chunk):
            self._keep(chunk[start:])

    def finish(self) -> None:
        """Hand over what there is of a line."""
        if self._size:
            line, size = b"".join(self._pieces), self._size
            self._pieces, self._kept, self._size = [], 0, 0
            self._take(line, size)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        fits = piece[: self._most - self._kept]
        if fits:
            self._pieces.append(fits)
            self._kept += len(fits)
