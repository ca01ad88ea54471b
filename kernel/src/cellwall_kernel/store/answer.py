"""Stream items to the parts of an answer: what a running answer has arrived as, and what it is kept as.

An answer may be cut off anywhere, so the fold accepts every beginning of a stream: a part that never ended, a
tool call whose arguments are half a JSON text, usage without an end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cellwall_wire import Args, Delta, PartEnd, PartStart, UnknownItem, Usage, UsageItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwall_wire import Item

__all__ = ["Answer", "AnswerPart", "fold", "merged"]


@dataclass(slots=True)
class AnswerPart:
    """A part as far as it has arrived; of a tool call, `text` is the JSON text of its arguments.

    Attributes:
        start: the item that began it.
        pieces: its text, in the pieces that arrived.
        provider: opaque data of the plugin.
    """

    start: PartStart
    pieces: list[str] = field(default_factory=list[str])
    provider: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def text(self) -> str:
        """All of its text that has arrived."""
        return "".join(self.pieces)


@dataclass(slots=True)
class Answer:
    """An answer as far as it has arrived: its parts in order, and the last account of its usage."""

    parts: list[AnswerPart]
    usage: Usage | None

    def text_of(self, part_type: Literal["text", "reasoning"]) -> str:
        """Return the text of all parts of that type."""
        return "".join(part.text for part in self.parts if part.start.type == part_type)


def fold(items: Iterable[Item]) -> Answer:
    """Return the answer that the items make up."""
    parts: dict[int, AnswerPart] = {}
    usage: Usage | None = None
    for item in items:
        if isinstance(item, UsageItem):
            usage = item.usage
        elif isinstance(item, PartStart):
            parts.setdefault(item.part, AnswerPart(item, provider=dict(item.provider or {})))
        elif isinstance(item, (Delta, Args, PartEnd)):
            part = parts.setdefault(item.part, AnswerPart(PartStart(item.part, "text")))
            if isinstance(item, Delta):
                part.pieces.append(item.text)
            elif isinstance(item, Args):
                part.pieces.append(item.json)
            else:
                part.provider.update(item.provider or {})
    return Answer(list(parts.values()), usage)


def merged(items: Sequence[Item | UnknownItem]) -> list[Item]:
    """Return the items that make up the answer, neighbouring deltas of a part as one.

    Notes are for the moment, and items of unknown kinds mean nothing to us; neither is part of the answer.
    """
    result: list[Item] = []
    pieces: list[str] = []
    part = -1
    for item in items:
        if isinstance(item, Delta):
            if item.part != part:
                _flush(result, part, pieces)
                part = item.part
            pieces.append(item.text)
        elif isinstance(item, (PartStart, Args, PartEnd, UsageItem)):
            _flush(result, part, pieces)
            result.append(item)
    _flush(result, part, pieces)
    return result


def _flush(result: list[Item], part: int, pieces: list[str]) -> None:
    if pieces:
        result.append(Delta(part, "".join(pieces)))
        pieces.clear()
