"""Runs what `async` authors wrote; imported only for them, because asyncio costs a cell 4 MiB and 20 ms.

One event loop lives as long as the process, so that clients which an author keeps stay usable. What is
emitted never blocks the loop: when credit is short the task waits for the reader to wake it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._answer import a_kind, is_pieces
from .errors import BadOutput, Cancelled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._response import Running

__all__ = ["run_async"]

_runner: asyncio.Runner | None = None


def run_async(result: Any, run: Running) -> None:
    """Run a coroutine or an async generator to its end, and take what it gives.

    Raises:
        Cancelled: the host no longer wants the answer.
    """
    global _runner  # noqa: PLW0603 - one loop per process is the point
    if _runner is None:
        _runner = asyncio.Runner()
    loop = _runner.get_loop()
    run.emitter.may_wait = False
    run.call.interrupts_task = lambda: asyncio.current_task(loop) is not None
    try:
        _runner.run(_main(result, run, loop))
    except asyncio.CancelledError as error:
        run.call.check()
        raise BadOutput("execute() was cancelled by its own code.") from error
    finally:
        run.call.attach_loop(None, None)
        run.emitter.may_wait = True


async def _main(result: Any, run: Running, loop: asyncio.AbstractEventLoop) -> None:
    task = asyncio.current_task()
    woken = asyncio.Event()
    run.call.attach_loop(
        on_wake=lambda: loop.call_soon_threadsafe(woken.set),
        on_cancel=lambda: loop.call_soon_threadsafe(task.cancel) if task is not None else None,
    )
    run.call.check()

    async def wait(is_enough: Callable[[], bool]) -> None:
        woken.clear()
        while not is_enough():
            await woken.wait()
            woken.clear()

    await _take(result, run, wait)
    run.call.interruptible = False
    await wait(run.emitter.is_empty)


async def _take(result: Any, run: Running, wait: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
    call = run.call
    if hasattr(result, "__await__"):
        call.interruptible = True
        try:
            result = await result
        finally:
            call.interruptible = False
    if hasattr(result, "__aiter__"):
        await _take_each(result, run, wait)
    elif isinstance(result, str):
        run.answer.put(result)
    elif is_pieces(result):
        for piece in result:
            run.answer.put(piece)
            if run.emitter.full:
                await wait(run.emitter.has_room)
    elif result is not None:
        raise BadOutput(f"execute() returned {a_kind(result)}; it returns a str, or yields them.")


async def _take_each(
    pieces: Any, run: Running, wait: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    call = run.call
    iterator = aiter(pieces)
    try:
        while True:
            call.interruptible = True
            try:
                piece = await anext(iterator)
            except StopAsyncIteration:
                return
            finally:
                call.interruptible = False
            run.answer.put(piece)
            if run.emitter.full:
                await wait(run.emitter.has_room)
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            with suppress(Exception, Cancelled):  # why it was left early is the news
                await close()
