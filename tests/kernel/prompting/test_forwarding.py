"""Attachments of nested prompts: a plugin's word about a file opens nothing but a file of its own."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.errors import CallFailed
from cellwall_kernel.prompting.forwarding import MOST_BYTES, forwarded
from cellwall_wire import AttachmentPart, Message

if TYPE_CHECKING:
    from pathlib import Path

LARGE = b"x" * 1_000_000


def message(*, blob: str) -> Message:
    """Make a message with one attachment."""
    return Message(role="user", parts=[AttachmentPart(media_type="image/png", blob=blob)])


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The scratch folder of the plugin that asks, beside files that are none of its business."""
    (tmp_path / "keys.json").write_text("secret")
    (tmp_path / "config.json").write_text("secret")
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_a_large_attachment_goes_from_one_scratch_folder_to_the_other(scratch: Path, tmp_path: Path) -> None:
    """[P-62] The log gets its bytes, the other plugin a file that is gone when the prompt has ended."""
    other = tmp_path / "other"
    other.mkdir()
    (scratch / "blob").write_bytes(LARGE)
    with forwarded([message(blob="blob")], "a", scratch, other) as ((whole,), (sent,)):
        kept, passed = whole.parts[0], sent.parts[0]
        assert isinstance(kept, AttachmentPart)
        assert isinstance(passed, AttachmentPart)
        assert passed.blob is not None
        assert (other / passed.blob).read_bytes() == LARGE

    assert (None, b64encode(LARGE).decode()) == (kept.blob, kept.data)
    assert [] == list(other.iterdir())


@pytest.mark.parametrize(
    "name", ["../keys.json", "..", ".", "", "/etc/passwd", "nothing", "link", "hard", "pipe"]
)
def test_what_is_not_the_plugins_own_file_is_not_opened(name: str, scratch: Path, tmp_path: Path) -> None:
    """Kernel policy: the host can read more than the plugin, and lends it to nobody."""
    (scratch / "link").symlink_to(tmp_path / "config.json")
    (scratch / "hard").hardlink_to(tmp_path / "keys.json")
    os.mkfifo(scratch / "pipe")
    refused = pytest.raises(
        CallFailed, match="is no file of at most 64 MiB in the scratch folder of plugin 'a'"
    )

    with refused as problem, forwarded([message(blob=name)], "a", scratch, tmp_path):
        pass

    assert "InvalidParams" == problem.value.kind


def test_a_file_that_is_too_large_is_not_read(scratch: Path, tmp_path: Path) -> None:
    """Kernel policy: the host holds it in memory."""
    with (scratch / "blob").open("wb") as file:
        file.truncate(MOST_BYTES + 1)

    with pytest.raises(CallFailed), forwarded([message(blob="blob")], "a", scratch, tmp_path):
        pass
