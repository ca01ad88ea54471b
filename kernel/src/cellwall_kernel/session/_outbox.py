"""What is to be written to a child: at once if the pipe takes it, else in two lanes, control before data."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.process.child import Child

__all__ = ["Outbox"]


class Outbox:
    """Lines on their way to a child; a line that was begun is finished before any other.

    Args:
        child: where they go.
        on_closed: is called once if the child no longer takes them.
    """

    def __init__(self, child: Child, on_closed: Callable[[], None]) -> None:
        self._child = child
        self._on_closed = on_closed
        self._begun: memoryview | None = None
        self._control: deque[bytes] = deque()
        self._data: deque[bytes] = deque()
        self._more = anyio.Event()
        self._open = True

    def put(self, line: bytes, *, is_control: bool = False) -> None:
        """Write a line, now or as soon as the pipe takes it; what is written to a closed pipe is dropped.

        Args:
            line: with its newline.
            is_control: it may overtake requests and data (cancel, credit, ping and its answer).
        """
        if not self._open:
            return
        if self._begun is not None:
            (self._control if is_control else self._data).append(line)
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
            self._begun, self._open = None, False
            self._control.clear()
            self._data.clear()
            self._on_closed()

    def _next(self) -> memoryview | None:
        lane = self._control or self._data
        return memoryview(lane.popleft()) if lane else None
