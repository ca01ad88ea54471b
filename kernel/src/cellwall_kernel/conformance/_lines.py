"""Checks of framing and messages: what a reader must accept, refuse or survive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.conformance._peer import AT_ONCE_S, line_of
from cellwall_kernel.conformance._types import Broken, Skipped
from cellwall_kernel.conformance._words import as_line, members_of, printable
from cellwall_wire import Code

if TYPE_CHECKING:
    from cellwall_kernel.conformance._peer import Peer
    from cellwall_kernel.conformance._scene import Scene

__all__ = [
    "answer_every_request",
    "answer_ping",
    "end_at_a_reused_id",
    "fail_what_is_too_large",
    "ignore_stray_answers",
    "ignore_unknown_notifications",
    "read_carriage_returns",
    "read_long_lines",
    "read_pieces",
    "refuse_batches",
    "refuse_other_ids",
    "refuse_unknown_methods",
    "skip_blank_lines",
    "survive_junk",
    "survive_lone_surrogates",
]

LONG_LINE = 1024 * 1024
"""The `limits.line` for which a line of just this length is tried (bytes)."""

SHORT_LINE = 512
"""The `limits.line` that a description shall be too long for (bytes); an error must still fit."""

MANY = 50
"""How many requests are sent at once."""

PAUSE_S = 0.002
"""How long a plugin has to read one byte before the next is sent (seconds)."""

JUNK = (
    b"this is no JSON\n",
    b"42\n",
    b'{"jsonrpc":"2.0"}\n',
    b'{"hello":"world"}\n',
    b'{"jsonrpc":"2.0","method":\n',
    b"\xff\xfe\n",
)
"""Lines that are no messages."""


async def answer_ping(scene: Scene) -> None:
    """Check that a ping is answered."""
    peer = scene.shared
    await peer.result(peer.ask("ping"), AT_ONCE_S)


async def skip_blank_lines(scene: Scene) -> None:
    """Check that blank lines are skipped."""
    scene.shared.put(b"\n\r\n\n")
    await scene.shared.must_live("three blank lines")


async def read_carriage_returns(scene: Scene) -> None:
    """Check that a carriage return may stand before the newline."""
    peer = scene.shared
    call, message = peer.prepare("ping")
    peer.put(line_of(message)[:-1] + b"\r\n")
    await peer.result(call)


async def read_pieces(scene: Scene) -> None:
    """Check that bytes may come one at a time."""
    peer = scene.shared
    call, message = peer.prepare("ping", {"x_text": "é🦉"})
    for byte in json.dumps(message, ensure_ascii=False).encode() + b"\n":
        peer.put(bytes([byte]))
        await anyio.sleep(PAUSE_S)
    await peer.result(call)


async def read_long_lines(scene: Scene) -> None:
    """Check that a line of just the length that was agreed on is read."""
    async with scene.ready(line=LONG_LINE) as peer:
        call, message = peer.prepare("ping", {"x_padding": ""})
        message["params"]["x_padding"] = "x" * (LONG_LINE - (len(line_of(message)) - 1))
        peer.say(message)
        await peer.result(call)


async def fail_what_is_too_large(scene: Scene) -> None:
    """Check that an answer which the host could not take becomes an error."""
    length = len(line_of(scene.described)) if scene.described else 0
    if length <= SHORT_LINE:
        raise Skipped(f"its description fits into a line of {SHORT_LINE} bytes")
    async with scene.ready(line=SHORT_LINE) as peer:
        call = peer.ask("plugin/describe")
        await peer.refusal(call, Code.TOO_LARGE)
        await peer.must_live("an answer that was too large")


async def survive_lone_surrogates(scene: Scene) -> None:
    """Check that half a surrogate pair in a text ends nothing."""
    peer = scene.shared
    line = 'ping with "\\ud83d" in it'
    peer.ask("ping", {"x_text": "\ud83d"})  # its answer may be an error
    await peer.must_live(line)
    if scene.model is not None:
        await peer.answer(peer.prompt(scene.question("half an owl: \ud83d")))
        await peer.must_live(line.replace("ping", "model/prompt"))


async def survive_junk(scene: Scene) -> None:
    """Check that lines which are no messages end nothing."""
    for line in JUNK:
        scene.shared.put(line)
        await scene.shared.must_live(printable(line))


async def refuse_unknown_methods(scene: Scene) -> None:
    """Check the error for a method that does not exist."""
    peer = scene.shared
    await peer.refusal(peer.ask("x_strange/method", {"x": 1}), Code.METHOD_NOT_FOUND)
    await peer.must_live("a request with an unknown method")


async def ignore_unknown_notifications(scene: Scene) -> None:
    """Check that an unknown notification has no effect."""
    peer = scene.shared
    strays = len(peer.strays)
    peer.notify("$/x_strange", x=1)
    peer.notify("x_strange/happened")
    await peer.must_live("an unknown notification")
    if len(peer.strays) > strays:
        raise Broken("an unknown notification", as_line(peer.strays[-1]))


async def refuse_batches(scene: Scene) -> None:
    """Check that an array of messages is refused, and none of them carried out."""
    peer = scene.shared
    call, message = peer.prepare("ping")
    line = b"[" + line_of(message)[:-1] + b"]\n"
    await must_refuse(peer, line, None)
    if peer.call(call).answer is not None:
        raise Broken(printable(line), as_line(peer.call(call).answer))


async def refuse_other_ids(scene: Scene) -> None:
    """Check that ids of another kind are refused."""
    for strange in (7, "x1"):
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": strange, "method": "ping", "params": {}}
        await must_refuse(scene.shared, line_of(message), strange)


async def must_refuse(peer: Peer, line: bytes, call_id: object) -> None:
    """Send a line and wait for the error -32600 with an id of null, or the one given."""

    def is_refusal(answer: dict[str, Any]) -> bool:
        code = members_of(answer.get("error")).get("code")
        return code == Code.INVALID_REQUEST and answer["id"] in (None, call_id)

    before = len(peer.strays)
    if isinstance(call_id, str):
        peer.ledger.asked(call_id, "", printable(line))
    peer.put(line)

    def came() -> list[dict[str, Any]]:
        known = peer.ledger.calls.get(call_id) if isinstance(call_id, str) else None
        return peer.strays[before:] + ([known.answer] if known is not None and known.answer else [])

    await peer.until(lambda: bool(came()))
    if not came():
        raise Broken(printable(line), await peer.silence(peer.patience_s))
    if not is_refusal(came()[0]):
        raise Broken(printable(line), as_line(came()[0]))
    await peer.must_live(printable(line))


async def end_at_a_reused_id(scene: Scene) -> None:
    """Check that an id which was used already ends the connection."""
    async with scene.ready() as peer:
        call, message = peer.prepare("ping")
        peer.say(message)
        await peer.result(call)
        peer.say(message)
        if not await peer.until(lambda: peer.has_closed, AT_ONCE_S):
            again = as_line(message)
            raise Broken(f"twice: {again}", f"the plugin still speaks after {AT_ONCE_S:g} s")


async def ignore_stray_answers(scene: Scene) -> None:
    """Check that a response to what was never asked is ignored."""
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": "p999999", "result": {}}
    scene.shared.say(answer)
    await scene.shared.must_live(as_line(answer))


async def answer_every_request(scene: Scene) -> None:
    """Check that many requests in one piece get an answer each."""
    peer = scene.shared
    calls = [peer.prepare("ping" if number % 10 else "plugin/describe") for number in range(MANY)]
    peer.put(b"".join(line_of(message) for _, message in calls))
    for call, _ in calls:
        await peer.answer(call)
    await peer.must_live(f"{MANY} requests at once")
