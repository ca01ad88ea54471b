"""Asking plugins what they offer: several at a time, each for a bounded time, one command at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import anyio

from cellwall_kernel.errors import CellwallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from cellwall_wire import DescribeResult

__all__ = ["Turn", "ask_all"]

AT_ONCE = (os.cpu_count() or 1) + 2
"""How many plugins are started at once: importing is work for the processor, waiting for a network is not."""

TURN_POLL_S = 0.02
"""How often a command looks whether another one has finished asking (seconds)."""


async def ask_all(
    names: Sequence[str],
    ask: Callable[[str], Awaitable[DescribeResult]],
    *,
    take: Callable[[str, DescribeResult | CellwallError | None], None],
    patience_s: Callable[[str], float],
    is_enough: Callable[[], bool],
    linger_s: float,
) -> None:
    """Ask plugins, several at a time, and hand over each answer as it comes.

    Args:
        names: whom to ask, the most wanted first.
        ask: asks one; raises CellwallError if that fails.
        take: gets a name and its answer: what it offers, why it failed, or None if it was not waited for.
        patience_s: gives how long one may take from its start, in seconds.
        is_enough: whether the caller has what it needs; asked after every answer.
        linger_s: how long the others may still take then, in seconds.
    """
    limiter = anyio.CapacityLimiter(AT_ONCE)
    started: set[str] = set()

    async def ask_one(name: str, everybody: anyio.CancelScope) -> None:
        async with limiter:
            started.add(name)
            answer: DescribeResult | CellwallError | None = None
            with anyio.move_on_after(patience_s(name)):
                try:
                    answer = await ask(name)
                except CellwallError as error:
                    answer = error
            started.discard(name)
            take(name, answer)
            if is_enough():
                everybody.deadline = min(everybody.deadline, anyio.current_time() + linger_s)

    with anyio.CancelScope() as everybody:
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(ask_one, name, everybody)
    for name in sorted(started):  # interrupted; those that were never started are still to be asked
        take(name, None)


class Turn:
    """Whose turn it is to ask: of several commands that start at once, one asks and the others read.

    Args:
        path: the catalogue's file; the lock lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".asking")
        self._fd: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)  # frees the lock
            self._fd = None

    async def wait(self, patience_s: float, is_settled: Callable[[], bool]) -> bool:
        """Wait for our turn.

        Args:
            patience_s: how long, in seconds; then we ask although another command does.
            is_settled: whether the others have found out all we need.

        Returns:
            whether anything is left to ask.
        """
        give_up = anyio.current_time() + patience_s
        while not self._is_ours():
            if is_settled():
                return False
            if anyio.current_time() > give_up:
                return True
            await anyio.sleep(TURN_POLL_S)
        return not is_settled()

    def _is_ours(self) -> bool:
        import fcntl

        try:
            if self._fd is None:
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a folder that cannot be written, or has no locks: everybody asks for themselves
        return True
