"""The row about the local model: how long until the first word, once its weights are on disk."""

from __future__ import annotations

import os
import select
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import Command, CommandFailed, check, running
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, interleave

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_FIRST = Row(
    "local-first-token",
    "first word of the bundled local model",
    budgets=(Budget("value", 3.0),),
    peer="in process",
)
_PROMPT = "Explain what a command line is."
_WITHIN_S = 120.0


def _measure(bench: Bench) -> list[Outcome]:
    home = bench.keep / "local"  # outlives the run: the weights are 98 MB
    ours = bench.ours("--no-log", _PROMPT, home=home)
    check(bench.ours("local", "pull", home=home))
    check(ours)  # it says what is wrong, if it is; while it is timed nobody listens to that
    weights = _weights(home)
    here = bench.our_probe("local_here", str(weights), _PROMPT, home=home)
    contenders: dict[str, Callable[[], Sample]] = {
        "ours": partial(_first_byte, ours),
        "here": partial(_first_byte, here),
    }
    series = interleave(contenders, rounds=max(3, bench.rounds // 3))
    return [Outcome(_FIRST, series["ours"], series["here"], "whole process from its start to its first byte")]


def _weights(home: Path) -> Path:
    """Find the largest file of the user folder's assets: the model."""
    files = [file for file in (home / "cellwall" / "assets").rglob("*.gguf") if file.is_file()]
    if not files:
        raise CommandFailed("`llm local pull` left no .gguf file in the user folder")
    return max(files, key=lambda file: file.stat().st_size)


def _first_byte(command: Command) -> Sample:
    """From the start of a command to the first byte of its answer."""
    started = time.perf_counter()
    with running(command, subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = select.select([process.stdout], [], [], _WITHIN_S)[0]
        if not ready or not os.read(process.stdout.fileno(), 1):
            raise CommandFailed(f"`{command.text}` answered nothing in {_WITHIN_S:.0f} s")
        return Sample(time.perf_counter() - started)


EXPERIMENTS = [Experiment((_FIRST,), _measure)]
