"""Rows about streaming small deltas through the command line: how fast, and in how much memory."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import Command, CommandFailed, check, run_once, running
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, interleave
from cellbench.watching import PeakMemory, drain, growth_while_stalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_TO_EACH = Row(
    "stream", "small deltas, `llm -m echo` > /dev/null", "per second",
    (Budget("value", 100_000, at_least=True), Budget("ratio", 1 / 4, at_least=True)),
    "pipe + msgspec, each flushed",
)  # fmt: skip
_TO_BUFFERED = Row("stream-buffered", "the same", "per second", (), "pipe + msgspec, 64 KiB writes")
_UNLOGGED = Row("stream-unlogged", "the same with `--no-log`", "per second", (), "ours, logged")
_FLAT = Row(
    "stream-memory", "host's peak memory, 1,000,000 deltas, less 10,000", "bytes",
    (Budget("difference", 10e6),), "10,000 deltas", "difference",
)  # fmt: skip
_STALLED = Row(
    "stalled-reader",
    "host's growth: plugin floods, reader of stdout stops",
    "bytes",
    (Budget("value", 10e6),),
)

_TEXT = "word "
_SMALL = 10_000
_LARGE = 200_000
_MANY = 1_000_000
_STALL_S = 5.0


def _echo(bench: Bench, count: int, *options: str) -> Command:
    """A prompt that the echo model answers with `count` deltas of one word each."""
    return bench.ours(*options, "-m", "echo", "-o", "repeat", str(count), _TEXT)


def _rate(command: Callable[[int], Command], small: int, large: int) -> Sample:
    """Deltas per second without start-up: what the larger of two runs needs more than the smaller."""
    less, more = run_once(command(small)), run_once(command(large))
    if more.value <= less.value:
        raise CommandFailed(f"`{command(large).text}` is not slower than with {small}; use more deltas")
    assert more.cpu_s is not None
    assert less.cpu_s is not None
    deltas = large - small
    return Sample(deltas / (more.value - less.value), (more.cpu_s - less.cpu_s) / deltas)


def _throughput(bench: Bench) -> list[Outcome]:
    small, large = _SMALL, bench.times(_LARGE, least=5 * _SMALL)
    check(_echo(bench, 3), "word word word")
    commands: dict[str, Callable[[int], Command]] = {
        "ours": lambda count: _echo(bench, count),
        "unlogged": lambda count: _echo(bench, count, "--no-log"),
        "each": lambda count: bench.our_probe("pipe_stream", "consume", str(count), "each"),
        "buffered": lambda count: bench.our_probe("pipe_stream", "consume", str(count), "buffered"),
    }
    # The bare loop is so much faster that it needs more deltas for a difference one can trust.
    more = {"each": 5, "buffered": 5}
    series = interleave(
        {name: partial(_rate, make, small, large * more.get(name, 1)) for name, make in commands.items()},
        rounds=max(3, bench.rounds // 3),
    )
    return [
        Outcome(_TO_EACH, series["ours"], series["each"]),
        Outcome(_TO_BUFFERED, series["ours"], series["buffered"]),
        Outcome(_UNLOGGED, series["unlogged"], series["ours"]),
    ]


def _memory(bench: Bench) -> list[Outcome]:
    counts = {"few": _SMALL, "many": _MANY}  # not scaled: a leak per delta shows only in the mass
    series = interleave(
        {name: partial(_peak, _echo(bench, count)) for name, count in counts.items()},
        rounds=max(2, bench.rounds // 5), warmups=0,
    )  # fmt: skip
    remark = f"the answer itself is {len(_TEXT) * _MANY / 1e6:.0f} MB"
    return [Outcome(_FLAT, series["many"], series["few"], remark)]


def _peak(command: Command) -> Sample:
    """The host's peak resident memory while its output is read as fast as it comes."""
    with running(command, subprocess.PIPE) as process:
        memory = PeakMemory(process.pid)
        drain(process, memory)
        return Sample(memory.host_bytes, facts=memory.facts())


def _stalled(bench: Bench) -> list[Outcome]:
    endless = _echo(bench, 100_000_000)
    series = interleave(
        {"ours": partial(growth_while_stalled, endless, _STALL_S)},
        rounds=max(2, bench.rounds // 5),
        warmups=0,
    )
    remark = f"after {_STALL_S:.0f} s; growth of the whole tree is in the JSON"
    return [Outcome(_STALLED, series["ours"], remark=remark)]


EXPERIMENTS = [
    Experiment((_TO_EACH, _TO_BUFFERED, _UNLOGGED), _throughput),
    Experiment((_FLAT,), _memory),
    Experiment((_STALLED,), _stalled),
]
