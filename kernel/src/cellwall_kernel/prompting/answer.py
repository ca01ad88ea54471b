"""Putting an answer together from the items in which it streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_wire import Part, PartEnd, PartStart, Usage

__all__ = ["AnswerParts", "Piece"]

Kind = Literal["text", "reasoning", "remark"]


class Piece(NamedTuple):
    """Something to show at once: more text of the answer, more of what the model thinks, or a remark."""

    kind: Kind
    text: str


class _Part:
    """A part while it grows."""

    __slots__ = ("chunks", "provider", "start")

    def __init__(self, start: PartStart) -> None:
        self.start = start
        self.chunks: list[str] = []
        self.provider = start.provider

    def end(self, end: PartEnd) -> None:
        """Take what stands at the end of the part."""
        if end.provider is not None:
            self.provider = end.provider


class AnswerParts:
    """The parts of one answer, in order; `take` items as they arrive.

    Attributes:
        usage: what the model said last about tokens.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._parts: dict[int, _Part] = {}

    def take(self, items: Iterable[object]) -> list[Piece]:
        """Add items.

        Items of unknown kinds are skipped, and text for a part that was never opened counts as answer text:
        a newer or careless plugin loses no words.

        Returns:
            What is to be shown, neighbouring pieces of one kind joined.
        """
        from cellwall_wire import Args, Delta, Note, PartEnd, PartStart, UsageItem

        pieces: list[Piece] = []
        for item in items:
            match item:
                case Delta(part=index, text=text):
                    part = self._part(index)
                    part.chunks.append(text)
                    kind = part.start.type
                    if kind == "text" or kind == "reasoning":  # noqa: PLR1714 - so checkers narrow the type
                        show(pieces, kind, text)
                case PartStart(part=index):
                    self._parts.setdefault(index, _Part(item))
                case Args(part=index, json=text):
                    self._part(index).chunks.append(text)
                case PartEnd(part=index):
                    self._part(index).end(item)
                case UsageItem(usage=usage):
                    self.usage = usage
                case Note(text=text):
                    show(pieces, "remark", text)
                case _:
                    pass
        return pieces

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._joined("text")

    @property
    def reasoning(self) -> str:
        """What the model thought so far."""
        return self._joined("reasoning")

    @property
    def parts(self) -> list[Part]:
        """The answer as parts of a message."""
        return [finished(part) for part in self._parts.values()]

    def _part(self, index: int) -> _Part:
        part = self._parts.get(index)
        if part is None:
            from cellwall_wire import PartStart

            part = self._parts[index] = _Part(PartStart(part=index, type="text"))
        return part

    def _joined(self, kind: str) -> str:
        return "".join(
            chunk for part in self._parts.values() if part.start.type == kind for chunk in part.chunks
        )


def show(pieces: list[Piece], kind: Kind, text: str) -> None:
    """Append a piece, or join it to the last one if that is text of the same kind."""
    if pieces and pieces[-1].kind == kind and kind != "remark":
        pieces[-1] = Piece(kind, pieces[-1].text + text)
    else:
        pieces.append(Piece(kind, text))


def finished(part: _Part) -> Part:
    """Make the wire's part of one that has grown."""
    from cellwall_wire import ReasoningPart, TextPart, ToolCallPart, ToolResultPart

    text = "".join(part.chunks)
    start = part.start
    match start.type:
        case "reasoning":
            return ReasoningPart(text=text, redacted=start.redacted, provider=part.provider)
        case "tool_call":
            return ToolCallPart(
                call_id=start.call_id or "",
                name=start.name or "",
                arguments=parsed_arguments(text),
                server_executed=start.server_executed,
                provider=part.provider,
            )
        case "tool_result":
            return ToolResultPart(
                call_id=start.call_id or "",
                name=start.name or "",
                content=[TextPart(text=text)],
                provider=part.provider,
            )
        case _:
            return TextPart(text=text, provider=part.provider)


def parsed_arguments(text: str) -> dict[str, Any]:
    """Read a tool call's arguments; what is no JSON object is kept under one name, for the log."""
    import msgspec

    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {"unreadable_arguments": text}
