"""Checks of the beginning: versions, what comes before `initialize`, and what a newer host may say in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_kernel.conformance._peer import line_of
from cellwall_kernel.conformance._types import Broken
from cellwall_kernel.conformance._words import as_line, members_of
from cellwall_kernel.process import INITIALIZE_S
from cellwall_wire import PROTOCOL, Code

if TYPE_CHECKING:
    from cellwall_kernel.conformance._scene import Scene

__all__ = [
    "answer_a_bare_hello",
    "choose_the_highest_version",
    "greet",
    "read_a_long_first_line",
    "refuse_before_initialize",
    "refuse_other_versions",
    "start_again_after_a_refusal",
    "take_unknown_members",
]

FUTURE = 77
"""A version of the protocol that nobody speaks."""

EARLY_LINE = 65_536
"""The longest line before `initialize` is answered (bytes, without its newline)."""

STRANGE: dict[str, Any] = {"x_strange": {"of": ["a", "newer", "version", None, 1.5]}}
"""A member that nobody knows."""


async def greet(scene: Scene) -> None:
    """Check that `initialize` is answered in time and in its frozen shape."""
    async with scene.new() as peer:
        call = peer.ask("initialize", scene.hello())
        result = await peer.result(call, INITIALIZE_S)
        if result.get("protocol") != PROTOCOL or isinstance(result["protocol"], bool):
            raise Broken(peer.call(call).line, as_line(result))


async def choose_the_highest_version(scene: Scene) -> None:
    """Check that of several versions the highest common one is chosen."""
    async with scene.new() as peer:
        hello = scene.hello() | {"protocols": [PROTOCOL, FUTURE]}
        call = peer.ask("initialize", hello)
        result = await peer.result(call, INITIALIZE_S)
        if result.get("protocol") != PROTOCOL:
            raise Broken(peer.call(call).line, as_line(result))
        await peer.must_live(peer.call(call).line)


async def refuse_other_versions(scene: Scene) -> None:
    """Check the error for a host that speaks no version in common."""
    async with scene.new() as peer:
        call = peer.ask("initialize", scene.hello() | {"protocols": [FUTURE]})
        error = await peer.refusal(call, Code.UNSUPPORTED_VERSION, within_s=INITIALIZE_S)
        told = members_of(error.get("data"))
        supported = told.get("supported")
        knows = isinstance(supported, list) and PROTOCOL in supported
        if not knows or told.get("requested") != [FUTURE]:
            raise Broken(peer.call(call).line, as_line(error))


async def start_again_after_a_refusal(scene: Scene) -> None:
    """Check that the host may try once more with another version."""
    async with scene.new() as peer:
        call = peer.ask("initialize", scene.hello() | {"protocols": [FUTURE]})
        await peer.answer(call, INITIALIZE_S)
        await scene.greet(peer)
        await peer.must_live("initialize, after one that was refused")


async def answer_a_bare_hello(scene: Scene) -> None:
    """Check that a first line with nothing but its frozen members gets one answer."""
    async with scene.new() as peer:
        params = {"protocols": [FUTURE], "host": scene.hello()["host"]}
        call = peer.ask("initialize", params)
        answer = await peer.answer(call, INITIALIZE_S)
        if "error" not in answer:
            raise Broken(peer.call(call).line, as_line(answer))


async def refuse_before_initialize(scene: Scene) -> None:
    """Check that nothing is answered, but with 1001, before `initialize`."""
    async with scene.new() as peer:
        peer.notify("$/cancel", id="h1")
        peer.notify("x_strange")
        early = [peer.ask("plugin/describe"), peer.ask("x_strange/method")]
        for call in early:
            await peer.refusal(call, Code.NOT_INITIALIZED, within_s=INITIALIZE_S)
        await scene.greet(peer)


async def read_a_long_first_line(scene: Scene) -> None:
    """Check that a first line of the longest length is read."""
    async with scene.new() as peer:
        call, message = peer.prepare("initialize", scene.hello() | {"x_padding": ""})
        padding = EARLY_LINE - (len(line_of(message)) - 1)
        message["params"]["x_padding"] = "x" * padding
        peer.say(message)
        await peer.result(call, INITIALIZE_S)


async def take_unknown_members(scene: Scene) -> None:
    """Check that members which nobody knows change nothing, wherever they stand."""
    async with scene.new() as peer:
        hello = scene.hello()
        for name in ("host", "plugin", "limits", "dirs"):
            hello[name] |= STRANGE
        hello["features"] = {"org.example.strange": {"level": 3}}
        hello["meta"] = {"timeout_ms": 10_000, **STRANGE}
        await scene.accepted(peer, hello | STRANGE, **STRANGE)
        meta = {"timeout_ms": 10_000, "idle_ms": 10_000, "idempotent": True, "traceparent": TRACE, **STRANGE}
        await peer.result(peer.ask("plugin/describe", {"meta": meta, **STRANGE}, **STRANGE))
        await peer.result(peer.ask("ping", STRANGE, **STRANGE))
        if scene.model is not None:
            question = scene.question(**STRANGE)
            message = question["messages"][0]
            message |= STRANGE
            message["parts"][0] |= STRANGE
            await scene.answered(peer, peer.prompt(question))


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""A trace context, passed on unread."""
