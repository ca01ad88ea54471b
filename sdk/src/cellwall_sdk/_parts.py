"""What a model reads and writes: messages, their parts, stream events, tools, usage.

The shapes and names are those that plugin authors know from `llm`. They are not the wire's own types:
`_prompt` makes these from what came over the wire, and `_answer` turns what a model yields back into stream
items.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ._attachments import Attachment

__all__ = [
    "AttachmentPart",
    "Message",
    "Part",
    "ReasoningPart",
    "StreamEvent",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolCallPart",
    "ToolResult",
    "ToolResultPart",
    "Usage",
]

EventType = Literal["text", "reasoning", "tool_call_name", "tool_call_args", "tool_result"]


class StreamEvent(msgspec.Struct):
    """A piece of an answer that is more than plain text; a model yields it in place of a string.

    Args:
        type: text, reasoning, tool_call_name, tool_call_args (a piece of JSON) or tool_result.
        chunk: the text of the piece.
        part_index: forces pieces of one index into one part; by default neighbours of one kind belong
        together, and
            the pieces of a tool call are those of one `tool_call_id`.
        tool_call_id: the provider's id of the tool call.
        server_executed: the provider runs the tool itself.
        tool_name: the tool's name, for tool_call_args and tool_result.
        redacted: reasoning took place and its text is withheld.
        provider_metadata: opaque data to be given back with the part in the next prompt.
        message_index: a provider that answers with several messages counts them here; a new index starts a
        new part.
    """

    type: EventType
    chunk: str
    part_index: int | None = None
    tool_call_id: str | None = None
    server_executed: bool = False
    tool_name: str | None = None
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None
    message_index: int = 0


class ToolCall(msgspec.Struct):
    """A model's wish to have a tool called."""

    name: str
    arguments: dict[str, Any]
    tool_call_id: str | None = None


class ToolResult(msgspec.Struct):
    """What a tool returned for an earlier call."""

    name: str
    output: str
    attachments: list[Attachment] = []
    tool_call_id: str | None = None
    exception: str | None = None
    """The error's text, where the tool failed."""


class Tool(msgspec.Struct):
    """A tool that the model may ask for; the host runs it."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}


class Usage(msgspec.Struct):
    """Tokens that an answer cost, as far as the provider tells."""

    input: int | None = None
    output: int | None = None
    details: dict[str, Any] | None = None


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """Text that somebody wrote or a model answered."""

    text: str = ""
    provider_metadata: dict[str, Any] | None = None


class ReasoningPart(msgspec.Struct, tag_field="type", tag="reasoning"):
    """What a model thought before it answered."""

    text: str = ""
    redacted: bool = False
    provider_metadata: dict[str, Any] | None = None


class ToolCallPart(msgspec.Struct, tag_field="type", tag="tool_call"):
    """A tool call that a model made."""

    name: str = ""
    arguments: dict[str, Any] = {}
    tool_call_id: str | None = None
    server_executed: bool = False
    provider_metadata: dict[str, Any] | None = None


class ToolResultPart(msgspec.Struct, tag_field="type", tag="tool_result"):
    """What a tool returned."""

    name: str = ""
    output: str = ""
    tool_call_id: str | None = None
    server_executed: bool = False
    attachments: list[Attachment] = []
    exception: str | None = None
    provider_metadata: dict[str, Any] | None = None


class AttachmentPart(msgspec.Struct, tag_field="type", tag="attachment"):
    """A file in a message."""

    attachment: Attachment
    provider_metadata: dict[str, Any] | None = None


Part = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | AttachmentPart


class Message(msgspec.Struct):
    """One turn of a conversation: who speaks (system, user, assistant or tool), and what is said."""

    role: str
    parts: list[Part] = []
    provider_metadata: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))
