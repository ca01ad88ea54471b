"""A whole conversation as it was said, to be said again with changes to one side of a real Connection.

What one side sends depends on no clock and no chance, so a Connection can take its part again, message by
message, while what it hears comes from a test that has done something to it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from cellwall_wire import (
    CLOSED,
    NEED_DATA,
    Args,
    Cancel,
    Code,
    Connection,
    Credit,
    Data,
    Delta,
    DescribeParams,
    DescribeResult,
    Empty,
    ErrorInfo,
    ErrorResponse,
    Event,
    InitializeResult,
    KeyNeed,
    KeysGetParams,
    KeysGetResult,
    Limits,
    LocalError,
    Meta,
    ModelInfo,
    Note,
    Outgoing,
    PartEnd,
    PartStart,
    Peer,
    PingParams,
    Progress,
    PromptResult,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    ShutdownParams,
    Usage,
    UsageItem,
)
from tests.support.pair import WINDOW, hello, question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OPAQUE", "Said", "conversation", "hear", "heard_by", "places", "replay", "spell"]

OPAQUE = {"provider", "detail", "details", "options_schema", "features", "options", "assets"}
"""Members whose inner names are data, so that one more of them is no unknown member."""


@dataclass(frozen=True)
class Said:
    """One message: who said it, what it was, and its line."""

    who: Role
    message: Outgoing
    line: bytes


def conversation() -> list[Said]:
    """Hold a conversation in which every kind of message is said, and return it."""
    sides = {role: Connection(role) for role in Role}
    said: list[Said] = []

    def say(who: Role, message: Outgoing) -> None:
        line = sides[who].send(message)
        sides[who.other].receive(line)
        while sides[who.other].next_event() is not NEED_DATA:
            pass
        said.append(Said(who, message, line))

    host, plugin = Role.HOST, Role.PLUGIN
    say(host, Request("h1", "initialize", hello(features={"x": {}}, locale="en")))
    say(plugin, Response("h1", InitializeResult(protocol=1, plugin=Peer(name="s"), sdk=Peer(name="sdk"))))
    say(host, Request("h2", "plugin/describe", DescribeParams()))
    model = ModelInfo(id="m", aliases=["a"], options_schema={"type": "object"}, key=KeyNeed(alias="k"))
    say(plugin, Response("h2", DescribeResult(digest="d", ttl_ms=5, models=[model], notes=["n"])))
    say(host, Request("h3", "model/prompt", question("grüße 🦉", credit=WINDOW)))
    say(plugin, Request("p1", "keys/get", KeysGetParams(alias="k", meta=Meta(parent="h3"))))
    say(host, Response("p1", KeysGetResult(value="secret")))
    say(plugin, Progress("h3", 1.0, 2.0, "half"))
    say(plugin, Data("h3", [PartStart(0, "text"), Delta(0, "schöne "), Delta(0, "Grüße"), PartEnd(0)]))
    say(host, Credit("h3", 500))
    tool = [PartStart(1, "tool_call", call_id="c", name="t"), Args(1, '{"a":'), Args(1, "1}")]
    say(plugin, Data("h3", [*tool, Note("a remark"), UsageItem(Usage(input=3, details={"x": 1}))]))
    say(plugin, Request("p2", "ping", PingParams()))
    say(host, Response("p2", Empty()))
    say(plugin, Response("h3", PromptResult(finish="tool_calls", usage=Usage(output=4), provider={"p": 1})))
    say(host, Request("h4", "model/prompt", question(credit=200)))
    say(host, Cancel("h4", "enough"))
    error = ErrorInfo.of(Code.CANCELLED, "cancelled", items_sent=0, hint="h", detail={"traceback": "t"})
    say(plugin, ErrorResponse("h4", error))
    say(host, Request("h5", "shutdown", ShutdownParams(reason="done")))
    say(plugin, Response("h5", Empty()))
    return said


def heard_by(role: Role, said: list[Said]) -> list[int]:
    """Return the places in a conversation of what a side hears."""
    return [place for place, one in enumerate(said) if one.who is not role]


def hear(side: Connection, chunk: bytes) -> Iterator[Event]:
    """Hand bytes to a side and yield what it makes of them, each refusal answered as a driver does."""
    side.receive(chunk)
    while (event := side.next_event()) is not NEED_DATA:
        if isinstance(event, Refused):
            side.send(event.answer)  # must always be possible
        yield event
        if event is CLOSED:
            return


def replay(
    role: Role,
    said: list[Said],
    change: Callable[[int, bytes], list[bytes]] | None = None,
    limits: Limits | None = None,
) -> list[Event | str]:
    """Let a side take its part again.

    Args:
        role: which side.
        said: the conversation.
        change: makes the chunks that are read out of a place and its line; None changes nothing.
        limits: of that side.

    Returns:
        what it made of what it heard, without the cost of data, which depends on spelling; the text of a
        RemoteError ends it.
    """
    side = Connection(role, limits=limits)
    events: list[Event | str] = []
    for place, one in enumerate(said):
        if one.who is role:
            with suppress(LocalError):  # it has not heard what it would have answered
                side.send(one.message)
            continue
        try:
            for chunk in [one.line] if change is None else change(place, one.line):
                events += hear(side, chunk or b"\n")
        except RemoteError as error:
            return [*map(_without_cost, events), str(error)]
    return [*map(_without_cost, events)]


def _without_cost(event: Event | str) -> Event | str:
    return msgspec.structs.replace(event, cost=0) if isinstance(event, Data) else event


# -- spelling lines anew -------------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a message, its own included."""
    yield path
    if isinstance(value, dict):
        for key, member in cast("dict[str, Any]", value).items():
            yield from places(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(cast("list[object]", value)):
            yield from places(member, (*path, index))


def spell(
    value: Any,
    *,
    put: dict[tuple[Any, ...], bytes] | None = None,
    more: Callable[[tuple[Any, ...]], tuple[list[str], list[str]]] | None = None,
    path: tuple[Any, ...] = (),
) -> bytes:
    """Write JSON by hand.

    Args:
        value: what.
        put: path -> what stands there instead, JSON or not.
        more: tells for the path of an object which members, already written, come before and after its own.
        path: where `value` is.
    """
    if put is not None and path in put:
        return put[path]
    if isinstance(value, list):
        entries = cast("list[object]", value)
        spelled = [spell(v, put=put, more=more, path=(*path, i)) for i, v in enumerate(entries)]
        return b"[" + b",".join(spelled) + b"]"
    if not isinstance(value, dict):
        return json.dumps(value).encode()
    before, after = more(path) if more is not None else ([], [])
    own = [
        json.dumps(key).encode() + b":" + spell(member, put=put, more=more, path=(*path, key))
        for key, member in cast("dict[str, Any]", value).items()
    ]
    return b"{" + b",".join([*(m.encode() for m in before), *own, *(m.encode() for m in after)]) + b"}"
