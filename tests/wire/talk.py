"""Two real Connections whose bytes travel when they like, for machines that choose at random what is said."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cellwall_wire import (
    CLOSED,
    METHODS,
    NEED_DATA,
    Connection,
    Credit,
    Data,
    Delta,
    DescribeParams,
    DescribeResult,
    EmbedParams,
    EmbedResult,
    EmbedText,
    Empty,
    ErrorResponse,
    HostPromptParams,
    KeysGetParams,
    KeysGetResult,
    LocalError,
    Meta,
    Outgoing,
    PingParams,
    PromptResult,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    ShutdownParams,
    Vector,
)
from tests.support.pair import Pair, question

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Party", "Talkers", "strays"]

RESULTS: dict[str, Any] = {
    "model/prompt": PromptResult(),
    "host/prompt": PromptResult(),
    "embed/batch": EmbedResult(),
    "plugin/describe": DescribeResult(digest="d"),
    "keys/get": KeysGetResult(value="k"),
    "ping": Empty(),
    "shutdown": Empty(),
}


class Party:
    """One side: its connection, what it has written, and its books.

    Attributes:
        pipe: bytes on their way to the other side.
        written: all lines that were ever written.
        methods: the method of each call, whoever made it.
        asked: calls that it made.
        begun: calls that the other side made and that it has seen.
        answers: how many answers each of its calls has.
        sent: the texts streamed for each call; likewise `read`.
        unpaid: bytes of data lines that were read and not granted again.
        granted: bytes that were ever granted for each call that it takes items of; likewise `cost`.
        items: how many items were read for each call; likewise `counts`, what its result said.
        broken: the other side broke the protocol, as far as it can see.
    """

    def __init__(self, role: Role, connection: Connection) -> None:
        self.role = role
        self.connection = connection
        self.pipe = bytearray()
        self.written: list[bytes] = []
        self.methods: dict[str, str] = {}
        self.asked: list[str] = []
        self.begun: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.sent: dict[str, str] = {}
        self.read: dict[str, str] = {}
        self.unpaid: Counter[str] = Counter()
        self.granted: Counter[str] = Counter()
        self.cost: Counter[str] = Counter()
        self.items: Counter[str] = Counter()
        self.counts: dict[str, int] = {}
        self.broken = False

    def send(self, message: Outgoing) -> bool:
        """Write a message; False if the protocol does not allow it now."""
        try:
            line = self.connection.send(message)
        except LocalError:
            return False
        self.pipe += line
        self.written.append(line)
        return True

    def ask(self, method: str, credit: int, parent: str | None) -> None:
        """Make a call."""
        call = self.connection.next_id()
        meta = Meta(credit=credit or None, parent=parent)
        params: Any = {
            "model/prompt": question(credit=credit or None),
            "host/prompt": HostPromptParams(messages=[], meta=meta),
            "embed/batch": EmbedParams(model="m", meta=Meta(credit=credit or None)),
            "plugin/describe": DescribeParams(),
            "keys/get": KeysGetParams(alias="k", meta=meta),
            "ping": PingParams(),
            "shutdown": ShutdownParams(),
        }[method]
        if self.send(Request(call, method, params)):
            self.asked.append(call)
            self.methods[call] = method
            self.granted[call] = credit if METHODS[method].item is not None else 0

    def stream(self, call: str, text: str, *, end: bool = False) -> None:
        """Send an item, if there is credit."""
        method = self.methods[call]
        item: Any = Delta(0, text)
        if method == "embed/batch":
            item = EmbedText("1", text) if call in self.asked else Vector("1", text)
        if self.send(Data(call, [item], end=end)):
            self.sent[call] = self.sent.get(call, "") + text

    def answer(self, call: str, error: ErrorResponse | None) -> None:
        """End a call of the other side."""
        self.send(error or Response(call, RESULTS[self.methods[call]]))

    def grant(self, call: str, size: int) -> None:
        """Grant credit for a call whose items it takes."""
        if self.send(Credit(call, size)):
            self.granted[call] += size
            self.unpaid[call] = 0

    # -- what comes ------------------------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Read bytes; refusals are answered at once, as drivers do."""
        if self.broken:
            return
        self.connection.receive(data or b"\n")
        with suppress(RemoteError):
            for event in self._events():
                self._note(event)
            return
        self.broken = True

    def _events(self) -> Iterator[Any]:
        while (event := self.connection.next_event()) is not NEED_DATA:
            assert event is not CLOSED
            yield event

    def _note(self, event: Any) -> None:
        if isinstance(event, Refused):
            assert self.send(event.answer)
        elif isinstance(event, Request):
            spec, parent = METHODS[event.method], event.meta.parent
            assert spec.caller is not Role.PLUGIN or self.connection.is_live(parent or "")
            self.begun[event.id] += 1
            self.methods[event.id] = event.method
        elif isinstance(event, Data):
            assert not self.answers[event.id]
            self.unpaid[event.id] += event.cost
            self.cost[event.id] += event.cost
            self.items[event.id] += len(event.items)
            texts = [getattr(item, "text", "") or getattr(item, "vector", "") for item in event.items]
            self.read[event.id] = self.read.get(event.id, "") + "".join(texts)
        elif isinstance(event, Response | ErrorResponse):
            assert event.id is not None
            self.answers[event.id] += 1
            if isinstance(event, Response) and METHODS[self.methods[event.id]].item is not None:
                self.counts[event.id] = event.result.items


class Talkers:
    """A host and a plugin that are ready."""

    def __init__(self) -> None:
        pair = Pair().ready()
        self.host = Party(Role.HOST, pair.host)
        self.plugin = Party(Role.PLUGIN, pair.plugin)

    def of(self, role: Role) -> tuple[Party, Party]:
        """Give a side, and the other one."""
        return (self.host, self.plugin) if role is Role.HOST else (self.plugin, self.host)

    def travel(self, role: Role, size: int) -> None:
        """Let some of the bytes that a side has written arrive."""
        sender, receiver = self.of(role)
        data = bytes(sender.pipe[:size])
        del sender.pipe[:size]
        receiver.take(data)


def strays(role: Role, number: int) -> list[bytes]:
    """List lines that a side may write although they mean nothing.

    Args:
        role: which side.
        number: makes ids that were never used.
    """
    mine, other = (f"{who.id_prefix}{10**9 + number}" for who in (role, role.other))
    lines = [
        '{"jsonrpc":"2.0","method":"$/future","params":{"x":[1]}}',
        f'{{"jsonrpc":"2.0","method":"$/cancel","params":{{"id":"{mine}"}}}}',
        f'{{"jsonrpc":"2.0","method":"$/credit","params":{{"id":"{other}","n":50}}}}',
        f'{{"jsonrpc":"2.0","method":"$/data","params":{{"id":"{other}","seq":0,"items":[]}}}}',
        f'{{"jsonrpc":"2.0","method":"$/progress","params":{{"id":"{other}","done":1}}}}',
        f'{{"jsonrpc":"2.0","id":"{other}","result":{{"items":0}}}}',
        '{"jsonrpc":"2.0","id":7,"method":"ping","params":{}}',
        '{"jsonrpc":"2.0","id":{},"method":"ping","params":{}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}',
        '[{"jsonrpc":"2.0","id":"h1","method":"ping"}]',
        "a stray print",
        "",
    ]
    return [line.encode() + b"\r\n" for line in lines]
