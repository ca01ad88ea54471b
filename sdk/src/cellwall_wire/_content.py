"""What a conversation is made of: messages, their parts, usage, and the items in which an answer streams.

All types ignore members they do not know, so that a newer peer can add some [P-13].
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Args",
    "AttachmentPart",
    "Delta",
    "Item",
    "Message",
    "Note",
    "Part",
    "PartEnd",
    "PartStart",
    "ReasoningPart",
    "Speaker",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "UnknownItem",
    "Usage",
    "UsageItem",
]

Speaker = Literal["system", "user", "assistant", "tool"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    provider: dict[str, Any] | None = None
    """Opaque data of the plugin that made the part; the host returns it unchanged in later prompts."""


class TextPart(_Part, frozen=True, tag="text"):
    """Text that somebody wrote or a model answered."""

    text: str


class ReasoningPart(_Part, frozen=True, tag="reasoning"):
    """What a model thought before it answered; `redacted` says that the text is withheld."""

    text: str = ""
    redacted: bool = False


class ToolCallPart(_Part, frozen=True, tag="tool_call"):
    """A model's wish to call a tool; `server_executed` says that the provider has run it already."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    server_executed: bool = False


class ToolResultPart(_Part, frozen=True, tag="tool_result"):
    """What a tool returned for the call of the same id."""

    call_id: str
    name: str = ""
    content: list[Part] = msgspec.field(default_factory=list[Any])
    is_error: bool = False


class AttachmentPart(_Part, frozen=True, tag="attachment"):
    """A file for a model: base64 bytes in `data`, a file name in the scratch folder in `blob`, or a `url`."""

    media_type: str | None = None
    data: str | None = None
    blob: str | None = None
    url: str | None = None
    name: str | None = None


Part = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | AttachmentPart


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a conversation."""

    role: Speaker
    parts: list[Part]
    provider: dict[str, Any] | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens used by a call, as far as the provider tells; `details` is the provider's own account."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    reasoning: int | None = None
    details: dict[str, Any] | None = None


class _Item(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="t"):
    pass


class PartStart(_Item, frozen=True, tag="part"):
    """A part of the answer begins; `part` counts from 0 and is never reused within an answer."""

    part: int
    type: Literal["text", "reasoning", "tool_call", "tool_result"]
    call_id: str | None = None
    name: str | None = None
    server_executed: bool = False
    redacted: bool = False
    provider: dict[str, Any] | None = None


class Delta(_Item, frozen=True, tag="delta"):
    """More text of a text, reasoning or tool_result part."""

    part: int
    text: str


class Args(_Item, frozen=True, tag="args"):
    """More of the JSON text of a tool call's arguments."""

    part: int
    json: str


class PartEnd(_Item, frozen=True, tag="end"):
    """A part is complete; `provider` is the opaque data to return with it."""

    part: int
    provider: dict[str, Any] | None = None


class UsageItem(_Item, frozen=True, tag="usage"):
    """Usage so far; it replaces what an earlier item said."""

    usage: Usage


class Note(_Item, frozen=True, tag="note"):
    """A remark for the user that is not part of the answer."""

    text: str
    level: Literal["info", "warning"] = "info"


Item = PartStart | Delta | Args | PartEnd | UsageItem | Note


class UnknownItem(msgspec.Struct, frozen=True, gc=False):
    """An item whose tag this version does not know; it counts and is otherwise skipped [P-13]."""

    raw: bytes
