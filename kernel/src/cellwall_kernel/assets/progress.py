"""Shows how a download goes: a bar on a terminal, one plain line elsewhere, never on stdout."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import Protocol, TextIO

__all__ = ["BarProgress", "LineProgress", "Progress", "SilentProgress", "human_size", "progress_for"]

_REDRAW_S = 0.1  # ten times a second is smooth, and nothing on a slow terminal
_SPEED_WINDOW_S = 5.0  # the speed is that of the last seconds, so that a stall shows
_BAR_CELLS = 24
_UNIT_ENDS = 999.5  # what would be shown as 1000


class Progress(Protocol):
    """What `fetch` tells about its work; an implementation may raise to end it."""

    def started(self, label: str, total: int | None, done: int) -> None:
        """Note that a transfer begins (again): `done` of `total` bytes are already here."""

    def advanced(self, count: int) -> None:
        """Count `count` more bytes."""

    def finished(self) -> None:
        """Note that the file is complete and in its place."""

    def note(self, text: str) -> None:
        """Say a sentence, for instance why the first source did not work."""

    def interrupted(self) -> None:
        """Leave the line, because the work ends without a result."""


class SilentProgress:
    """Says nothing."""

    def started(self, label: str, total: int | None, done: int) -> None:
        """Do nothing."""

    def advanced(self, count: int) -> None:
        """Do nothing."""

    def finished(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def interrupted(self) -> None:
        """Do nothing."""


class LineProgress(SilentProgress):
    """Says one plain line per transfer: for logs and pipes.

    Args:
        stream: where to write, normally stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._labels: set[str] = set()

    def started(self, label: str, total: int | None, done: int) -> None:  # noqa: ARG002 - the protocol's
        """Name the file and its size, once."""
        if label not in self._labels:
            self._labels.add(label)
            size = f" ({human_size(total)})" if total is not None else ""
            self.note(f"Fetching {label}{size}")

    def note(self, text: str) -> None:
        """Write the sentence as a line."""
        _write(self._stream, text + "\n")


class BarProgress:
    """Draws one line that changes in place.

    Args:
        stream: a terminal, normally stderr.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._label = ""
        self._total: int | None = None
        self._done = 0
        self._begun = 0.0
        self._drawn = 0.0
        self._samples: list[tuple[float, int]] = []
        self._is_open = False

    def started(self, label: str, total: int | None, done: int) -> None:
        """Begin (or begin again) with `done` of `total` bytes."""
        now = time.monotonic()
        if not self._is_open:
            self._begun = now
        self._label, self._total, self._done, self._is_open = label, total, done, True
        self._samples = [(now, done)]
        self._draw(now)

    def advanced(self, count: int) -> None:
        """Count bytes and redraw if it is time."""
        self._done += count
        now = time.monotonic()
        if now - self._drawn >= _REDRAW_S:
            self._draw(now)

    def finished(self) -> None:
        """Replace the bar by a line that stays."""
        if self._is_open:
            self._is_open = False
            spent_s = time.monotonic() - self._begun
            _write(
                self._stream,
                f"\r\x1b[KFetched {self._label} ({human_size(self._done)}) in {spent_s:.1f} s.\n",
            )

    def note(self, text: str) -> None:
        """Write a line above the bar."""
        _write(self._stream, f"\r\x1b[K{text}\n" if self._is_open else f"{text}\n")
        if self._is_open:
            self._draw(time.monotonic())

    def interrupted(self) -> None:
        """End the line, so that what follows stands on its own."""
        if self._is_open:
            self._is_open = False
            _write(self._stream, "\n")

    def _draw(self, now: float) -> None:
        self._drawn = now
        self._samples = [s for s in self._samples if now - s[0] <= _SPEED_WINDOW_S] or self._samples[-1:]
        self._samples.append((now, self._done))
        columns = max(20, shutil.get_terminal_size().columns - 1)
        text = f"{self._label}  {self._figures(now)}"
        if len(text) > columns:
            text = self._figures(now)
        _write(self._stream, "\r\x1b[K" + text[:columns])

    def _figures(self, now: float) -> str:
        since, at_that_time = self._samples[0]
        speed = (self._done - at_that_time) / (now - since) if now > since else 0.0
        pace = f"{human_size(int(speed))}/s"
        if not self._total:
            return f"{human_size(self._done)}  {pace}"
        share = min(1.0, self._done / self._total)
        bar = _bar(share, getattr(self._stream, "encoding", None) or "ascii")
        left = _clock((self._total - self._done) / speed) if speed > 0 else "-:--"
        return (
            f"{bar} {share:4.0%}  {human_size(self._done)} of {human_size(self._total)}  {pace}  {left} left"
        )


def progress_for(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """Return what suits the stream: a bar on a terminal, one line elsewhere, nothing when `quiet`.

    Args:
        stream: stderr when None.
        quiet: the user asked for silence.
    """
    stream = stream or sys.stderr
    if quiet or stream is None:
        return SilentProgress()
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return BarProgress(stream)
    return LineProgress(stream)


def human_size(count: int) -> str:
    """Return a number of bytes for people, in decimal units as drives and downloads are sold: `98.4 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < _UNIT_ENDS or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("B", "kB") else f"{size:.1f} {unit}"


def _bar(share: float, encoding: str) -> str:
    full, empty = ("━", "─") if encoding.lower().replace("-", "") == "utf8" else ("#", ".")
    cells = int(share * _BAR_CELLS)
    return full * cells + empty * (_BAR_CELLS - cells)


def _clock(seconds: float) -> str:
    whole = int(seconds) + 1
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, UnicodeEncodeError):
        pass  # a closed or ASCII-only stderr is no reason to end a download
