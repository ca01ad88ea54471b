"""Printing an answer while it arrives.

Text goes to stdout the moment it has been logged, reasoning and remarks go to stderr. Writing to either never
blocks the event loop: where the reader is slow we wait for it as for anything else, so that a stop signal, a
deadline or a crash of the plugin is still noticed, and meanwhile the plugin gets no credit and waits too. On
a terminal control characters are made visible; a pipe gets the text as it is.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from cellwall_kernel.cli._output import visible
from cellwall_kernel.cli._progress_line import ProgressLine
from cellwall_kernel.errors import CellwallError
from cellwall_kernel.prompting.request import SinkClosed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio import Lock

__all__ = ["AnswerOutput", "OutputFailed", "SilentOutput"]

STDOUT, STDERR = 1, 2
PIPE_SLICE_BYTES = 4096
"""A pipe that is ready takes at least PIPE_BUF bytes without blocking."""

TERMINAL_SLICE_BYTES = 1024
"""A terminal that is ready takes some; small pieces keep a stopped one (Ctrl-S) from blocking us."""

DIM, PLAIN = "\x1b[2m", "\x1b[0m"


class OutputFailed(CellwallError):
    """Raised when stdout cannot be written for another reason, such as a full disk."""

    kind = "OutputFailed"


class _Stream:
    """A standard stream that is written without ever waiting in the system call.

    Args:
        fd: its descriptor.

    Attributes:
        is_terminal: whether it is one.
    """

    def __init__(self, fd: int) -> None:
        self.is_terminal = os.isatty(fd)
        self._fd = fd
        self._slice_bytes = TERMINAL_SLICE_BYTES if self.is_terminal else PIPE_SLICE_BYTES
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    async def write(self, data: bytes) -> None:
        """Write all of it, waiting where the reader is slow.

        Raises:
            OSError: it cannot be written.
        """
        rest = memoryview(data)
        while rest:
            if not self._poll.poll(0):
                await wait_until_writable(self._fd)
            try:
                rest = rest[os.write(self._fd, rest[: self._slice_bytes]) :]
            except BlockingIOError:  # somebody made the pipe that we inherited non-blocking
                await wait_until_writable(self._fd)


class AnswerOutput:
    """The sink of an answer that streams to a person or a pipe.

    Args:
        hide_reasoning: reasoning is dropped instead of shown on stderr.
    """

    def __init__(self, *, hide_reasoning: bool) -> None:
        self._hide_reasoning = hide_reasoning
        self._stdout, self._stderr = _Stream(STDOUT), _Stream(STDERR)
        self._encoding = sys.stdout.encoding
        self._dim = self._stderr.is_terminal and not os.environ.get("NO_COLOR")
        self._last = ""
        self._reasoning_open = False
        self._progress = ProgressLine()
        self._lock: Lock | None = None
        self._is_interrupted = False

    @property
    def shows_progress(self) -> bool:
        """Whether a person can see how far the plugin is."""
        return self._progress.is_possible

    def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Show how far the plugin is, as long as nothing of the answer has come."""
        if not self._last and not self._reasoning_open and not self._is_interrupted:
            self._progress.show(done, total, message)

    async def text(self, text: str) -> None:
        """Print more of the answer.

        Raises:
            SinkClosed: the reader has gone.
            OutputFailed: stdout cannot be written.
        """
        if not text:
            return
        await self._end_reasoning()
        self._last = text[-1]
        if self._stdout.is_terminal:
            text = visible(text)
        await self._print(text)

    async def reasoning(self, text: str) -> None:
        """Show more of what the model thinks, dim, on stderr."""
        if self._hide_reasoning or not text:
            return
        self._progress.clear()
        self._reasoning_open = True
        await self._say(f"{DIM}{visible(text)}{PLAIN}" if self._dim else visible(text))

    async def remark(self, text: str) -> None:
        """Show a plugin's remark on stderr."""
        await self._end_reasoning()
        await self._say(f"{visible(text)}\n")

    async def end(self) -> None:
        """Finish the last line, unless the answer did so itself.

        Raises:
            SinkClosed: the reader has gone.
            OutputFailed: stdout cannot be written.
        """
        await self._end_reasoning()
        if self._last not in ("", "\n"):
            self._last = "\n"
            await self._print("\n")

    async def _end_reasoning(self) -> None:
        self._progress.clear()
        if self._reasoning_open:
            self._reasoning_open = False
            await self._say("\n\n")

    @asynccontextmanager
    async def interrupted(self) -> AsyncGenerator[None]:
        """Let nothing of the answer be printed inside, where the user is asked something."""
        async with self._turn():
            self._progress.clear()
            self._is_interrupted = True
            try:
                if self._reasoning_open or (self._stdout.is_terminal and self._last not in ("", "\n")):
                    await self.show_question("\n")
                yield
            finally:
                self._is_interrupted = False

    async def show_question(self, text: str) -> None:
        """Write on stderr what belongs to a question; call it inside of `interrupted`."""
        with suppress(OSError):
            await self._stderr.write(visible(text).encode(sys.stderr.encoding, "replace"))

    def _turn(self) -> Lock:
        from anyio import Lock

        self._lock = self._lock or Lock()
        return self._lock

    async def _print(self, text: str) -> None:
        try:
            async with self._turn():
                await self._stdout.write(text.encode(self._encoding, "replace"))
        except BrokenPipeError:
            raise SinkClosed("the reader of the answer has gone.") from None
        except OSError as problem:
            raise OutputFailed(f"the answer cannot be written to stdout: {problem.strerror}.") from problem

    async def _say(self, text: str) -> None:
        """Write on stderr; one that has gone is no error, for the answer itself is on stdout."""
        with suppress(OSError):
            async with self._turn():
                await self._stderr.write(text.encode(sys.stderr.encoding, "replace"))


async def wait_until_writable(fd: int) -> None:
    """Wait until a descriptor takes more; only pipes, sockets and terminals can make one wait."""
    from anyio import wait_writable

    await wait_writable(fd)


class SilentOutput(AnswerOutput):
    """The sink of an answer whose text is printed by somebody else when it is complete."""

    async def text(self, text: str) -> None:
        """Drop the text."""

    async def end(self) -> None:
        """Finish what stands on stderr."""
        await self._end_reasoning()
