"""The messages of a prompt: what it adds to the conversation, and the whole chain as the plugin gets it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cellwall_kernel.prompting.attachments import packed

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from cellwall_kernel.prompting.attachments import Packed
    from cellwall_kernel.prompting.request import PromptRequest
    from cellwall_wire import Message

__all__ = ["chain", "user_message"]


def user_message(request: PromptRequest, attachments: Packed) -> Message:
    """Make the message that this prompt adds to the conversation."""
    from cellwall_wire import Message, TextPart

    texts = [TextPart(text=request.prompt)] if request.prompt else []
    return Message(role="user", parts=[*texts, *attachments.parts])


@contextmanager
def chain(
    history: Sequence[Message], system: str | None, added: Message, scratch: Path
) -> Generator[list[Message]]:
    """Give the chain that the plugin gets: the system prompt, the turns before, and the new message.

    Large attachments of earlier turns become files in `scratch` until the context ends.

    Args:
        history: the earlier turns, perhaps with a system prompt as the first message.
        system: a system prompt that replaces that one; None keeps it.
        added: the new message.
        scratch: the plugin's scratch folder.
    """
    from cellwall_wire import Message, TextPart

    turns = list(history)
    if system is not None:
        turns = [message for message in turns if message.role != "system"]
        turns.insert(0, Message(role="system", parts=[TextPart(text=system)]))
    with ExitStack() as files:
        yield [*(files.enter_context(lightened(message, scratch)) for message in turns), added]


@contextmanager
def lightened(message: Message, scratch: Path) -> Generator[Message]:
    """Give a message whose large attachments are files in `scratch` until the context ends."""
    from base64 import b64decode

    from msgspec.structs import replace

    from cellwall_kernel.prompting.attachments import INLINE_BYTES, Attachment
    from cellwall_wire import AttachmentPart

    with ExitStack() as files:
        parts = list(message.parts)
        for at, part in enumerate(parts):
            if (
                isinstance(part, AttachmentPart)
                and part.data is not None
                and len(part.data) > INLINE_BYTES * 4 // 3 + 4
            ):
                content = Attachment(part.name or "", part.media_type or "", b64decode(part.data))
                blob = files.enter_context(packed([content], scratch)).parts[0].blob
                parts[at] = replace(part, data=None, blob=blob)
        yield replace(message, parts=parts)
