"""Two real Connections joined in memory: what one sends, the other receives."""

from __future__ import annotations

from typing import Any

from cellwall_wire import (
    CLOSED,
    NEED_DATA,
    Connection,
    Dirs,
    Event,
    InitializeParams,
    InitializeResult,
    Limits,
    Message,
    Meta,
    Outgoing,
    Peer,
    PluginIdentity,
    PromptParams,
    Request,
    Response,
    Role,
    TextPart,
    WireLimits,
)

WINDOW = 262_144


def hello(**changes: Any) -> InitializeParams:
    """Make the parameters of `initialize`."""
    values: dict[str, Any] = {
        "protocols": [1],
        "host": Peer(name="cellwall", version="0.1.0"),
        "plugin": PluginIdentity(name="sample"),
        "limits": WireLimits(line=8 << 20, data_line=65_536),
        "dirs": Dirs(data="/data", scratch="/scratch"),
    }
    return InitializeParams(**(values | changes))


def question(text: str = "hi", *, credit: int | None = WINDOW) -> PromptParams:
    """Make the parameters of `model/prompt`."""
    messages = [Message(role="user", parts=[TextPart(text)])]
    return PromptParams(model="sample", messages=messages, meta=Meta(credit=credit))


class Pair:
    """A host and a plugin; `host` and `plugin` are the real thing, only the pipe is missing."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.host = Connection(Role.HOST, limits=limits)
        self.plugin = Connection(Role.PLUGIN, limits=limits)

    def side(self, role: Role) -> tuple[Connection, Connection]:
        """Give the connection of a side, and the other one."""
        return (self.host, self.plugin) if role is Role.HOST else (self.plugin, self.host)

    def says(self, role: Role, message: Outgoing) -> list[Event]:
        """Send a message and give what the other side made of it."""
        sender, receiver = self.side(role)
        return feed(receiver, sender.send(message))

    def asks(self, role: Role, method: str, params: Any) -> str:
        """Send a request and give its id."""
        sender, _ = self.side(role)
        call_id = sender.next_id()
        self.says(role, Request(call_id, method, params))
        return call_id

    def ready(self) -> Pair:
        """Go through `initialize`."""
        call = self.asks(Role.HOST, "initialize", hello())
        self.says(Role.PLUGIN, Response(call, InitializeResult(protocol=1, plugin=Peer(name="sample"))))
        return self

    def prompt(self, *, credit: int | None = WINDOW) -> str:
        """Start a prompt and give its id."""
        return self.asks(Role.HOST, "model/prompt", question(credit=credit))


def feed(connection: Connection, data: bytes) -> list[Event]:
    """Hand bytes to a connection and give all its events, CLOSED included and NEED_DATA not."""
    connection.receive(data)
    events: list[Event] = []
    while (event := connection.next_event()) is not NEED_DATA:
        events.append(event)
        if event is CLOSED:
            break
    return events
