"""One line on a terminal that says how far a plugin is, and vanishes when there is something to read."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from cellwall_kernel.cli._output import visible

__all__ = ["ProgressLine"]

ERASE = "\r\x1b[K"


class ProgressLine:
    """The line. Only a terminal has one; elsewhere nothing is written.

    Attributes:
        is_possible: whether there is a terminal to write to.
    """

    def __init__(self) -> None:
        self.is_possible = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_shown = False

    def show(self, done: float | None, total: float | None, message: str | None) -> None:
        """Write or rewrite the line.

        Args:
            done: how much is done, in any unit.
            total: of how much.
            message: what is being done.
        """
        if not self.is_possible:
            return
        words = " ".join(visible(message or "working").split())
        share = f" {min(1.0, max(0.0, done / total)):.0%}" if done is not None and total else ""
        self._write(f"{ERASE}{words[: columns() - len(share) - 1]}{share}")
        self._is_shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._is_shown = False
            self._write(ERASE)

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text.encode(sys.stderr.encoding, "replace").decode(sys.stderr.encoding))
            sys.stderr.flush()


def columns() -> int:
    """The width of the terminal, in characters."""
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
