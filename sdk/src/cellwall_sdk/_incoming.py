"""What the host sends for one call, on its way from the reader to the thread that waits for it.

The reader puts; the thread that runs the author's code takes. Coming back for more is what gives the host new
credit for the last, so a plugin that stops taking stops the host, at a bounded amount [P-43].
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from cellwall_wire import Credit, Limits, LocalError

if TYPE_CHECKING:
    from cellwall_wire import ErrorResponse, Response

    from ._link import Link

__all__ = ["WINDOW_BYTES", "Incoming"]

WINDOW_BYTES = Limits().window
"""How much of one stream may be under way, in bytes of data lines."""


class Incoming:
    """Items of one call, and how it ended.

    Attributes:
        arrived: something is new: items, the end, an answer, or a cancel of the call that waits.
        answer: the host's answer, to a call of ours.
        has_ended: no more items come.
    """

    __slots__ = ("_batches", "_taken", "answer", "arrived", "has_ended")

    def __init__(self) -> None:
        self.arrived = Event()
        self.answer: Response | ErrorResponse | None = None
        self.has_ended = False
        self._batches: deque[tuple[list[Any], int]] = deque()
        self._taken = 0

    # -- for the reader --------------------------------------------------------------------------------------

    def put(self, items: list[Any], cost: int, *, is_last: bool = False) -> None:
        """Add items as they came, with what they cost in bytes."""
        self._batches.append((items, cost))
        self.has_ended = self.has_ended or is_last
        self.arrived.set()

    def settle(self, answer: Response | ErrorResponse) -> None:
        """Note the answer; it is the end of the items."""
        self.answer = answer
        self.has_ended = True
        self.arrived.set()

    # -- for the thread that waits ---------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come that was not taken."""
        return not self._batches

    def take(self, link: Link, call_id: str) -> list[Any]:
        """Give everything that has come since, perhaps nothing, and credit for what was taken before.

        Args:
            link: the way to the host.
            call_id: the call.
        """
        if self._taken * 2 >= WINDOW_BYTES and not self.has_ended:
            with suppress(LocalError):  # it has ended meanwhile
                link.send(Credit(call_id, self._taken))
            self._taken = 0
        taken: list[Any] = []
        while self._batches:
            items, cost = self._batches.popleft()
            taken += items
            self._taken += cost
        return taken
