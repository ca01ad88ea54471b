"""What of an answer is shown while it arrives, and remembered; its parts themselves are left to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_wire import Usage

__all__ = ["Arrivals", "Piece"]

NO_PART = -1


class Piece(NamedTuple):
    """Something to show at once: more text of the answer, more of what the model thinks, or a remark."""

    kind: Literal["text", "reasoning", "remark"]
    text: str


class Arrivals:
    """Takes the items of one answer as they arrive.

    Attributes:
        usage: what the model said last about tokens.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._kinds: dict[int, str] = {}
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return "".join(self._texts)

    def take(self, items: Iterable[object]) -> list[Piece]:
        """Take a batch of items.

        Items of unknown kinds are skipped, and text for a part that was never opened counts as answer text:
        a newer or careless plugin loses no words.

        Returns:
            What is to be shown, in order; neighbouring text of one part is one piece.
        """
        from cellwall_wire import Delta, Note, PartStart, UsageItem

        pieces: list[Piece] = []
        part, deltas = NO_PART, list[str]()
        for item in items:
            if isinstance(item, Delta):  # nearly every item is one
                if item.part != part:
                    self._add(pieces, part, deltas)
                    part, deltas = item.part, []
                deltas.append(item.text)
            elif isinstance(item, PartStart):
                self._kinds.setdefault(item.part, item.type)
            elif isinstance(item, UsageItem):
                self.usage = item.usage
            elif isinstance(item, Note):
                self._add(pieces, part, deltas)
                part, deltas = NO_PART, []
                pieces.append(Piece("remark", item.text))
        self._add(pieces, part, deltas)
        return pieces

    def _add(self, pieces: list[Piece], part: int, deltas: list[str]) -> None:
        """Add the text of some deltas, if it is of a part that people read."""
        kind = self._kinds.get(part, "text")
        text = "".join(deltas)
        if text and kind == "text":
            self._texts.append(text)
            pieces.append(Piece("text", text))
        elif text and kind == "reasoning":
            pieces.append(Piece("reasoning", text))
