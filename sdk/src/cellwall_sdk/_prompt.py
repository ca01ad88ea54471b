"""What a model is asked: the prompt and the conversation before it, both made from one chain of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_wire import AttachmentPart as WireAttachment
from cellwall_wire import ReasoningPart as WireReasoning
from cellwall_wire import TextPart as WireText
from cellwall_wire import ToolCallPart as WireToolCall
from cellwall_wire import ToolResultPart as WireToolResult

from ._attachments import Attachment
from ._parts import (
    AttachmentPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCall,
    ToolCallPart,
    ToolResult,
    ToolResultPart,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_wire import Message as WireMessage
    from cellwall_wire import Part as WirePart
    from cellwall_wire import PromptParams

    from ._models import Model
    from ._options import Options

__all__ = ["Conversation", "PastPrompt", "PastResponse", "Prompt", "read_messages"]


class _Turn:
    """The view of a chain of messages as one turn: what was asked last, and what stands before it."""

    __slots__ = ("messages",)

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = list(messages)
        """The whole chain: what the model is sent, system prompt and history included."""

    def asked(self) -> list[Message]:
        """Give the messages after the last answer, in order."""
        count = 0
        for message in reversed(self.messages):
            if message.role not in ("user", "tool"):
                break
            count += 1
        return self.messages[len(self.messages) - count :]

    @property
    def prompt(self) -> str:
        """The text the user wrote last; "" when tool results are what is new."""
        return "\n".join(message.text for message in self.asked() if message.role == "user")

    @property
    def system(self) -> str | None:
        """The system prompt."""
        texts = [message.text for message in self.messages if message.role == "system"]
        return "\n\n".join(texts) if texts else None

    @property
    def attachments(self) -> list[Attachment]:
        """The files that came with the user's last text."""
        parts = [part for message in self.asked() if message.role == "user" for part in message.parts]
        return [part.attachment for part in parts if isinstance(part, AttachmentPart)]

    @property
    def tool_results(self) -> list[ToolResult]:
        """What tools returned since the last answer."""
        return [
            ToolResult(part.name, part.output, part.attachments, part.tool_call_id, part.exception)
            for message in self.asked()
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]

    @property
    def fragments(self) -> list[str]:
        """Always empty: the host has put fragments into the text."""
        return []

    @property
    def system_fragments(self) -> list[str]:
        """Always empty: the host has put fragments into the system prompt."""
        return []


class Prompt(_Turn):
    """What execute() is asked.

    Attributes:
        messages: the whole chain: what the model is sent, system prompt and history included.
        options: the model's options, checked; an instance of its `Options` class.
        schema: the JSON Schema that the answer must follow, or None.
        tools: the tools that the model may ask for; the host runs them.
        tool_choice: how the model must choose among the tools, or None.
        hide_reasoning: the user does not want to see what the model thinks.
        model: the model itself.
    """

    __slots__ = ("hide_reasoning", "model", "options", "schema", "tool_choice", "tools")

    options: Any

    def __init__(
        self, messages: Sequence[Message], model: Model, options: Options, params: PromptParams
    ) -> None:
        super().__init__(messages)
        self.model = model
        self.options = options
        self.schema = params.schema
        self.tools = [Tool(tool.name, tool.description, tool.input_schema) for tool in params.tools]
        self.tool_choice = params.tool_choice
        self.hide_reasoning = params.hide_reasoning


class PastPrompt(_Turn):
    """What was asked earlier in a conversation."""

    __slots__ = ()


class PastResponse:
    """What was answered earlier in a conversation.

    Attributes:
        prompt: what was asked.
        message: the answer's message, with all its parts.
        response_json: the provider's raw data of the answer, where the plugin had set it; else None.
    """

    __slots__ = ("message", "prompt", "response_json")

    def __init__(self, prompt: PastPrompt, message: Message) -> None:
        self.prompt = prompt
        self.message = message
        self.response_json = message.provider_metadata

    @property
    def attachments(self) -> list[Attachment]:
        """The files that came with what was asked."""
        return self.prompt.attachments

    def text(self) -> str:
        """Give the text that was answered, without reasoning and tool calls."""
        return self.message.text

    def text_or_raise(self) -> str:
        """Give the text that was answered; an answer of the past is always there."""
        return self.text()

    def tool_calls(self) -> list[ToolCall]:
        """Give the tool calls that the host was asked for, without those that the provider ran itself."""
        return [
            ToolCall(part.name, part.arguments, part.tool_call_id)
            for part in self.message.parts
            if isinstance(part, ToolCallPart) and not part.server_executed
        ]

    def tool_calls_or_raise(self) -> list[ToolCall]:
        """Give the same as tool_calls()."""
        return self.tool_calls()

    def messages(self) -> list[Message]:
        """Give the answer as a list of messages."""
        return [self.message]


class Conversation:
    """What was said before this prompt, both as messages and as responses; empty for a first prompt.

    Attributes:
        id: the conversation's id, or None.
        model: the model that is asked now.
    """

    __slots__ = ("_chain", "_responses", "id", "model")

    def __init__(self, prompt: Prompt, conversation_id: str | None) -> None:
        self.id = conversation_id
        self.model = prompt.model
        new = len(prompt.asked())
        self._chain = prompt.messages[: len(prompt.messages) - new]
        self._responses: list[PastResponse] | None = None

    @property
    def messages(self) -> list[Message]:
        """The messages before this prompt's own, without the system prompt."""
        return [message for message in self._chain if message.role != "system"]

    @property
    def responses(self) -> list[PastResponse]:
        """The earlier answers, oldest first, each with what was asked."""
        if self._responses is None:
            self._responses = [
                PastResponse(PastPrompt(self._chain[:index]), message)
                for index, message in enumerate(self._chain)
                if message.role == "assistant"
            ]
        return self._responses


def read_messages(messages: Sequence[WireMessage], scratch: str | None) -> list[Message]:
    """Turn the wire's messages into those that authors see.

    Args:
        messages: as received.
        scratch: the folder that holds blobs.
    """
    return [
        Message(message.role, [_part(part, scratch) for part in message.parts], message.provider)
        for message in messages
    ]


def _part(part: WirePart, scratch: str | None) -> Part:
    match part:
        case WireText():
            return TextPart(part.text, part.provider)
        case WireReasoning():
            return ReasoningPart(part.text, part.redacted, part.provider)
        case WireToolCall():
            return ToolCallPart(part.name, part.arguments, part.call_id, part.server_executed, part.provider)
        case WireToolResult():
            return _tool_result(part, scratch)
        case WireAttachment():
            return AttachmentPart(_attachment(part, scratch), part.provider)


def _tool_result(part: WireToolResult, scratch: str | None) -> ToolResultPart:
    output = "".join(piece.text for piece in part.content if isinstance(piece, WireText))
    return ToolResultPart(
        name=part.name,
        output=output,
        tool_call_id=part.call_id,
        attachments=[
            _attachment(piece, scratch) for piece in part.content if isinstance(piece, WireAttachment)
        ],
        exception=output if part.is_error else None,
        provider_metadata=part.provider,
    )


def _attachment(part: WireAttachment, scratch: str | None) -> Attachment:
    path = None
    if part.blob is not None and scratch is not None:
        # A blob is the name of a file in the scratch folder and cannot name anything else.
        path = f"{scratch}/{part.blob.rpartition('/')[2]}"
    return Attachment(part.media_type, path, part.url, name=part.name, data=part.data)
