"""The plugin in this very process and thread: no pipe, no wall, so a debugger is at home.

A call that takes too long is cancelled by a second thread, and interrupted as in a cell: by a signal, as far
as the author's code runs on the main thread.
"""

from __future__ import annotations

import signal
import sys
import traceback
from threading import Event, Thread, current_thread, main_thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from cellwall_sdk._context import context
from cellwall_sdk._link import Link
from cellwall_sdk._session import Session
from cellwall_sdk.errors import Cancelled
from cellwall_wire import Connection, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cellwall_sdk._load import Plugin

__all__ = ["Memory"]

REPEAT_S = 1.0
"""After how long the signal is repeated, for code that swallowed the first one, in seconds."""

FRAMES = 12
"""How many of the innermost frames of a call that hangs are shown."""

debugging = Event()
"""A person debugs: no call is ended any more."""


class Memory:
    """A plugin in this process.

    Args:
        load: imports it.
    """

    name = "memory"

    def __init__(self, load: Callable[[], Plugin]) -> None:
        self._load = load
        self._take: Callable[[bytes], None] = _nothing
        self._before = context.told, context.asking
        self._told: Any = None
        self._stuck = ""

    def begin(self, take: Callable[[bytes], None]) -> None:
        """Make the plugin's side."""
        self._take = take
        self._before = context.told, context.asking
        self._session = Session(Link(Connection(Role.PLUGIN), _Output(take)), self._load)
        self._told = None, context.asking
        context.told, context.asking = self._before

    def write(self, data: bytes) -> None:
        """Hand bytes to the plugin."""
        self._session.feed(data)

    def pump(self, until: float | None) -> None:
        """Run the author's code."""
        before = context.told, context.asking
        context.told, context.asking = self._told
        try:
            if until is None:
                self._session.serve_waiting()
                return
            with _Alarm(self._session, until) as alarm:
                self._session.serve_waiting()
            if alarm.has_rung:
                self._stuck = alarm.place
                raise TimeoutError
        finally:
            self._told = context.told, context.asking
            context.told, context.asking = before

    def printed(self) -> str:
        """Where a call that took too long was; what is printed in memory is printed here."""
        return self._stuck

    def ending(self) -> str:
        """Say why there is no answer."""
        return "ended"

    def end(self) -> None:
        """Nothing is left: what was lent for a call is given back after it."""


class _Output:
    """What the plugin's link writes to."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, data: bytes) -> None:
        """Hand it over."""
        self._take(data)

    def write_some(self, data: bytes) -> bytes:
        """Hand all of it over: there is no pipe that could be full."""
        self._take(data)
        return b""


class _Alarm:
    """Cancels the call that runs when its time is over, and interrupts it if it takes no notice."""

    def __init__(self, session: Session, until: float) -> None:
        self.has_rung = False
        self.place = ""
        self._session = session
        self._until = until
        self._done = Event()
        self._is_main = current_thread() is main_thread()
        self._ident = current_thread().ident or 0
        self._old: Any = None
        self._thread = Thread(target=self._wait, name="cellwall-alarm", daemon=True)

    def __enter__(self) -> Self:
        if self._is_main:
            self._old = signal.signal(signal.SIGINT, self._interrupt)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._is_main:
            signal.signal(signal.SIGINT, self._old if self._old is not None else signal.SIG_DFL)

    def _wait(self) -> None:
        if self._done.wait(max(0.0, self._until - monotonic())) or debugging.is_set():
            return
        self.has_rung = True
        frame = sys._current_frames().get(self._ident)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the only way
        stack = traceback.format_list(traceback.extract_stack(frame)[-FRAMES:]) if frame is not None else []
        self.place = f"(nothing; it was here)\n{''.join(stack)}"
        call = self._session.current
        if call is not None:
            call.cancel("it takes too long")
        while self._is_main and not self._done.wait(REPEAT_S / 4):
            signal.pthread_kill(self._ident, signal.SIGINT)
            self._done.wait(REPEAT_S)

    def _interrupt(self, number: int, frame: Any) -> None:
        call = self._session.current
        if not self.has_rung:
            if callable(self._old):
                self._old(number, frame)
        elif call is not None and call.interruptible:
            if call.interrupts_task is not None and not call.interrupts_task():
                return
            raise Cancelled(call.reason)


def _nothing(_chunk: bytes) -> None:
    pass
