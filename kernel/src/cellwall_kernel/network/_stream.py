"""One end of a connection, read and written by hand.

At most one piece is held, so a slow reader slows down the writer and costs no memory.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PIECE_BYTES", "Stream", "TooLong"]

PIECE_BYTES = 64 * 1024
"""How much is read at once: what a loopback connection carries in one piece."""


class TooLong(Exception):
    """Raised when what was to come to an end within a limit did not."""


class Stream:
    """A connected TCP socket that belongs to this object; a context manager that closes it.

    Every method may raise `OSError` when the connection breaks.

    Args:
        sock: the socket.
        held: bytes that were read from it already.
    """

    def __init__(self, sock: socket.socket, held: bytes = b"") -> None:
        self._sock = sock
        self._held = held
        sock.setblocking(False)
        with suppress(OSError):  # it is a matter of speed only
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; nobody may be waiting for it any more."""
        self._sock.close()

    async def receive(self) -> bytes:
        """Return the next bytes; empty at the end."""
        if self._held:
            held, self._held = self._held, b""
            return held
        return await asyncio.get_running_loop().sock_recv(self._sock, PIECE_BYTES)

    async def receive_until(self, mark: bytes, limit_bytes: int) -> bytes:
        """Return everything up to `mark` and with it; what follows stays.

        Raises:
            TooLong: it has not come within `limit_bytes`.
            EOFError: the end has come before.
        """
        data = bytearray()
        while True:
            piece = await self.receive()
            if not piece:
                raise EOFError
            start = max(0, len(data) - len(mark))
            data += piece
            found = data.find(mark, start)
            end = found + len(mark)
            if found >= 0 and end <= limit_bytes:
                self._held = bytes(data[end:])
                return bytes(data[:end])
            if len(data) > limit_bytes:
                raise TooLong

    async def receive_at_most(self, limit_bytes: int) -> bytes:
        """Return the next bytes, at most so many; what is more stays.

        Raises:
            EOFError: there are none any more.
        """
        piece = await self.receive()
        if not piece:
            raise EOFError
        self._held = piece[limit_bytes:]
        return piece[:limit_bytes]

    async def send(self, data: bytes) -> None:
        """Send everything; returns when the system has taken it."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    def finish(self) -> None:
        """Tell the other side that nothing more will be sent."""
        with suppress(OSError):  # it has gone
            self._sock.shutdown(socket.SHUT_WR)
