"""Rows about the host's proxy, which is the way out of a cell whose hosts were granted by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.rows import Experiment, Outcome, Row, Sample, Series, together
from cellbench.walls import by_mode, mechanisms

if TYPE_CHECKING:
    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_WAYS = {
    "namespace": "a listener in the cell's own network (bubblewrap)",
    "broker": "a broker of `connect()` (no bubblewrap)",
}
_PEER = "direct, `network=any`"
_CONNECTS = {
    way: Row(
        f"proxy-connect-{way}",
        f"a connection of one byte by CONNECT, {words}",
        peer=_PEER,
        shows="difference",
    )
    for way, words in _WAYS.items()
}
_STREAMS = {
    way: Row(f"proxy-stream-{way}", f"one long download, {words}", "bytes per second", peer=_PEER)
    for way, words in _WAYS.items()
}

_MISSING = {
    "namespace": "bubblewrap does not work on this machine",
    "broker": "this machine does not let the host answer for a cell",
}
_ASKED = 5
_CONNECTIONS = 200
_BYTES = 256_000_000


def _measure(what: str, amount: int, rows: dict[str, Row], bench: Bench) -> list[Outcome]:
    found = mechanisms(bench)
    works = {"namespace": found["bubblewrap"], "broker": found["asks"]}
    modes = ["direct", *(way for way in rows if works[way])]
    words = (what, str(bench.times(amount, least=20)), "PORT")
    probe = bench.our_probe("inside", "lasting", str(bench.times(_ASKED, least=2)), ",".join(modes), *words)
    series = together(partial(by_mode, probe, modes, "all_cpu_s"), rounds=max(3, bench.rounds // 3))
    if what == "stream":
        series = {mode: _rates(taken) for mode, taken in series.items()}
    return [
        Outcome(row, series.get(way), series["direct"], "" if works[way] else _MISSING[way])
        for way, row in rows.items()
    ]


def _rates(series: Series) -> Series:
    return Series(tuple(Sample(1 / sample.value, sample.cpu_s) for sample in series.samples))


EXPERIMENTS = [
    Experiment(tuple(_CONNECTS.values()), partial(_measure, "connect", _CONNECTIONS, _CONNECTS)),
    Experiment(tuple(_STREAMS.values()), partial(_measure, "stream", _BYTES, _STREAMS)),
]
