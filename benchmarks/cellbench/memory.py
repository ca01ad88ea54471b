"""The row about what a cell that does nothing keeps resident."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import run_probe
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, interleave

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_CELL = Row(
    "cell-memory", "an empty sync plugin: its RSS and what only its keeper and bubblewrap have", "bytes",
    (Budget("value", 20 * (1 << 20)),), "`python -c` that sleeps",
)  # fmt: skip
_EMPTY = "bench-trivial-00"


def _measure(bench: Bench) -> list[Outcome]:
    probes = {
        "ours": partial(run_probe, bench.our_probe("cell_memory", _EMPTY, env="ours-fifty"), _resident),
        "bare": partial(run_probe, bench.our_probe("bare_memory"), _resident),
    }
    series = interleave(probes, rounds=max(3, bench.rounds // 5), warmups=0)
    facts = series["ours"].samples[0].facts
    figures = (
        f"{name.removesuffix('_bytes').replace('_', ' ')} {facts[name] / (1 << 20):.1f}"
        for name in sorted(facts)
    )
    return [Outcome(_CELL, series["ours"], series["bare"], f"MiB: {', '.join(figures)}")]


def _resident(figures: Mapping[str, float]) -> Sample:
    return Sample(figures["resident_bytes"], facts=figures)


EXPERIMENTS = [Experiment((_CELL,), _measure)]
