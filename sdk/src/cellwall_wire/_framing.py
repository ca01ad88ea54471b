"""Bytes to lines: the framing of the protocol, linear in its input and bounded in memory.

A line ends with a newline; a carriage return before it is dropped; blank lines do not count [P-10, P-12].
The unfinished line is one buffer that grows in place and is copied once, when its newline arrives: a string
that is joined anew for each chunk would cost the square of the line's length, and a list of chunks costs
fifty bytes for every two that a slow writer sends. `splitlines` is never used, because JSON text may hold
U+2028 raw.

Worst case: a line of n bytes that comes in k pieces costs O(n + k) time and little more than n bytes of
memory, twice that once it is complete; and n never exceeds `limit` by more than the last chunk.
"""

from __future__ import annotations

from collections import deque

__all__ = ["LineBuffer", "LineTooLong"]


class LineTooLong(Exception):
    """Raised when a line exceeds the limit; `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a line is longer than {limit} bytes")
        self.limit = limit


class LineBuffer:
    """Collects chunks and gives lines.

    Args:
        limit: the longest line in bytes, without its newline. It may be changed between two calls.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lines: deque[bytes] = deque()
        self._unfinished = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add bytes as they were read; any size, cut anywhere."""
        head, newline, rest = chunk.partition(b"\n")
        if not newline:
            self._unfinished += chunk
            return
        if self._unfinished:
            self._unfinished += head
            head = self.take_rest()
        self._lines.append(head)
        if rest:
            *lines, last = rest.split(b"\n")
            self._lines.extend(lines)
            self._unfinished += last

    def next_line(self) -> bytes | None:
        """Give the next line that is not blank, without its end, or None when more bytes are needed.

        Raises:
            LineTooLong: the line, finished or not, exceeds the limit.
        """
        while self._lines:
            line = self._lines.popleft()
            if line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > self.limit:
                raise LineTooLong(self.limit)
            if line and not line.isspace():
                return line
        if len(self._unfinished) - self._unfinished.endswith(b"\r") > self.limit:
            self._unfinished.clear()
            raise LineTooLong(self.limit)
        return None

    def take_rest(self) -> bytes:
        """Give the bytes of the unfinished line and forget them; for the end of the stream."""
        rest = bytes(self._unfinished)
        self._unfinished.clear()
        return rest

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished line are held."""
        return len(self._unfinished)
