"""Rows about one whole prompt: against `llm`, and against the same model without a wall around it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import check, run_once
from cellbench.rows import Budget, Experiment, Outcome, Row, interleave

if TYPE_CHECKING:
    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_PROMPT = Row(
    "prompt-echo",
    "`llm -m echo hi`, whole process",
    budgets=(Budget("ratio", 1 / 3),),
    peer="llm 0.36 + llm-echo",
)
_ISOLATION = Row(
    "isolation",
    "the same prompt, less a script that imports the model",
    budgets=(Budget("difference", 0.150),),
    peer="in process",
    shows="difference",
)
_LOG = Row("log-prompt", "the same prompt, less one with `--no-log`", peer="ours, no log", shows="difference")
_LOG_PEER = Row(
    "log-prompt-llm", "llm's prompt, less one with `--no-log`", peer="llm, no log", shows="difference"
)


def _measure(bench: Bench) -> list[Outcome]:
    prompt = ("-m", "echo", "hi")
    commands = {
        "ours": bench.ours(*prompt),
        "peer": bench.peer(*prompt),
        "in process": bench.our_probe("echo_here", "hi"),
        "unlogged": bench.ours("--no-log", *prompt),
        "peer unlogged": bench.peer("--no-log", *prompt),
    }
    for command in commands.values():
        check(command, "hi")
    series = interleave(
        {name: partial(run_once, command) for name, command in commands.items()}, rounds=bench.rounds
    )
    return [
        Outcome(_PROMPT, series["ours"], series["peer"]),
        Outcome(_ISOLATION, series["ours"], series["in process"], "no wall yet: the process boundary alone"),
        Outcome(_LOG, series["ours"], series["unlogged"]),
        Outcome(_LOG_PEER, series["peer"], series["peer unlogged"]),
    ]


EXPERIMENTS = [Experiment((_PROMPT, _ISOLATION, _LOG, _LOG_PEER), _measure)]
