"""Two real Connections joined in memory: a Link with an Emitter, and a host in the test's hands."""

from __future__ import annotations

from typing import Any

import cellwall_wire as wire
from cellwall_sdk._call import Call
from cellwall_sdk._emit import Emitter
from cellwall_sdk._link import Link
from cellwall_wire import Connection, Request, Response, Role

__all__ = ["Pair"]


class Pair:
    """A host and a plugin between which one prompt is open.

    Args:
        credit: how many bytes of data lines the plugin may send at first.
        data_line: the longest data line the host takes, in bytes.
    """

    def __init__(self, credit: int, *, data_line: int = 64 * 1024) -> None:
        self.host = Connection(Role.HOST)
        self.lines: list[bytes] = []
        self.items: list[Any] = []
        self.link = Link(Connection(Role.PLUGIN), self)
        hello = wire.InitializeParams(
            protocols=[1],
            host=wire.Peer(name="tests"),
            plugin=wire.PluginIdentity(name="plugin"),
            limits=wire.WireLimits(line=8 << 20, data_line=data_line),
            dirs=wire.Dirs(data="/", scratch="/"),
        )
        opened = self._from_host(Request(self.host.next_id(), "initialize", hello))
        assert isinstance(opened, Request)
        self.link.send(
            Response(opened.id, wire.InitializeResult(protocol=1, plugin=wire.Peer(name="plugin")))
        )
        params = wire.PromptParams(model="m", messages=[], meta=wire.Meta(credit=credit))
        prompt = self._from_host(Request(self.host.next_id(), "model/prompt", params))
        assert isinstance(prompt, Request)
        self.call = Call(prompt)
        self.emitter = self.call.emitter = Emitter(self.link, self.call, credit)
        self.emitter.may_wait = False  # both sides live on one thread

    def _from_host(self, message: wire.Outgoing) -> wire.Event:
        (event,) = self.link.events(self.host.send(message))
        return event

    def grant(self, size: int) -> None:
        """Let the host grant more credit, and the plugin's reader notice."""
        self._from_host(wire.Credit(self.call.id, size))
        self.emitter.credit_came()

    @property
    def text(self) -> str:
        """The text that has arrived at the host."""
        return "".join(item.text for item in self.items if isinstance(item, wire.Delta))

    # -- what the Link writes to ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Let the host take in lines; it raises RemoteError if the plugin broke the protocol."""
        self.lines += data.splitlines(keepends=True)
        self.host.receive(data)
        while (event := self.host.next_event()) is not wire.NEED_DATA:
            if isinstance(event, wire.Data):
                self.items += event.items

    def write_some(self, data: bytes) -> bytes:
        """Take all of it: nothing here can be full."""
        self.write(data)
        return b""
