"""The link under a full pipe: the reader never waits, and no line is torn."""

from __future__ import annotations

import fcntl
import os
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

import cellwall_wire as wire
from cellwall_sdk._link import Link, PipeOutput
from cellwall_wire import Connection, NoCredit, Request, Response, Role
from tests.sdk.hosting import BOUND_S

if TYPE_CHECKING:
    from collections.abc import Iterator


class Piped:
    """A link whose output is a real pipe of one page, with a host that reads it when told to."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, 4096)
        self.host = Connection(Role.HOST)
        self.link = Link(Connection(Role.PLUGIN), PipeOutput(self.write_fd))
        hello = wire.InitializeParams(
            protocols=[1],
            host=wire.Peer(name="tests"),
            plugin=wire.PluginIdentity(name="plugin"),
            limits=wire.WireLimits(line=8 << 20, data_line=64 << 10),
            dirs=wire.Dirs(data="/", scratch="/"),
        )
        (request,) = self.take(Request(self.host.next_id(), "initialize", hello))
        self.link.send(Response(request.id, wire.InitializeResult(protocol=1, plugin=wire.Peer(name="p"))))
        self.read(1)

    def take(self, message: wire.Outgoing) -> list[Any]:
        """Let the plugin's side take in what the host sends."""
        return list(self.link.events(self.host.send(message)))

    def read(self, count: int) -> list[Any]:
        """Let the host read until so many messages have come."""
        events: list[Any] = []
        while len(events) < count:
            self.host.receive(os.read(self.read_fd, 1000))
            while (event := self.host.next_event()) is not wire.NEED_DATA:
                events.append(event)
        return events

    def ping(self) -> str:
        """Send a ping and answer it as the reader does; return its id."""
        (request,) = self.take(Request(self.host.next_id(), "ping", wire.PingParams()))
        self.link.post(Response(request.id, wire.Empty()))
        return str(request.id)

    def prompt(self) -> str:
        """Open a call with plenty of credit; return its id."""
        params = wire.PromptParams(model="m", messages=[], meta=wire.Meta(credit=1 << 30))
        (request,) = self.take(Request(self.host.next_id(), "model/prompt", params))
        return str(request.id)


@pytest.fixture
def piped() -> Iterator[Piped]:
    """Give a piped link, and close its pipe."""
    made = Piped()
    yield made
    for fd in (made.read_fd, made.write_fd):
        os.close(fd)


def test_posting_never_waits_however_full_the_pipe_is(piped: Piped) -> None:
    """What does not fit stays, and follows in order when there is room."""
    ids = [piped.ping() for _ in range(500)]

    assert not piped.link.flush()
    answered: list[str] = []
    while len(answered) < len(ids):
        answered += [event.id for event in piped.read(1)]
        piped.link.flush()

    assert answered == ids


def test_a_line_that_was_written_by_half_is_finished_first(piped: Piped) -> None:
    """The next writer takes along what the reader left."""
    ids = [piped.ping() for _ in range(200)]
    call = piped.prompt()
    sender = Thread(target=piped.link.send, args=(wire.Data(call, [wire.Delta(0, "x" * 5000)]),))
    sender.start()

    events = piped.read(len(ids) + 1)
    sender.join(BOUND_S)

    assert [event.id for event in events] == [*ids, call]


def test_answers_of_the_reader_get_through_while_another_thread_streams(piped: Piped) -> None:
    """[P-47] Two lanes, one pipe, and every line whole: the host's Connection checks each."""
    call = piped.prompt()

    def stream() -> None:
        for number in range(2_000):
            piped.link.send(wire.Data(call, [wire.Delta(0, f"{number} ")]))

    sender = Thread(target=stream)
    sender.start()
    ids: list[str] = []
    events: list[Any] = []
    for _ in range(200):
        ids.append(piped.ping())
        events += piped.read(1)
    while sum(isinstance(event, wire.Data) for event in events) < 2_000 or len(events) < 2_200:
        piped.link.flush()
        events += piped.read(1)
    sender.join(BOUND_S)

    assert [event.id for event in events if isinstance(event, Response)] == ids


def test_what_was_posted_leaves_even_if_the_next_message_is_refused(piped: Piped) -> None:
    """A send() that fails still looks after the reader's lines."""
    params = wire.PromptParams(model="m", messages=[], meta=wire.Meta(credit=0))
    (request,) = piped.take(Request(piped.host.next_id(), "model/prompt", params))
    piped.link.send_later(wire.Progress(request.id, 1, 2))

    with pytest.raises(NoCredit):
        piped.link.send(wire.Data(request.id, [wire.Delta(0, "x")]))

    assert isinstance(piped.read(1)[0], wire.Progress)


def test_messages_sent_later_travel_with_the_next(piped: Piped) -> None:
    """One write for both."""
    call = piped.prompt()
    piped.link.send_later(wire.Data(call, [wire.PartStart(0, "text")]))
    piped.link.send(Response(call, wire.PromptResult()))

    piped.host.receive(os.read(piped.read_fd, 4096))
    assert isinstance(piped.host.next_event(), wire.Data)
    assert isinstance(piped.host.next_event(), Response)


def test_a_host_that_no_longer_reads_is_noticed_once_and_nothing_raises() -> None:
    """Later messages are dropped; the session decides what it means."""
    piped = Piped()
    noticed: list[str] = []
    piped.link.on_gone = lambda: noticed.append("gone")
    call = piped.prompt()
    os.close(piped.read_fd)

    for _ in range(3):
        piped.link.send(wire.Data(call, [wire.Delta(0, "x")]))
    piped.ping()
    os.close(piped.write_fd)

    assert (noticed, piped.link.gone) == (["gone"], True)
