"""Rows about the wall: what it adds to the start of a cell, to system calls, and to what Python audits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import run_probe
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, Series, together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellbench.bench import Bench
    from cellbench.processes import Command

__all__ = ["EXPERIMENTS", "by_mode", "layers", "mechanisms", "wrapped_only"]

_NO_BUBBLEWRAP = "bubblewrap does not work on this machine"


def _start_row(name: str, title: str, limit_s: float | None) -> Row:
    budgets = (Budget("difference", limit_s),) if limit_s is not None else ()
    return Row(name, title, budgets=budgets, peer="without a wall", shows="difference")


_START = _start_row("wall-start", "a cell up to its first line: Landlock, seccomp", 0.010)
_START_WRAPPED = _start_row("wall-start-bubblewrap", "the same with bubblewrap around it", 0.020)
_CPU = _start_row("wall-cpu", "CPU time of host and cell, start to end: Landlock, seccomp", None)
_CPU_WRAPPED = _start_row("wall-cpu-bubblewrap", "the same with bubblewrap around it", None)

_GETPPID = Row("call-getppid", "`os.getppid()` behind the filter", peer="without a wall")
_OPEN = Row("call-open", "`os.open` and `os.close` behind Landlock and the filter", peer="without a wall")
_HINT_ID = Row("hints-id", "`id()` with the audit hook for hints", peer="walled, no hook")
_HINT_OPEN = Row("hints-open", "`os.open` and `os.close` with it", peer="walled, no hook")
_HINT_IMPORT = Row("hints-import", "`import numpy` in a new cell with it", peer="walled, no hook")

_STARTS = 15
_ASKED = 7
_CHEAP = 200_000
_FILES = 20_000
_IMPORTS = 5


def mechanisms(bench: Bench) -> dict[str, float]:
    """Ask what this machine can enforce: `landlock`, `seccomp`, `asks`, `bubblewrap`."""
    return dict(run_probe(bench.our_probe("mechanisms"), lambda figures: Sample(0, facts=figures)).facts)


def layers(found: Mapping[str, float]) -> str:
    """Name the layers that stand around a cell here."""
    named = {
        f"Landlock {found['landlock']:.0f}": found["landlock"],
        "seccomp": found["seccomp"],
        "bubblewrap": found["bubblewrap"],
    }
    return ", ".join(name for name, is_there in named.items() if is_there) or "no wall: nothing works here"


def wrapped_only(found: Mapping[str, float], outcome: Outcome) -> Outcome:
    """Return an outcome, without its numbers where bubblewrap does not work: they are of something else."""
    return outcome if found["bubblewrap"] else Outcome(outcome.row, None, remark=_NO_BUBBLEWRAP)


def by_mode(command: Command, modes: Sequence[str], cpu: str = "cpu_s") -> dict[str, Sample]:
    """Run a probe that compares modes of a cell; one sample for each.

    Args:
        command: the probe.
        modes: the modes that it was asked for.
        cpu: which of its CPU times count.
    """
    facts = run_probe(command, lambda figures: Sample(0, facts=figures)).facts
    return {mode: Sample(facts[f"{mode}_s"], facts[f"{mode}_{cpu}"]) for mode in modes}


def _starts(bench: Bench) -> list[Outcome]:
    found = mechanisms(bench)
    modes = ["bare", "walled", *(["wrapped"] if found["bubblewrap"] else [])]
    probe = bench.our_probe("cell_start", "echo", str(bench.times(_STARTS, least=5)), *modes)
    series = together(partial(by_mode, probe, modes), rounds=max(3, bench.rounds // 3))
    cpu = {mode: _cpu_of(taken) for mode, taken in series.items()}
    made = [Outcome(row, taken["walled"], taken["bare"]) for row, taken in ((_START, series), (_CPU, cpu))]
    wrapped = [
        Outcome(row, taken.get("wrapped"), taken["bare"], "" if found["bubblewrap"] else _NO_BUBBLEWRAP)
        for row, taken in ((_START_WRAPPED, series), (_CPU_WRAPPED, cpu))
    ]
    return [made[0], wrapped[0], made[1], wrapped[1]]


def _cpu_of(series: Series) -> Series:
    """Make the CPU time the figure itself."""
    return Series(tuple(Sample(sample.cpu_s or 0.0, sample.cpu_s) for sample in series.samples))


def _inside(row: Row, modes: tuple[str, str], prompt: tuple[str, int], bench: Bench) -> list[Outcome]:
    """Compare what the measuring plugin finds in two lasting cells; the first mode is ours."""
    what, count = prompt
    words = (what, str(bench.times(count, least=1_000)))
    asked = str(bench.times(_ASKED, least=3))
    probe = bench.our_probe("inside", "lasting", asked, ",".join(modes), *words)
    series = together(partial(by_mode, probe, modes), rounds=max(3, bench.rounds // 3))
    return [Outcome(row, series[modes[0]], series[modes[1]])]


def _imports(bench: Bench) -> list[Outcome]:
    modes = ("hinted", "walled")
    count = str(bench.times(_IMPORTS, least=2))
    probe = bench.our_probe("inside", "fresh", count, ",".join(modes), "import", "numpy", env="ours-numpy")
    series = together(partial(by_mode, probe, modes), rounds=max(3, bench.rounds // 3))
    return [Outcome(_HINT_IMPORT, series["hinted"], series["walled"])]


def _call(row: Row, what: str, count: int) -> Experiment:
    return Experiment((row,), partial(_inside, row, ("walled", "bare"), (what, count)))


def _hint(row: Row, what: str, count: int) -> Experiment:
    return Experiment((row,), partial(_inside, row, ("hinted", "walled"), (what, count)))


EXPERIMENTS = [
    Experiment((_START, _START_WRAPPED, _CPU, _CPU_WRAPPED), _starts),
    _call(_GETPPID, "getppid", _CHEAP),
    _call(_OPEN, "open", _FILES),
    _hint(_HINT_ID, "id", _CHEAP),
    _hint(_HINT_OPEN, "open", _FILES),
    Experiment((_HINT_IMPORT,), _imports),
]
