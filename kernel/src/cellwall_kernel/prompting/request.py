"""What a prompt asks for and where its answer goes: the words between the command line and prompting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cellwall_kernel.errors import CellwallError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwall_kernel.prompting.attachments import Attachment

__all__ = ["LATEST", "PromptRequest", "Sink", "SinkClosed"]

LATEST = "latest"
"""Instead of a conversation's id: the conversation of the latest logged prompt."""


class SinkClosed(CellwallError):
    """Raised by a sink whose reader has gone (`| head`); 141, as where SIGPIPE ends a program."""

    exit_code = 141
    kind = "OutputClosed"


class Sink(Protocol):
    """Where an answer goes while it arrives; whatever reaches it has been logged.

    Each method may raise SinkClosed, or another CellwallError that says why nothing can be shown any more.
    """

    async def text(self, text: str) -> None:
        """Take more of the answer's text."""
        ...

    async def reasoning(self, text: str) -> None:
        """Take more of what the model thinks."""
        ...

    async def remark(self, text: str) -> None:
        """Take a remark, one line."""
        ...

    @property
    def shows_progress(self) -> bool:
        """Whether `progress` shows anything."""
        ...

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Take note of how far the plugin is: `done` of `total`, doing what `message` says."""
        ...

    async def end(self) -> None:
        """Take note that nothing more comes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRequest:
    """A prompt as the user gave it.

    Attributes:
        prompt: the text, stdin's included; may be empty when there are attachments.
        model: a model's id or alias; None means the conversation's, else the default one.
        system: the system prompt; None means the conversation's, if it had one.
        options: the model's options as the user wrote them; the plugin checks them.
        attachments: files that go along.
        schema: the JSON Schema that the answer is to follow.
        conversation: the id of the conversation to continue, or LATEST; None begins a new one.
        stream: whether the model is asked to answer piece by piece.
        log: whether prompt and answer are kept; None means as the settings say.
        key: an API key, or the name of a stored one, to be used instead of the model's own.
        timeout_s: seconds that the whole answer may take; None means as the settings say.
        hide_reasoning: the model need not send what it thinks.
        wants_record: the answer shall carry its whole record, as the log holds it.
    """

    prompt: str
    model: str | None = None
    system: str | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    attachments: Sequence[Attachment] = ()
    schema: dict[str, Any] | None = None
    conversation: str | None = None
    stream: bool = True
    log: bool | None = None
    key: str | None = None
    timeout_s: float | None = None
    hide_reasoning: bool = False
    wants_record: bool = False
