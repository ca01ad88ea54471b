"""What a person sees of a download; the terminal is a real one."""

from __future__ import annotations

import io
import os
import pty
import re
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.assets.progress import LineProgress, SilentProgress, human_size, progress_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


class Terminal:
    """Both ends of a pseudo-terminal."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stream: TextIO = os.fdopen(theirs, "w", encoding="utf-8")

    def close(self) -> str:
        """Close it and return all that was written."""
        self.stream.close()
        text = b""
        try:
            while chunk := os.read(self._ours, 65536):
                text += chunk
        except OSError:
            pass  # Linux says EIO at the end
        os.close(self._ours)
        return text.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal; a test closes it by reading it."""
    made = Terminal()
    yield made
    if not made.stream.closed:
        made.close()


def test_a_terminal_shows_a_bar_that_becomes_one_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size, share and speed while it runs; what remains is a single line."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    progress = progress_for(terminal.stream)
    progress.started("model.gguf", 2_000_000, 500_000)
    progress.advanced(500_000)
    progress.note("a remark")
    progress.advanced(1_000_000)
    progress.finished()

    text = terminal.close()

    assert re.search(r"model\.gguf +━+─+ +25%  500 kB of 2\.0 MB ", text)
    assert "\x1b[Ka remark\r\n" in text
    assert re.fullmatch(r"Fetched model\.gguf \(2\.0 MB\) in \d+\.\d s\.\r\n", text.rpartition("\x1b[K")[2])


def test_a_narrow_terminal_gets_what_fits(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawn line is longer than the terminal is wide, so that it can be erased."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    progress = progress_for(terminal.stream)
    progress.started("a-very-long-name-of-a-model.gguf", 2_000_000, 0)
    progress.interrupted()

    lines = terminal.close().split("\r\x1b[K")

    assert all(len(line.rstrip("\r\n")) < 30 for line in lines)
    assert lines[-1].endswith("\r\n")


def test_a_pipe_gets_one_plain_line() -> None:
    """Retries of the same file add none, remarks do."""
    stream = io.StringIO()
    progress = progress_for(stream)
    assert isinstance(progress, LineProgress)
    progress.started("model.gguf", 98_362_432, 0)
    progress.advanced(10)
    progress.started("model.gguf", 98_362_432, 10)
    progress.note("a remark")
    progress.finished()

    assert stream.getvalue() == "Fetching model.gguf (98.4 MB)\na remark\n"


def test_silence_is_kept_when_asked_for() -> None:
    """`quiet` wins over everything."""
    assert isinstance(progress_for(io.StringIO(), quiet=True), SilentProgress)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_600, "1.0 MB"),
        (98_362_432, "98.4 MB"),
        (2 * 10**12, "2000.0 GB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    """Decimal units, as drives and downloads are sold."""
    assert human_size(count) == text
