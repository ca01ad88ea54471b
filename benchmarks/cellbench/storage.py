"""Rows about what is kept on disk: an answer in the log database, the catalogue, a plugin's files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import check, run_probe
from cellbench.rows import Experiment, Outcome, Row, Sample, interleave

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_APPEND = Row("log-append", "one batch of an answer, committed", peer="bare sqlite3 insert and commit (WAL)")
_CATALOGUE = Row("catalogue-read", "reading the catalogue, 50 plugins", peer="ours, none")

_GRANTS = {
    files: Row(f"grant-check-{files}", f"a launch's look at a plugin of {files} files", peer="`stat` of each")
    for files in (200, 5_000)
}

_LOOKS = 40_000
"""How many files are looked at in one probe."""

_APPENDS = 2_000
_READS = 200


def _per_unit(figures: Mapping[str, float]) -> Sample:
    return Sample(figures["unit_s"], figures["unit_cpu_s"], figures)


def _append(bench: Bench) -> list[Outcome]:
    count = str(bench.times(_APPENDS, least=50))
    probes = {
        "ours": partial(run_probe, bench.our_probe("store_append", count), _per_unit),
        "bare": partial(run_probe, bench.our_probe("bare_append", count), _per_unit),
    }
    series = interleave(probes, rounds=max(3, bench.rounds // 3))
    return [Outcome(_APPEND, series["ours"], series["bare"])]


def _catalogue(bench: Bench) -> list[Outcome]:
    count = str(bench.times(_READS, least=20))
    for env in ("ours", "ours-fifty"):
        check(bench.ours("models", "list", env=env))
    probes = {
        "fifty": partial(
            run_probe, bench.our_probe("catalogue_read", "echo", count, env="ours-fifty"), _per_unit
        ),
        "none": partial(run_probe, bench.our_probe("catalogue_read", "echo", count), _per_unit),
    }
    series = interleave(probes, rounds=max(3, bench.rounds // 3))
    return [Outcome(_CATALOGUE, series["fifty"], series["none"])]


def _grants(files: int, row: Row, bench: Bench) -> list[Outcome]:
    count = str(bench.times(_LOOKS // files, least=5))
    probes = {
        kind: partial(run_probe, bench.our_probe("grant_check", str(files), count, kind), _per_unit)
        for kind in ("ours", "bare")
    }
    series = interleave(probes, rounds=max(3, bench.rounds // 3))
    return [Outcome(row, series["ours"], series["bare"])]


EXPERIMENTS = [
    Experiment((_APPEND,), _append),
    Experiment((_CATALOGUE,), _catalogue),
    *(Experiment((row,), partial(_grants, files, row)) for files, row in _GRANTS.items()),
]
