"""Measures Cellwall against its budgets and its peers, in one command: `python benchmarks/run.py`.

Peers are installed into `benchmarks/.envs` at the first run. See README.md beside this file for what the
rows mean.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellbench import (
    installing,
    local_model,
    memory,
    networks,
    prompts,
    report,
    roundtrips,
    startup,
    storage,
    streams,
    walls,
)
from cellbench.bench import Bench
from cellbench.environments import Preparation, PreparationFailed
from cellbench.processes import CommandFailed, become_subreaper
from cellbench.rows import Experiment, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_HERE = Path(__file__).resolve().parent
_ROUNDS = 15
_QUICK_ROUNDS = 3
_QUICK_SCALE = 0.1
_QUIET_LOAD = 0.5
"""Above this load average at the start something else was running; wall times are not worth keeping."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the selected rows and print the table.

    Returns:
        1 when a row could not be measured, or when `--strict` is given and a budget is missed; else 0.
    """
    options = _parser().parse_args(args)
    if options.list:
        print("\n".join(f"{row.name:24} {row.title}" for row in _rows(_EXPERIMENTS)))
        return 0
    chosen = [experiment for experiment in _EXPERIMENTS if _is_wanted(experiment, options.rows)]
    if not chosen:
        print(f"No row matches {' '.join(options.rows)}; --list shows them.", file=sys.stderr)
        return 2
    become_subreaper()
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    load_before = os.getloadavg()[0]
    outcomes = _measure(chosen, options, rounds)
    about = {
        "version": _version(),
        "rounds": rounds,
        "quick": options.quick,
        "load_before": load_before,
        "is_busy": load_before > _QUIET_LOAD,
    }
    _publish(outcomes, about, options)
    missed = options.strict and any(outcome.is_met is False for outcome in outcomes)
    return 1 if missed or any(outcome.ours is None for outcome in outcomes) else 0


def _measure(chosen: list[Experiment], options: argparse.Namespace, rounds: int) -> list[Outcome]:
    environments = Preparation(_HERE.parent, _HERE / ".envs", ours=options.ours, say=_say)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="cellbench-") as scratch:
        bench = Bench(
            environments,
            Path(scratch),
            _HERE / ".envs" / "homes",
            rounds,
            _QUICK_SCALE if options.quick else 1.0,
        )
        for experiment in chosen:
            _say(f"measuring {', '.join(row.name for row in experiment.rows)}")
            outcomes += _attempt(experiment, bench)
    return [outcome for outcome in outcomes if _matches(outcome.row.name, options.rows)]


def _attempt(experiment: Experiment, bench: Bench) -> list[Outcome]:
    """Measure one experiment; a contender that does not work costs its own rows and no others."""
    try:
        return experiment.measure(bench)
    except (CommandFailed, PreparationFailed, OSError) as error:
        return [Outcome(row, None, remark=str(error)) for row in experiment.rows]


def _publish(outcomes: list[Outcome], about: dict[str, Any], options: argparse.Namespace) -> None:
    print(report.terminal_table(outcomes))
    if about["is_busy"]:
        print(f"The machine was busy when this began (load {about['load_before']:.1f}): do not believe it.")
    if options.json:
        report.write_json(options.json, outcomes, about)
    if options.update_readme:
        report.write_readme(_HERE / "README.md", outcomes, about)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", nargs="+", default=["*"], metavar="PATTERN", help="only rows like start-* or trip-ping"
    )
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds and repetitions: a look, not a reference"
    )
    parser.add_argument("--rounds", type=int, help=f"rounds of whole-process rows (default {_ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    parser.add_argument(
        "--update-readme", action="store_true", help="put the table into benchmarks/README.md"
    )
    parser.add_argument(
        "--ours", type=Path, metavar="DIR", help="measure this environment instead of building one"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a budget is missed")
    return parser


def _is_wanted(experiment: Experiment, patterns: Sequence[str]) -> bool:
    return any(_matches(row.name, patterns) for row in experiment.rows)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _rows(experiments: Sequence[Experiment]) -> list[Any]:
    return [row for experiment in experiments for row in experiment.rows]


def _version() -> str:
    project = tomllib.loads((_HERE.parent / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _say(sentence: str) -> None:
    print(f"... {sentence}", file=sys.stderr, flush=True)


_EXPERIMENTS: list[Experiment] = [
    *startup.EXPERIMENTS,
    *prompts.EXPERIMENTS,
    *walls.EXPERIMENTS,
    *networks.EXPERIMENTS,
    *installing.EXPERIMENTS,
    *roundtrips.EXPERIMENTS,
    *streams.EXPERIMENTS,
    *memory.EXPERIMENTS,
    *storage.EXPERIMENTS,
    *local_model.EXPERIMENTS,
]

if __name__ == "__main__":
    sys.exit(main())
