"""Messages of one plugin on their way to another, with attachments from one scratch folder to the other.

The name of a blob is a stranger's word about a file, and the host can read more than the plugin that says it.
So only a regular file of the plugin's own, straight in its folder and under no second name, is ever opened.
"""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cellwall_kernel.errors import CallFailed
from cellwall_kernel.prompting.messages import lightened

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from cellwall_wire import AttachmentPart, Message

__all__ = ["MOST_BYTES", "forwarded"]

MOST_BYTES = 64 * 1024 * 1024
"""How large a forwarded attachment may be: the host holds it in memory for a moment."""


@contextmanager
def forwarded(
    messages: Sequence[Message], plugin: str, scratch: Path, to_scratch: Path
) -> Generator[tuple[list[Message], list[Message]]]:
    """Give the messages with all attachments in them, and as the other plugin gets them.

    Args:
        messages: as a plugin sent them.
        plugin: its name.
        scratch: its scratch folder.
        to_scratch: that of the plugin that gets them, where large attachments are until the context ends.

    Raises:
        CallFailed: an attachment names no file of the plugin's, or one that is too large.
    """
    whole = [_whole(message, plugin, scratch) for message in messages]
    with ExitStack() as files:
        yield whole, [files.enter_context(lightened(message, to_scratch)) for message in whole]


def _whole(message: Message, plugin: str, scratch: Path) -> Message:
    from msgspec.structs import replace

    from cellwall_wire import AttachmentPart

    parts = [
        _with_data(part, plugin, scratch)
        if isinstance(part, AttachmentPart) and part.blob is not None
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def _with_data(part: AttachmentPart, plugin: str, scratch: Path) -> AttachmentPart:
    from msgspec.structs import replace

    name = part.blob or ""
    content = _read(scratch, name)
    if content is None:
        raise CallFailed(
            plugin,
            f"the attachment '{name[:100]}' is no file of at most {MOST_BYTES >> 20} MiB "
            f"in the scratch folder of plugin '{plugin}'.",
            kind="InvalidParams",
        )
    return replace(part, blob=None, data=b64encode(content).decode())


def _read(folder: Path, name: str) -> bytes | None:
    """Return a file's content; None if it is not the plugin's own, or too large."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(folder / name, flags)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MOST_BYTES:
            return None
        content = stream.read(MOST_BYTES + 1)
    return content if len(content) <= MOST_BYTES else None
