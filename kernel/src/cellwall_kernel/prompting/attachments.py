"""Attachments: reading them, finding their media type, and packing them for the plugin's process.

The host reads the bytes, because a plugin's process does not see the user's files. Small ones travel inside
the prompt's line, large ones as a file in the plugin's scratch folder, which is removed when the answer has
ended.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cellwall_kernel.errors import NotFound, StoreProblem, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from cellwall_wire import AttachmentPart

__all__ = ["Attachment", "Packed", "is_text", "media_type_of", "packed", "read_attachment"]

INLINE_BYTES = 256 * 1024
"""Up to this size an attachment travels as base64 in the prompt's line; a larger one as a file."""

STDIN = "-"

# What a file begins with says more than its name. Each row: offset, bytes, media type.
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something given along with a prompt: `content` holds its bytes, or `url` its place."""

    name: str
    media_type: str
    content: bytes = b""
    url: str | None = None


def read_attachment(place: str, media_type: str | None = None) -> Attachment:
    """Read an attachment.

    Args:
        place: a file's path, `-` for stdin, or an http(s) address, which is passed on and not fetched.
        media_type: what the user says it is; None means to find out.

    Raises:
        NotFound: there is no such file.
        UsageProblem: it cannot be read, or is empty.
    """
    if place.startswith(("https://", "http://")):
        return Attachment(place, media_type or by_name(place) or "application/octet-stream", url=place)
    name = "stdin" if place == STDIN else Path(place).name
    try:
        content = sys.stdin.buffer.read() if place == STDIN else Path(place).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"the attachment '{place}' does not exist.") from None
    except OSError as problem:
        raise UsageProblem(f"the attachment '{place}' cannot be read: {problem.strerror}.") from problem
    if not content:
        raise UsageProblem(f"the attachment '{place}' is empty.")
    return Attachment(name, media_type or media_type_of(content, name), content)


def media_type_of(content: bytes, name: str) -> str:
    """Tell a file's media type: of text by its name alone, of other bytes by how they begin, then by name."""
    if is_text(content):
        return by_name(name) or "text/plain"
    for offset, magic, media_type in MAGIC:
        if content.startswith(magic, offset):
            return media_type
    return by_name(name) or "application/octet-stream"


def is_text(content: bytes) -> bool:
    """Whether the bytes are UTF-8 without NUL, and not a document format that may look like text."""
    if b"\0" in content or content.startswith(b"%PDF-"):
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def by_name(name: str) -> str | None:
    """The media type that a file name's ending stands for, or None."""
    from mimetypes import guess_type

    return guess_type(name)[0]


class Packed(NamedTuple):
    """Attachments as parts of a message, and the content of those that are files, by the file's name."""

    parts: list[AttachmentPart]
    blobs: dict[str, bytes]


@contextmanager
def packed(attachments: Sequence[Attachment], scratch: Path) -> Generator[Packed]:
    """Pack attachments for a plugin; large ones are files in `scratch` until the context ends.

    Args:
        attachments: what goes along.
        scratch: the plugin's scratch folder.

    Raises:
        StoreProblem: the scratch folder cannot be written.
    """
    blobs: dict[str, bytes] = {}
    with ExitStack() as files:
        yield Packed([pack(attachment, scratch, files, blobs) for attachment in attachments], blobs)


def pack(attachment: Attachment, scratch: Path, files: ExitStack, blobs: dict[str, bytes]) -> AttachmentPart:
    """Make one attachment's part; if it becomes a file, `files` removes that and `blobs` learns of it."""
    import os
    from base64 import b64encode

    from cellwall_wire import AttachmentPart

    media_type, name, content = attachment.media_type, attachment.name, attachment.content
    if attachment.url is not None:
        return AttachmentPart(url=attachment.url, media_type=media_type, name=name)
    if len(content) <= INLINE_BYTES:
        return AttachmentPart(data=b64encode(content).decode(), media_type=media_type, name=name)
    blob = scratch / f"attachment-{os.getpid()}-{os.urandom(8).hex()}"
    write_blob(blob, content)
    files.callback(blob.unlink, missing_ok=True)
    blobs[blob.name] = content
    return AttachmentPart(blob=blob.name, media_type=media_type, name=name)


def write_blob(path: Path, content: bytes) -> None:
    """Write an attachment's bytes into a new private file.

    Raises:
        StoreProblem: the file cannot be written.
    """
    import os

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise StoreProblem(
            f"an attachment cannot be written to {path.parent}: {problem.strerror}."
        ) from problem
