"""Attachments: their media types, and how they are packed for a plugin."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.errors import NotFound, UsageProblem
from cellwall_kernel.prompting.attachments import (
    INLINE_BYTES,
    Attachment,
    media_type_of,
    packed,
    read_attachment,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "photo", "image/png"),
        (b"\xff\xd8\xff\xe0\0", "photo.png", "image/jpeg"),
        (b"RIFF\1\0\0\0WEBPVP8", "x", "image/webp"),
        (b"RIFF\1\0\0\0WAVEfmt", "x", "audio/wav"),
        (b"\0\0\0\x18ftypmp42", "x", "video/mp4"),
        (b"%PDF-1.7\n", "x", "application/pdf"),
        (b"ID3 tags are a header of MP3 files", "notes", "text/plain"),
        (b"GIF89a is a format", "notes.txt", "text/plain"),
        (b'{"a": 1}', "data.json", "application/json"),
        ("größer".encode(), "stdin", "text/plain"),
        (b"\xfe\xed\xfa\xce\0", "stdin", "application/octet-stream"),
    ],
)
def test_the_media_type_is_found_by_content_then_name(content: bytes, name: str, media_type: str) -> None:
    """Bytes are known by how they begin, text by its name."""
    assert media_type_of(content, name) == media_type


def test_small_attachments_travel_inline_and_large_ones_as_files_of_the_call(tmp_path: Path) -> None:
    """A file in the scratch folder is private and is gone when the call has ended."""
    small = Attachment("a.txt", "text/plain", b"x" * INLINE_BYTES)
    large = Attachment("b.bin", "application/octet-stream", b"\0" * (INLINE_BYTES + 1))
    with packed([small, large], tmp_path) as (parts, _):
        assert parts[0].data is not None
        assert b64decode(parts[0].data) == small.content
        assert parts[0].blob is None
        assert parts[1].data is None
        assert parts[1].blob is not None
        blob = tmp_path / parts[1].blob
        assert blob.read_bytes() == large.content
        assert blob.stat().st_mode & 0o777 == 0o600
        assert [part.name for part in parts] == ["a.txt", "b.bin"]
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_passed_on_unread(tmp_path: Path) -> None:
    """The model's plugin decides whether it can use an address."""
    attachment = read_attachment("https://example.org/a.png")
    assert (attachment.url, attachment.media_type) == ("https://example.org/a.png", "image/png")
    with packed([attachment], tmp_path) as ((part,), _):
        assert part.url == attachment.url
        assert part.data is None


def test_what_cannot_be_attached_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and an empty file are three sentences."""
    with pytest.raises(NotFound, match="does not exist"):
        read_attachment(str(tmp_path / "none"))
    with pytest.raises(UsageProblem, match="cannot be read: Is a directory"):
        read_attachment(str(tmp_path))
    (tmp_path / "empty").touch()
    with pytest.raises(UsageProblem, match="is empty"):
        read_attachment(str(tmp_path / "empty"))
