"""What is to be written to a child: at once if the pipe takes it, else in two lanes, control before data."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from cellwall_kernel.process.child import Child

__all__ = ["Outbox"]

ROOM_BYTES = 256 * 1024
"""How much may wait here before streams wait, too: credit says what a child may get, not what it reads."""


class Outbox:
    """Lines on their way to a child; a line that was begun is finished before any other.

    Args:
        child: where they go.
        on_closed: is called once if the child no longer takes them.

    Attributes:
        unread: how many answers to the child wait here because it does not read; what it asks for without
            reading must not fill our memory.
    """

    def __init__(self, child: Child, on_closed: Callable[[], None]) -> None:
        self._child = child
        self._on_closed = on_closed
        self._begun: memoryview | None = None
        self.unread = 0
        self._control: deque[tuple[bytes, bool]] = deque()
        self._data: deque[tuple[bytes, bool]] = deque()
        self._waiting_bytes = 0
        self._for_room: list[Future[None]] = []
        self._more = anyio.Event()
        self._open = True

    @property
    def has_room(self) -> bool:
        """Whether a stream may put another line here."""
        return self._waiting_bytes < ROOM_BYTES

    def tell_room(self, news: Future[None]) -> None:
        """Set a future once there is room."""
        self._for_room.append(news)

    def put(self, line: bytes, *, is_control: bool = False, is_answer: bool = False) -> None:
        """Write a line, now or as soon as the pipe takes it; what is written to a closed pipe is dropped.

        Args:
            line: with its newline.
            is_control: it may overtake requests and data (cancel, credit, ping and its answer).
            is_answer: the child has asked for it.
        """
        if not self._open:
            return
        if self._begun is not None:
            (self._control if is_control else self._data).append((line, is_answer))
            self.unread += is_answer
            self._waiting_bytes += len(line)
            return
        self._begun = memoryview(line)
        self._flush()

    async def run(self) -> None:
        """Write what the pipe did not take at once; runs as long as the session."""
        while True:
            await self._more.wait()
            while self._begun is not None:
                await self._child.wait_writable()
                self._flush()
            self._more = anyio.Event()

    def _flush(self) -> None:
        try:
            while self._begun is not None:
                written = self._child.write_some(self._begun)
                if written < len(self._begun):
                    self._begun = self._begun[written:]
                    self._more.set()
                    return
                self._begun = self._next()
        except OSError:
            self._begun, self._open, self.unread, self._waiting_bytes = None, False, 0, 0
            self._control.clear()
            self._data.clear()
            self._give_room()
            self._on_closed()

    def _next(self) -> memoryview | None:
        lane = self._control or self._data
        if not lane:
            return None
        line, is_answer = lane.popleft()
        self.unread -= is_answer
        self._waiting_bytes -= len(line)
        if self._for_room and self.has_room:
            self._give_room()
        return memoryview(line)

    def _give_room(self) -> None:
        waiting, self._for_room = self._for_room, []
        for news in waiting:
            if not news.done():
                news.set_result(None)
