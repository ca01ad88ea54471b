"""What a peer's bytes cost: memory is bounded by the cap, and work grows with what was sent and no faster.

No time is measured: copying shows in the bytes that are allocated, looping in the steps that are taken.
"""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_wire import Connection, Event, Limits, RemoteError, Response
from cellwall_wire._framing import LineBuffer
from tests.support.pair import Pair, feed

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1 << 20


class Meter:
    """Counts the bytes that a connection allocates while it takes in chunks.

    An algorithm that copies what it has for each chunk shows in `made`, one that keeps too much in `most`.

    Attributes:
        made: bytes allocated in all, over all chunks.
        most: the most bytes held at once.
    """

    def __init__(self, connection: Connection) -> None:
        self.made = 0
        self.most = 0
        self._connection = connection

    def feed(self, chunks: Iterable[bytes]) -> list[Event]:
        """Hand over chunks and return the events; raises as next_event()."""
        events: list[Event] = []
        tracemalloc.start()
        try:
            start, _ = tracemalloc.get_traced_memory()
            for chunk in chunks:
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                events += feed(self._connection, chunk)
                _, peak = tracemalloc.get_traced_memory()
                self.made += peak - before
                self.most = max(self.most, peak - start)
        finally:
            tracemalloc.stop()
        return events


def test_an_endless_line_costs_the_cap_and_linear_work() -> None:
    """[P-11] 64 MiB without a newline: nothing is copied again and again, the cap is the end (anchor 10)."""
    meter = Meter(Pair().ready().host)

    with pytest.raises(RemoteError, match="longer than"):
        meter.feed([b"x" * 65_536] * (64 * MIB // 65_536))

    assert meter.most < 1.25 * Limits().line + MIB
    assert meter.made < 3 * Limits().line + MIB


def test_a_legal_line_of_64_mib_is_read_under_a_raised_cap() -> None:
    """[P-11] In linear work and a few times its size (anchor 10)."""
    size = 64 * MIB
    pair = Pair(limits=Limits(line=size + 1000)).ready()
    pair.prompt()
    line = b'{"jsonrpc":"2.0","id":"h2","result":{"items":0,"provider":{"x":"' + b"x" * size + b'"}}}\n'
    meter = Meter(pair.host)

    (event,) = meter.feed(line[at : at + 65_536] for at in range(0, len(line), 65_536))

    assert isinstance(event, Response)
    assert event.result.provider == {"x": "x" * size}
    assert meter.most < 3.5 * size
    assert meter.made < 5 * size


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_a_line_that_dribbles_costs_no_more_than_one_that_pours(piece: int) -> None:
    """[P-11] Whoever writes two bytes at a time must not cost fifty (anchors 10, 11)."""
    buffer, size = LineBuffer(MIB), MIB // 4
    tracemalloc.start()
    try:
        for _ in range(size // piece):
            buffer.feed(b"x" * piece)
            assert buffer.next_line() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1.5 * size


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 400_000,
        b'{"jsonrpc":"2.0","method":"x","params":{"x":"' + rb"\ud800" * 60_000 + b'"}}',
        b'{"jsonrpc":"2.0","method":"x","params":{"x":"' + b"\xff" * 400_000 + b'"}}',
        b'{"jsonrpc":"2.0","method":"x","params":[' + b"{}," * 130_000 + rb'"\ud800"]}',
        b'{"jsonrpc":"2.0","method":"x","params":{"x":' + b"1" * 400_000 + b"}}",
        b'{"jsonrpc":"2.0","method":"x","params":{"x":"' + rb"\\" * 200_000 + rb'"},"y":"\ud800"}',
        b" " * 400_000,
    ],
    ids=["nesting", "surrogates", "not UTF-8", "many objects", "a number", "backslashes", "blanks"],
)
def test_a_line_made_to_be_slow_costs_linear_work_and_memory(line: bytes) -> None:
    """[P-11] [P-14] Twice the line takes twice the steps, and a few times its size (anchor 11)."""

    def steps(data: bytes) -> int:
        pair = Pair(limits=Limits(junk_bytes=8 * MIB)).ready()
        count = 0

        def step(*_: object) -> Any:
            nonlocal count
            count += 1
            return step

        before = sys.gettrace()
        sys.settrace(step)
        try:
            feed(pair.host, data + b"\n")
        finally:
            sys.settrace(before)
        return count

    middle = len(line) // 2
    twice = line[:middle] + line[middle - middle // 2 : middle] * 2 + line[middle:]
    meter = Meter(Pair(limits=Limits(junk_bytes=8 * MIB)).ready().host)
    meter.feed([line + b"\n"])

    assert steps(twice) < 2.5 * steps(line) + 1000
    assert meter.most < 8 * len(line) + MIB
