"""Items on their way to a plugin: as much as it has given credit for, and as much as it reads.

The input of a call to it and the answer to a call of its own are the same thing seen from here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_wire import Args, Data, Delta, NoCredit, TooLarge

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from cellwall_kernel.session._outbox import Outbox
    from cellwall_wire import Connection

__all__ = ["Outflow"]


class Outflow:
    """The items that are sent for one call.

    Args:
        call_id: the call.
        wire: says what may be sent.
        outbox: where it goes.
        credit_left: tells how many bytes the plugin still takes for this call.

    Attributes:
        items_sent: how many items went out.
    """

    def __init__(
        self, call_id: str, wire: Connection, outbox: Outbox, credit_left: Callable[[str], int]
    ) -> None:
        self.items_sent = 0
        self._id = call_id
        self._wire = wire
        self._outbox = outbox
        self._credit_left = credit_left
        self._needed = 0
        self._news: Future[None] | None = None

    def push(self, rest: list[Any], *, end: bool = False) -> bool:
        """Send what can go now, in lines that are not too long.

        Args:
            rest: the items; those that went out are taken from it.
            end: nothing comes after them.

        Returns:
            whether all went out; else wait for `news` and push again.

        Raises:
            TooLarge: an item that cannot be cut fits no line.
            LocalError: an item has no JSON form, or the call is over.
        """
        while self._outbox.has_room and self._credit_left(self._id) >= self._needed:
            line, count = self._line(rest, end=end)
            if line is None:
                return False
            del rest[:count]
            self.items_sent += count
            self._outbox.put(line)
            if not rest:
                return True
        return False

    def news(self) -> Future[None]:
        """Return what is set once more can go out, or `tell` was called."""
        self._news = asyncio.get_running_loop().create_future()
        if not self._outbox.has_room:
            self._outbox.tell_room(self._news)
        return self._news

    def tell(self) -> None:
        """Have whoever waits look again: credit has come, or the call is over."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _line(self, rest: list[Any], *, end: bool) -> tuple[bytes | None, int]:
        """Return the longest line that may go now, and how many items are in it; items may be cut for it."""
        count = len(rest)
        while True:
            try:
                line = self._wire.send(Data(self._id, rest[:count], end=end and count == len(rest)))
            except TooLarge:
                if count == 1:
                    pieces = _halves(rest[0])
                    if pieces is None:
                        raise
                    rest[:1] = pieces
                count = max(1, count // 2)
            except NoCredit as error:
                if count <= 1:
                    self._needed = error.needed  # no smaller grant is worth another try
                    return None, 0
                count //= 2
            else:
                self._needed = 0
                return line, count


def _halves(item: Any) -> list[Any] | None:
    """Cut a text in two; None for what cannot be cut."""
    match item:
        case Delta(text=text) if len(text) > 1:
            return [msgspec.structs.replace(item, text=half) for half in _cut(text)]
        case Args(json=text) if len(text) > 1:
            return [msgspec.structs.replace(item, json=half) for half in _cut(text)]
        case _:
            return None


def _cut(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]
