"""What a model yields, turned into the parts and items of the wire.

Strings make one text part. StreamEvents are sorted into parts: neighbours of one kind belong together, the
pieces of a tool call are those of one id, a `part_index` overrides both. A part is ended as soon as something
else begins that cannot add to it; open tool calls and indexed parts stay open until the answer ends, because
providers interleave them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cellwall_wire import PartEnd, PartStart

from ._parts import StreamEvent, ToolCall
from .errors import BadOutput

if TYPE_CHECKING:
    from ._emit import Emitter

__all__ = ["Answer", "a_kind", "is_pieces"]

TEXTS_KEPT = 512
"""After how many pieces the text so far is joined into longer strings, which take less memory."""

Kind = Literal["text", "reasoning", "tool_call", "tool_result"]

_KIND_OF: dict[str, Kind] = {
    "text": "text",
    "reasoning": "reasoning",
    "tool_call_name": "tool_call",
    "tool_call_args": "tool_call",
    "tool_result": "tool_result",
}


class _OpenPart:
    """A part that has begun and not ended."""

    __slots__ = (
        "call_id",
        "kind",
        "lasting",
        "message",
        "name",
        "number",
        "provider",
        "redacted",
        "server_executed",
    )

    def __init__(self, number: int, kind: Kind, event: StreamEvent, *, lasting: bool) -> None:
        self.number = number
        self.kind = kind
        self.lasting = lasting
        self.message = event.message_index
        self.call_id = _text_or_none(event.tool_call_id)
        self.name = _text_or_none(event.tool_name)
        self.redacted = bool(event.redacted)
        self.server_executed = bool(event.server_executed)
        self.provider: dict[str, Any] | None = None


class Answer:
    """Collects what a model yields and streams it.

    Args:
        emitter: where the items go.
    """

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._next = 0
        self._plain: int | None = None  # the number of the text part that strings go to
        self._last: _OpenPart | None = None
        self._by_index: dict[int, _OpenPart] = {}
        self._by_call: dict[str, _OpenPart] = {}
        self._tool_calls: list[_OpenPart] = []
        self._texts: list[str] = []
        self._joined: list[str] = []

    @property
    def text(self) -> str:
        """The text answered so far, without reasoning and tool calls."""
        return "".join([*self._joined, *self._texts])

    @property
    def asks_for_tools(self) -> bool:
        """Whether the answer holds a tool call that the host has to run."""
        return any(not part.server_executed for part in self._tool_calls)

    def put(self, piece: Any) -> None:
        """Add what a model yielded: a string or a StreamEvent.

        Raises:
            BadOutput: it is neither.
            Cancelled: the host no longer wants the answer.
        """
        if isinstance(piece, str):
            if piece:
                self.put_text(piece)
        elif isinstance(piece, StreamEvent):
            self._put_event(piece)
        else:
            raise BadOutput(_complaint(piece))

    def add_tool_calls(self, calls: list[ToolCall]) -> None:
        """Add the calls given to response.add_tool_call(), except those that were yielded as events, too."""
        yielded = list(self._tool_calls)
        for call in calls:
            same = next((part for part in yielded if _is_same(part, call)), None)
            if same is not None:
                yielded.remove(same)
                continue
            self._put_event(StreamEvent("tool_call_name", call.name, tool_call_id=call.tool_call_id))
            self._emitter.arguments(self._tool_calls[-1].number, _json(call.arguments))

    def end(self) -> None:
        """End every part that is still open; nothing but the call's response may follow."""
        numbers = {part.number: part.provider for part in (*self._by_index.values(), *self._by_call.values())}
        if self._last is not None:
            numbers[self._last.number] = self._last.provider
        if self._plain is not None:
            numbers[self._plain] = None
        for number in sorted(numbers):
            self._emitter.item(PartEnd(number, numbers[number]), last=True)
        self._by_index.clear()
        self._by_call.clear()
        self._plain = self._last = None

    # -- plain text, the usual case --------------------------------------------------------------------------

    def put_text(self, text: str) -> None:
        """Add a string that is not empty; raises as put()."""
        plain = self._plain
        if plain is not None:
            self._emitter.text(plain, text)
        elif self._last is not None and self._last.kind == "text":
            self._put_event(StreamEvent("text", text))
            return
        else:
            self._leave_last()
            self._plain = plain = self._next
            self._next += 1
            self._emitter.text(plain, text, PartStart(plain, "text"))
        texts = self._texts
        texts.append(text)
        if len(texts) >= TEXTS_KEPT:
            self._joined.append("".join(texts))
            texts.clear()

    # -- events ----------------------------------------------------------------------------------------------

    def _put_event(self, event: StreamEvent) -> None:
        kind = _KIND_OF.get(event.type)
        if kind is None:
            raise BadOutput(
                f"The model yielded a StreamEvent of type '{event.type}'; known are {', '.join(_KIND_OF)}."
            )
        chunk: Any = event.chunk  # nothing keeps an author from putting something else into it
        if not isinstance(chunk, str):
            raise BadOutput(
                f"The model yielded a StreamEvent whose chunk is a {type(chunk).__name__}, not a str."
            )
        if event == StreamEvent("text", event.chunk) and (self._plain is not None or self._last is None):
            if event.chunk:
                self.put_text(event.chunk)
            return
        part = self._part_of(event, kind)
        if event.provider_metadata:
            part.provider = {**(part.provider or {}), **event.provider_metadata}  # the last of each key wins
        if event.type == "tool_call_args":
            self._emitter.arguments(part.number, event.chunk)
        elif event.type != "tool_call_name" and event.chunk:
            self._emitter.text(part.number, event.chunk)
            if kind == "text":
                self._texts.append(event.chunk)
        if kind == "tool_result":
            self._leave_last()

    def _part_of(self, event: StreamEvent, kind: Kind) -> _OpenPart:
        """Find the open part an event belongs to, or start one."""
        if event.part_index is not None:
            part = self._by_index.get(event.part_index)
        elif kind == "tool_call" and event.tool_call_id:
            part = self._by_call.get(str(event.tool_call_id))
        else:
            part = self._last if self._continues(event, kind) else None
        if part is not None and part.kind == kind:
            if part is not self._last:
                self._leave_last()
                self._last = part
            return part
        return self._begin(event, kind)

    def _continues(self, event: StreamEvent, kind: Kind) -> bool:
        """Whether an event that names no part adds to the last one."""
        last = self._last
        return (
            last is not None
            and last.kind == kind
            and last.message == event.message_index
            and last.redacted == event.redacted
            and event.type not in ("tool_call_name", "tool_result")  # these begin something
        )

    def _begin(self, event: StreamEvent, kind: Kind) -> _OpenPart:
        self._leave_last()
        part = _OpenPart(self._next, kind, event, lasting=event.part_index is not None or kind == "tool_call")
        if event.type == "tool_call_name":
            part.name = event.chunk
        if kind == "tool_call" and part.call_id is None:
            part.call_id = (
                f"call-{os.urandom(8).hex()}"  # some providers give none; the result must find its call
            )
        self._start(
            PartStart(
                part.number,
                kind,
                call_id=part.call_id,
                name=part.name,
                server_executed=part.server_executed,
                redacted=part.redacted,
            )
        )
        if event.part_index is not None:
            self._by_index[event.part_index] = part
        if kind == "tool_call":
            self._tool_calls.append(part)
            self._by_call[part.call_id or ""] = part
        self._last = part
        return part

    def _leave_last(self) -> None:
        """End the last part, unless later events may still add to it."""
        if self._plain is not None:
            self._emitter.item(PartEnd(self._plain))
            self._plain = None
        if self._last is not None and not self._last.lasting:
            self._end_part(self._last)
        self._last = None

    def _start(self, start: PartStart) -> int:
        self._emitter.item(start)
        self._next += 1
        return start.part

    def _end_part(self, part: _OpenPart) -> None:
        self._emitter.item(PartEnd(part.number, part.provider))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def is_pieces(result: Any) -> bool:
    """Tell whether what `execute` returned can be taken one piece at a time."""
    return hasattr(result, "__iter__") and not isinstance(result, bytes | bytearray | dict)


def _is_same(part: _OpenPart, call: ToolCall) -> bool:
    if call.tool_call_id is not None:
        return part.call_id == str(call.tool_call_id)
    return part.name == call.name


def _json(arguments: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(arguments).decode()
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise BadOutput(f"The model's tool call has arguments that are not JSON: {error}.") from error


def _complaint(piece: Any) -> str:
    if isinstance(piece, bytes | bytearray):
        return f"The model yielded {type(piece).__name__}; it must yield str: decode it first."
    return f"The model yielded {a_kind(piece)}, not a str or a StreamEvent: {repr(piece)[:80]}"


def a_kind(value: Any) -> str:
    """Name a value's type with its article: "an int"."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
