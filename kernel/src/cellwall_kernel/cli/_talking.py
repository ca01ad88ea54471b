"""What a chat needs of the terminal: lines that are typed while plugins are attended to, and Ctrl-C.

A person's lines are read by `input()`, for its history and editing, in a thread of its own: the event loop
goes on meanwhile. The thread cannot be stopped while it waits, so it is a daemon, and the terminal gets back
the settings that readline has changed.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

import anyio

from cellwall_kernel.cli._reading import read_when_ready
from cellwall_kernel.errors import Interrupted, UsageProblem

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import FrameType, TracebackType

    from cellwall_kernel.prompting.chat import Chat

__all__ = ["Stops", "lines_of"]

INVITATION = "> "
STDIN = 0
SECOND = 2


class Stops:
    """The signals of a chat; a context manager.

    Ctrl-C stops the answer that is under way, again kills the plugins; where no answer is, it ends the chat.
    SIGTERM and SIGHUP end the chat, again kill the plugins. The third of either leaves at once: the plugins'
    keepers see that and kill what is left.

    Args:
        talk: the chat.
    """

    def __init__(self, talk: Chat) -> None:
        self._talk = talk
        self._ended_by: int | None = None
        self._count = 0
        self._loop: AbstractEventLoop | None = None
        self._scope: anyio.CancelScope | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._previous[number] = signal.getsignal(number)
            if self._previous[number] is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run the chat until it ends, or a signal ends it.

        Raises:
            Interrupted: a signal has ended it.
        """
        import gc
        from asyncio import get_running_loop

        gc.enable()
        self._loop = get_running_loop()
        with anyio.CancelScope() as self._scope:
            await work()
        if self._ended_by is not None:
            raise Interrupted("interrupted.", exit_code=128 + self._ended_by)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        loop, scope = self._loop, self._scope
        if loop is None or scope is None:
            raise KeyboardInterrupt
        self._count = self._count + 1 if self._talk.is_busy or self._ended_by is not None else 1
        if self._count > SECOND:
            os._exit(128 + number)
        if self._count == SECOND:
            self._talk.kill_now()
        elif number == signal.SIGINT and self._talk.is_busy:
            loop.call_soon_threadsafe(self._stop_answer)
        else:
            self._ended_by = number
            loop.call_soon_threadsafe(scope.cancel)

    def _stop_answer(self) -> None:
        self._talk.stop()


def lines_of(*, is_person: bool) -> AsyncIterator[str]:
    """Give the lines of stdin as they come, without their ends."""
    return typed_lines() if is_person else piped_lines()


async def piped_lines() -> AsyncIterator[str]:
    """Give the lines that are piped in.

    Raises:
        UsageProblem: they are not text.
    """
    rest = b""
    while True:
        chunk = await read_when_ready(STDIN)
        *lines, rest = (rest + chunk).split(b"\n") if chunk else ([rest, b""] if rest else [b""])
        for line in lines:
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise UsageProblem("what is piped in is not UTF-8 text.") from None
        if not chunk:
            return


async def typed_lines() -> AsyncIterator[str]:
    """Give the lines that a person types; ends with Ctrl-D."""
    import termios
    from asyncio import get_running_loop
    from importlib import import_module

    with suppress(ImportError):
        import_module("readline")  # gives input() its history and editing
    loop = get_running_loop()
    settings = termios.tcgetattr(STDIN)
    try:
        while True:
            line: Future[str | None] = loop.create_future()
            Thread(target=read_line, args=(loop, line), name="cellwall-input", daemon=True).start()
            typed = await line
            if typed is None:
                return
            yield typed
    finally:
        with suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSADRAIN, settings)


def read_line(loop: AbstractEventLoop, line: Future[str | None]) -> None:
    """Read one line, and hand it over."""
    try:
        typed: str | None = input(INVITATION)
    except (EOFError, OSError):
        typed = None
    except UnicodeDecodeError:
        typed = ""
    sys.stdout.flush()

    def hand_over() -> None:
        if not line.done():
            line.set_result(typed)

    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(hand_over)
