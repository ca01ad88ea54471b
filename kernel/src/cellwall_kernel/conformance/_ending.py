"""Checks of the end: a closed input, and `shutdown`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.conformance._peer import AT_ONCE_S
from cellwall_kernel.conformance._types import Broken
from cellwall_kernel.conformance._words import as_line, members_of
from cellwall_wire import Code

if TYPE_CHECKING:
    from cellwall_kernel.conformance._peer import Peer
    from cellwall_kernel.conformance._scene import Scene
    from cellwall_kernel.process import Exit

__all__ = [
    "answer_open_calls_after_shutdown",
    "answer_shutdown",
    "end_before_initialize",
    "end_when_busy",
    "end_when_idle",
    "end_with_code_zero",
    "refuse_after_shutdown",
]


BEGIN_S = 0.2
"""How long a plugin has to begin with a prompt (seconds)."""


async def ended(peer: Peer) -> Exit:
    """Close the input and wait for the end.

    Raises:
        Broken: it does not end by itself.
    """
    peer.close_input()
    found = await peer.ends_within(AT_ONCE_S)
    if found is None:
        raise Broken("the end of its input", f"it still runs after {AT_ONCE_S:g} s")
    return found


async def end_before_initialize(scene: Scene) -> None:
    """Check that a plugin to which nobody spoke ends."""
    async with scene.new() as peer:
        peer.close_input()
        if await peer.ends_within(scene.patience_s) is None:  # it may still be loading
            raise Broken("the end of its input, before initialize", f"it runs after {scene.patience_s:g} s")


async def end_when_idle(scene: Scene) -> None:
    """Check that an idle plugin ends."""
    async with scene.ready() as peer:
        await ended(peer)


async def end_with_code_zero(scene: Scene) -> None:
    """Check the exit code of a plugin that was asked to end."""
    async with scene.ready() as peer:
        peer.close_input()
        found = await peer.ends_within(scene.patience_s)
        if found is not None and found.status != 0:
            raise Broken("the end of its input", f"it ended with {found.cause}")


async def end_when_busy(scene: Scene) -> None:
    """Check that a plugin ends in the middle of an answer."""
    question = scene.question()
    async with scene.ready() as peer:
        call = peer.prompt(question, credit=None, grants=False)
        await peer.until(lambda: peer.call(call).answer is not None, BEGIN_S)
        await ended(peer)


async def answer_shutdown(scene: Scene) -> None:
    """Check that `shutdown` is answered, and what comes after it."""
    async with scene.ready() as peer:
        await peer.result(peer.ask("shutdown", {"reason": "this is a check", "grace_ms": 2000}))
        found = await ended(peer)
        if found.status != 0:
            raise Broken("shutdown, then the end of its input", f"it ended with {found.cause}")


async def refuse_after_shutdown(scene: Scene) -> None:
    """Check that a request which crosses `shutdown` is refused."""
    async with scene.ready() as peer:
        shutdown = peer.ask("shutdown")
        late = peer.ask("plugin/describe")
        await peer.result(shutdown)
        await peer.refusal(late, Code.SHUTTING_DOWN)


async def answer_open_calls_after_shutdown(scene: Scene) -> None:
    """Check that a call which was open at `shutdown` still gets its answer."""
    question = scene.question()
    async with scene.ready() as peer:
        call = peer.prompt(question, credit=None, grants=False)
        await peer.result(peer.ask("shutdown"))
        if peer.call(call).answer is None:
            peer.grant(call, 64 * 1024 * 1024)
        answer = await peer.answer(call)
        if members_of(answer.get("error")).get("code") == Code.SHUTTING_DOWN:
            raise Broken(f"{peer.call(call).line}, then shutdown", as_line(answer))
