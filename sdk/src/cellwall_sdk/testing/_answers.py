"""What came of a prompt: the answer with all that belongs to it, or the error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cellwall_wire as wire
from cellwall_wire import Code, ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PromptFailed", "Reply", "Running", "failed", "text_of"]

TAIL_CHARS = 4000
"""How much of what the plugin printed stands under a failure, in characters."""


class Reply(str):  # noqa: SLOT000 - it carries more than its text
    """A model's answer: the text itself, with all else that came.

    Attributes:
        reasoning: what the model thought.
        tool_calls: (name, arguments as JSON text) of each tool call.
        notes: remarks for the user.
        usage: tokens used, or None.
        finish: why the answer ended.
        result: the whole result, as it came over the wire.
        items: every item, as it came over the wire.
    """

    reasoning: str
    tool_calls: list[tuple[str, str]]
    notes: list[str]
    usage: wire.Usage | None
    finish: str
    result: wire.PromptResult
    items: list[Any]

    @property
    def text(self) -> str:
        """The answer as a plain string."""
        return str(self)

    @classmethod
    def of(cls, items: list[Any], result: wire.PromptResult) -> Reply:
        """Make a reply of what came."""
        reply = cls(text_of(items))
        reply.reasoning = text_of(items, "reasoning")
        reply.tool_calls = _tool_calls(items)
        reply.notes = [item.text for item in items if isinstance(item, wire.Note)]
        said = [item.usage for item in items if isinstance(item, wire.UsageItem)]
        reply.usage = result.usage or (said[-1] if said else None)
        reply.finish, reply.result, reply.items = result.finish, result, items
        return reply


class PromptFailed(Exception):
    """Raised when the plugin fails; the text is what the user would read.

    Notes under it hold the plugin's traceback, which names its author's file and line, and what it printed.

    Args:
        info: the error as it came over the wire.
        text: what the model had answered before.

    Attributes:
        kind: the stable name of the error, such as KeyMissing or Cancelled.
        hint: what the user can do, or None.
        items: every item that came before the error.
    """

    def __init__(self, info: ErrorInfo, text: str = "") -> None:
        super().__init__(info.message)
        self.info = info
        self.kind = info.kind
        self.hint = info.data.hint if info.data is not None else None
        self.text = text
        self.items: list[Any] = []
        detail = info.data.detail if info.data is not None else None
        if detail and detail.get("traceback"):
            self.add_note(str(detail["traceback"]))


class Running:
    """An answer while it comes: what `watch` is given after each group of items.

    Args:
        items: the items so far.
        cancel: tells the plugin that the answer is no longer wanted.
    """

    def __init__(self, items: list[Any], cancel: Callable[[str], None]) -> None:
        self.items = items
        self._cancel = cancel

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return text_of(self.items)

    @property
    def reasoning(self) -> str:
        """What the model has thought so far."""
        return text_of(self.items, "reasoning")

    def cancel(self, reason: str = "the test cancels") -> None:
        """Tell the plugin that the answer is no longer wanted; a second time changes nothing."""
        self._cancel(reason)


def failed(code: Code, message: str, *, text: str = "", printed: str = "") -> PromptFailed:
    """Make the error for what the host finds out by itself: a crash, a deadline, a broken protocol.

    Args:
        code: what it is.
        message: one sentence.
        text: what the model had answered before.
        printed: the last of what the plugin printed.
    """
    error = PromptFailed(ErrorInfo.of(code, message), text)
    add_printed(error, printed)
    return error


def add_printed(error: PromptFailed, printed: str) -> None:
    """Put what the plugin printed under an error."""
    if printed.strip():
        error.add_note(f"The plugin printed last:\n{printed[-TAIL_CHARS:].rstrip()}")


def text_of(items: Iterable[Any], kind: str = "text") -> str:
    """Join the text of all parts of a kind."""
    parts: set[int] = set()
    pieces: list[str] = []
    for item in items:
        if isinstance(item, wire.PartStart) and item.type == kind:
            parts.add(item.part)
        elif isinstance(item, wire.Delta) and item.part in parts:
            pieces.append(item.text)
    return "".join(pieces)


def _tool_calls(items: Iterable[Any]) -> list[tuple[str, str]]:
    arguments: dict[int, str] = {}
    names: dict[int, str] = {}
    for item in items:
        if isinstance(item, wire.PartStart) and item.type == "tool_call":
            names[item.part], arguments[item.part] = item.name or "", ""
        elif isinstance(item, wire.Args):
            arguments[item.part] = arguments.get(item.part, "") + item.json
    return [(names[part], arguments[part]) for part in names]
