"""Running a command so that a person, a shell and a service manager can stop it.

Ctrl-C, SIGTERM and SIGHUP do the same thing at three removes:

    the first one    stops what runs: plugins are told, what had arrived is kept, every wait of the way out is
                     bounded
    the second one   kills the plugins at once; the way out is then short
    the third one    leaves without another word; the plugins' keepers see us go and kill what is left

The exit code is 130, 143 or 129. A signal that was ignored when we were started (`nohup`, a background job)
stays ignored. Children are in sessions of their own, so a terminal's Ctrl-C reaches this process only.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from cellwall_kernel.errors import Interrupted

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Generator
    from types import FrameType

    from anyio import CancelScope

__all__ = ["Stop", "stoppable"]

T = TypeVar("T")

SECOND = 2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """What the signals of this process ask for, and the way to run asynchronous work that heeds them.

    Attributes:
        signal_number: the first signal that asked to stop, or None.
        kill: called by the second signal, from within the signal handler; whoever starts plugins sets it.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.kill: Callable[[], None] | None = None
        self._count = 0
        self._scope: CancelScope | None = None
        self._loop: AbstractEventLoop | None = None

    @property
    def problem(self) -> Interrupted:
        """The error with the exit code that a shell expects."""
        return Interrupted("interrupted.", exit_code=128 + (self.signal_number or signal.SIGINT))

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run an async function in an event loop of its own, until it ends or the first signal cancels it.

        Returns:
            What it returns, also when it managed to finish after a signal.

        Raises:
            Interrupted: a signal stopped it.
        """
        import anyio

        return anyio.run(self._run, work)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; see the module's docstring."""
        self._count += 1
        if self._count == 1:
            self.signal_number = number
            if self._loop is None or self._scope is None:
                raise KeyboardInterrupt  # what runs is not asynchronous: it is left where it stands
            self._loop.call_soon_threadsafe(self._scope.cancel)
        elif self._count == SECOND and self.kill is not None:
            self.kill()
        else:
            os._exit(128 + number)

    async def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        import gc
        from asyncio import get_running_loop

        from anyio import CancelScope

        gc.freeze()  # what was imported stays; see `_lazy.load`
        gc.enable()
        self._loop = get_running_loop()
        with CancelScope() as scope:
            self._scope = scope
            try:
                return await work()
            finally:
                self._scope = None
        raise self.problem


@contextmanager
def stoppable() -> Generator[Stop]:
    """Let signals stop what runs inside, as the module's docstring says.

    Raises:
        Interrupted: a signal stopped it.
    """
    stop = Stop()
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop.handle)
    try:
        yield stop
    except KeyboardInterrupt:
        raise stop.problem from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
