"""Bytes to lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_wire import (
    CLOSED,
    Data,
    Delta,
    Junk,
    Limits,
    PromptResult,
    RemoteError,
    Request,
    Response,
    Role,
    TooLarge,
)
from cellwall_wire._framing import LineBuffer, LineTooLong
from tests.support.pair import Pair, feed, hello, question


def lines_of(buffer: LineBuffer) -> list[bytes]:
    """Take all lines that are complete."""
    found: list[bytes] = []
    while (line := buffer.next_line()) is not None:
        found.append(line)
    return found


@given(
    st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=20),
    st.lists(st.integers(min_value=1, max_value=50), min_size=1),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_come_out_as_they_went_in_wherever_the_bytes_are_cut(
    lines: list[bytes], sizes: list[int], end: bytes
) -> None:
    """[P-10] [P-12] Any cutting, with or without a carriage return, gives the same lines, blank ones not."""
    data = b"".join(line + end for line in lines)
    buffer = LineBuffer(1000)
    found: list[bytes] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        buffer.feed(data[:size])
        data = data[size:]
        found += lines_of(buffer)
        turn += 1

    assert [line for line in lines if line and not line.isspace()] == found
    assert buffer.pending_bytes == 0


def test_a_line_separator_inside_a_string_does_not_end_a_line() -> None:
    """[P-10] U+2028 and U+0085 may stand raw in JSON text and are not newlines."""
    pair = Pair().ready()
    call = pair.prompt()

    events = pair.says(Role.PLUGIN, Data(call, [Delta(0, "a\u2028b\u0085c")]))

    assert [Delta(0, "a\u2028b\u0085c")] == events[0].items  # type: ignore[union-attr]


def test_a_message_in_single_bytes_is_the_same_message() -> None:
    """[P-10] Bytes may come one at a time, cut inside a UTF-8 sequence too."""
    pair = Pair().ready()
    line = pair.host.send(Request(pair.host.next_id(), "model/prompt", question("grüße 🦉")))

    events = [event for i in range(len(line)) for event in feed(pair.plugin, line[i : i + 1])]

    assert len(events) == 1
    assert events[0].params.messages[0].parts[0].text == "grüße 🦉"  # type: ignore[union-attr]


def test_an_endless_line_costs_no_more_memory_than_the_limit() -> None:
    """[P-11] The buffer holds at most the limit and the last chunk, then says so."""
    buffer = LineBuffer(1000)
    for _ in range(10):
        buffer.feed(b"x" * 100)
        assert buffer.next_line() is None
    buffer.feed(b"x" * 100)
    with pytest.raises(LineTooLong):
        buffer.next_line()

    assert buffer.pending_bytes == 0


def test_before_initialize_is_answered_a_line_is_capped_lower() -> None:
    """[P-11] 64 KiB at first, the limit that the host announced afterwards."""
    pair = Pair()
    pair.asks(Role.HOST, "initialize", hello())
    with pytest.raises(RemoteError, match="longer than 65536"):
        feed(pair.host, b'{"a":"' + b"x" * 70_000)

    pair = Pair().ready()
    call = pair.prompt()
    big = PromptResult(provider={"text": "x" * 70_000})

    assert isinstance(pair.says(Role.PLUGIN, Response(call, big))[0], Response)


def test_a_message_over_the_limit_fails_only_itself() -> None:
    """[P-11] The sender gets TooLarge, and the connection goes on."""
    pair = Pair(limits=Limits(line=100_000)).ready()
    with pytest.raises(TooLarge):
        pair.host.send(Request(pair.host.next_id(), "model/prompt", question("x" * 100_000)))

    assert pair.prompt() == "h2"


def test_half_a_line_at_the_end_is_reported_and_then_closed() -> None:
    """[P-15] A peer that dies in the middle of a line leaves junk, not silence."""
    pair = Pair().ready()
    pair.host.receive(b'{"jsonrpc":"2.0","id"')
    pair.host.receive(b"")

    assert [Junk(b'{"jsonrpc":"2.0","id"'), CLOSED] == [pair.host.next_event(), pair.host.next_event()]
