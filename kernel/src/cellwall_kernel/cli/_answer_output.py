"""Printing an answer while it arrives.

Text goes to stdout the moment it has been logged, reasoning and remarks go to stderr. Writing never blocks
the event loop: where the reader is slow we wait for it as for anything else, so that a stop signal, a
deadline or a crash of the plugin is still noticed, and meanwhile the plugin gets no credit and waits too. On
a terminal control characters are made visible; a pipe gets the text as it is.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

from cellwall_kernel.cli._output import note, visible
from cellwall_kernel.cli._progress_line import ProgressLine
from cellwall_kernel.errors import CellwallError
from cellwall_kernel.prompting.request import SinkClosed

__all__ = ["AnswerOutput", "OutputFailed", "SilentOutput"]

STDOUT = 1
PIPE_SLICE_BYTES = 4096
"""A pipe that is ready takes at least PIPE_BUF bytes without blocking."""

TERMINAL_SLICE_BYTES = 1024
"""A terminal that is ready takes some; small pieces keep a stopped one (Ctrl-S) from blocking us."""

DIM, PLAIN = "\x1b[2m", "\x1b[0m"


class OutputFailed(CellwallError):
    """Raised when stdout cannot be written for another reason, such as a full disk."""

    kind = "OutputFailed"


class AnswerOutput:
    """The sink of an answer that streams to a person or a pipe.

    Args:
        hide_reasoning: reasoning is dropped instead of shown on stderr.
    """

    def __init__(self, *, hide_reasoning: bool) -> None:
        self._hide_reasoning = hide_reasoning
        self._on_terminal = os.isatty(STDOUT)
        self._slice_bytes = TERMINAL_SLICE_BYTES if self._on_terminal else PIPE_SLICE_BYTES
        self._encoding = sys.stdout.encoding
        self._dim = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        self._last = ""
        self._reasoning_open = False
        self._progress = ProgressLine()
        self._poll = select.poll()
        self._poll.register(STDOUT, select.POLLOUT)

    @property
    def shows_progress(self) -> bool:
        """Whether a person can see how far the plugin is."""
        return self._progress.is_possible

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Show how far the plugin is, as long as nothing of the answer has come."""
        if not self._last and not self._reasoning_open:
            self._progress.show(done, total, message)

    async def text(self, text: str) -> None:
        """Print more of the answer.

        Raises:
            SinkClosed: the reader has gone.
            OutputFailed: stdout cannot be written.
        """
        if not text:
            return
        self._end_reasoning()
        self._last = text[-1]
        if self._on_terminal:
            text = visible(text)
        await self._write(text.encode(self._encoding, "replace"))

    async def reasoning(self, text: str) -> None:
        """Show more of what the model thinks, dim, on stderr."""
        if self._hide_reasoning or not text:
            return
        self._progress.clear()
        self._reasoning_open = True
        text = visible(text).encode(sys.stderr.encoding, "replace").decode(sys.stderr.encoding)
        with suppress(OSError):  # stderr may have gone; the answer itself is on stdout
            sys.stderr.write(f"{DIM}{text}{PLAIN}" if self._dim else text)
            sys.stderr.flush()

    async def remark(self, text: str) -> None:
        """Show a plugin's remark on stderr."""
        self._end_reasoning()
        note(text)

    async def end(self) -> None:
        """Finish the last line, unless the answer did so itself.

        Raises:
            SinkClosed: the reader has gone.
            OutputFailed: stdout cannot be written.
        """
        self._end_reasoning()
        if self._last not in ("", "\n"):
            self._last = "\n"
            await self._write(b"\n")

    def _end_reasoning(self) -> None:
        self._progress.clear()
        if self._reasoning_open:
            self._reasoning_open = False
            note("\n")

    async def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                if not self._poll.poll(0):
                    await wait_until_writable()
                try:
                    rest = rest[os.write(STDOUT, rest[: self._slice_bytes]) :]
                except BlockingIOError:  # somebody made the pipe that we inherited non-blocking
                    await wait_until_writable()
        except BrokenPipeError:
            raise SinkClosed("the reader of the answer has gone.") from None
        except OSError as problem:
            raise OutputFailed(f"the answer cannot be written to stdout: {problem.strerror}.") from problem


async def wait_until_writable() -> None:
    """Wait until stdout takes more; only pipes, sockets and terminals can make one wait."""
    from anyio import wait_writable

    await wait_writable(STDOUT)


class SilentOutput(AnswerOutput):
    """The sink of an answer whose text is printed by somebody else when it is complete."""

    async def text(self, text: str) -> None:
        """Drop the text."""

    async def end(self) -> None:
        """Finish what stands on stderr."""
        self._end_reasoning()
