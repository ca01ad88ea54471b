"""A child inside an event loop: bytes in, bytes out, its end, and the ladder that ends it when it does not.

The ladder, each step only if the one before did not help in its time:

    close its input           CLOSE_S      an idle plugin sees the end of its input and leaves, in
    milliseconds SIGTERM to the group      TERM_S       (after SIGCONT, or a stopped plugin could not obey)
    SIGUSR1 to the keeper     SWEEP_S      it kills every descendant, also those that left the group SIGKILL
    to the group      KILL_S       in case the keeper itself was stopped or killed

Nothing here can wait for ever, and nothing of it is cut short by a cancellation. `attend` must run as long as
the child does: it reads what the child prints, which else could block it, and it notices the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.process._spawn import Exit, Spawned

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.process._greeting import Greeting
    from cellwall_kernel.process._stderr import StderrLog
    from cellwall_kernel.wall import Wall

__all__ = ["CLOSE_S", "Child"]

READ_BYTES = 64 * 1024
"""How much is read at once: what a pipe holds by default."""

CLOSE_S = 2.0
"""How long a plugin has to leave after its input was closed (seconds)."""

TERM_S = 2.0
"""How long it has after SIGTERM (seconds)."""

SWEEP_S = 1.5
"""How long the keeper has to kill everything (seconds); a little more than it gives itself."""

KILL_S = 1.0
"""How long the kernel has to carry out SIGKILL (seconds); only a process inside the kernel takes longer."""

POLL_S = 0.02
"""How often the end is looked for where there is no pidfd (seconds)."""

LAST_WORDS_BYTES = 1024 * 1024
"""How much is still read from stderr after the end: all that a pipe can hold."""


class Child:
    """A running child.

    Args:
        spawned: as `spawn` gave it; it belongs to this object from now on.
        log: takes what it prints.

    Attributes:
        is_attached: somebody else has started it; see `process.attached`.
    """

    is_attached = False

    def __init__(self, spawned: Spawned, log: StderrLog) -> None:
        self.plugin = spawned.plugin
        self.log = log
        self._spawned = spawned
        self._tape = spawned.tape
        self._ended = anyio.Event()
        self._stdin_open = True

    @property
    def pid(self) -> int:
        """The process id of the keeper."""
        return self._spawned.pid

    @property
    def exit(self) -> Exit | None:
        """How it ended; None while it runs."""
        return self._spawned.exit

    @property
    def greeting(self) -> Greeting | None:
        """The conversation that was begun with it; None if none was."""
        return self._spawned.greeting

    @property
    def wall(self) -> Wall | None:
        """What stands around it; None if nothing does."""
        return self._spawned.wall

    async def attend(self) -> None:
        """Read what the child prints and wait for its end; returns when it has ended and was collected."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, self._spawned.stderr, self._take_printed)
            await self._wait_for_end()
            tasks.cancel_scope.cancel()
        self._drain_last_words()
        self._spawned.collect()
        if self._tape is not None:
            self._tape.ended(self.exit.cause if self.exit is not None else "")
        self.log.close()
        self.close_stdin()
        self._close(self._spawned.stderr)
        if self._spawned.pidfd is not None:
            os.close(self._spawned.pidfd)
        self._ended.set()

    async def listen(self, take: Callable[[bytes], None]) -> None:
        """Hand over what the child writes, as it comes; returns when it has closed its output.

        Args:
            take: gets at least a byte at a time; what it raises ends the listening and is raised here.
        """
        await _listen(self._spawned.stdout, take if self._tape is None else self._tape.hearing(take))

    def close_stdout(self) -> None:
        """Let go of the child's output; nobody may be reading any more."""
        self._close(self._spawned.stdout)

    def write_some(self, data: bytes | memoryview) -> int:
        """Write as much of `data` as fits now.

        Returns:
            the number of bytes written, 0 if none fit.

        Raises:
            BrokenPipeError: the child has closed its input, or we have.
        """
        if not self._stdin_open:
            raise BrokenPipeError
        try:
            written = os.write(self._spawned.stdin, data)
        except BlockingIOError:
            return 0
        if self._tape is not None:
            self._tape.sent(data[:written])
        return written

    async def wait_writable(self) -> None:
        """Wait until more can be written, or the input is closed; then write_some() tells which."""
        if self._stdin_open:
            try:
                await anyio.wait_writable(self._spawned.stdin)
            except anyio.ClosedResourceError:
                return

    def close_stdin(self) -> None:
        """Close the child's input, which asks it to leave."""
        if self._stdin_open:
            self._stdin_open = False
            self._close(self._spawned.stdin)
            if self.exit is None:
                self.note("input closed")

    def note(self, event: str, **facts: Any) -> None:
        """Note for the trace, if there is one, that something happened."""
        if self._tape is not None:
            self._tape.event(event, **facts)

    async def ends_within(self, patience_s: float) -> Exit | None:
        """Wait for the end.

        Args:
            patience_s: how long, in seconds.

        Returns:
            how it ended; None if it has not.
        """
        with anyio.move_on_after(patience_s):
            await self._ended.wait()
        return self.exit

    async def stop(self, *, patience_s: float = CLOSE_S) -> Exit:
        """End the child by the ladder above; its output must be read meanwhile, or it may be unable to leave.

        Args:
            patience_s: how long it has to leave by itself, in seconds.
        """
        with anyio.CancelScope(shield=True):
            self.close_stdin()
            if ended := await self.ends_within(patience_s):
                return ended
            steps: tuple[tuple[Callable[[], None], float], ...] = (
                (self._ask_group, TERM_S),
                (self._spawned.kill_now, SWEEP_S),
                (self._kill_group, KILL_S),
            )
            for act, wait_s in steps:
                self.note("told to end" if act == self._ask_group else "killed")
                act()
                if ended := await self.ends_within(wait_s):
                    return ended
        return Exit(None)

    def kill_now(self) -> None:
        """Have everything killed at once, without waiting; safe in a signal handler."""
        self._spawned.kill_now()

    def _take_printed(self, chunk: bytes) -> None:
        self.log.feed(chunk)
        if self._tape is not None:
            self._tape.printed(chunk)

    def _ask_group(self) -> None:
        self._spawned.signal_group(signal.SIGTERM)
        self._spawned.signal_group(signal.SIGCONT)

    def _kill_group(self) -> None:
        self._spawned.signal_group(signal.SIGKILL)

    async def _wait_for_end(self) -> None:
        if self._spawned.pidfd is not None:
            await anyio.wait_readable(self._spawned.pidfd)
            return
        while not self._spawned.has_ended():  # noqa: ASYNC110 - the end of a process is no event of the loop
            await anyio.sleep(POLL_S)

    def _drain_last_words(self) -> None:
        left = LAST_WORDS_BYTES
        while left > 0 and (chunk := _read(self._spawned.stderr)):
            self._take_printed(chunk)
            left -= len(chunk)

    @staticmethod
    def _close(fd: int) -> None:
        anyio.notify_closing(fd)
        with suppress(OSError):
            os.close(fd)


async def _listen(fd: int, take: Callable[[bytes], None]) -> None:
    """Read a descriptor until its end; see `Child.listen`.

    The loop's own reader stays in place between two chunks, and `take` runs in it, not in a task that would
    have to be woken: together that is half of a round trip. One chunk is read each time the loop comes round,
    so a flood leaves time for those who take and cancel. This is asyncio's, on which alone the kernel runs.
    """
    loop = asyncio.get_running_loop()
    end: asyncio.Future[None] = loop.create_future()

    def read() -> None:
        if end.done():
            return  # the loop had seen more bytes before it was told to stop
        try:
            chunk = _read(fd)
            if chunk:
                take(chunk)
            elif chunk is not None:
                end.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is for who listens, not for the loop
            end.set_exception(error)

    loop.add_reader(fd, read)
    try:
        await end
    finally:
        loop.remove_reader(fd)


def _read(fd: int) -> bytes | None:
    """Read what is there; empty at the end, None if nothing is there now."""
    try:
        return os.read(fd, READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""
