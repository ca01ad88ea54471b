"""Rows about one whole prompt: against `llm`, and against the same model with less around it, or nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cellbench.processes import check, run_once
from cellbench.rows import Budget, Experiment, Outcome, Row, interleave
from cellbench.walls import layers, mechanisms, wrapped_only

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
_WALL = Row(
    "prompt-wall",
    "the same prompt behind Landlock and seccomp, less one without a wall",
    budgets=(Budget("difference", 0.010),),
    peer="ours, `--unsandboxed`",
    shows="difference",
)
_WALL_WRAPPED = Row(
    "prompt-wall-bubblewrap",
    "likewise, with bubblewrap around it",
    budgets=(Budget("difference", 0.020),),
    peer="ours, `--unsandboxed`",
    shows="difference",
)
_LOG = Row("log-prompt", "the same prompt, less one with `--no-log`", peer="ours, no log", shows="difference")
_LOG_PEER = Row(
    "log-prompt-llm", "llm's prompt, less one with `--no-log`", peer="llm, no log", shows="difference"
)


def _measure(bench: Bench) -> list[Outcome]:
    prompt = ("-m", "echo", "hi")
    unwalled = bench.scratch / "unwalled"
    check(bench.ours("plugins", "grant", "echo", "--unsandboxed", home=unwalled))
    ours = bench.ours(*prompt)
    commands = {
        "ours": ours,
        "unwrapped": ours.with_env(PATH=str(Path(ours.argv[0]).parent)),  # no bubblewrap is found there
        "unwalled": bench.ours(*prompt, home=unwalled),
        "peer": bench.peer(*prompt),
        "in process": bench.our_probe("echo_here", "hi"),
        "unlogged": bench.ours("--no-log", *prompt),
        "peer unlogged": bench.peer("--no-log", *prompt),
    }
    for command in commands.values():
        check(command, "hi")
    found = mechanisms(bench)
    series = interleave(
        {name: partial(run_once, command) for name, command in commands.items()}, rounds=bench.rounds
    )
    return [
        Outcome(_PROMPT, series["ours"], series["peer"]),
        Outcome(_ISOLATION, series["ours"], series["in process"], f"behind {layers(found)}"),
        Outcome(_WALL, series["unwrapped"], series["unwalled"]),
        wrapped_only(found, Outcome(_WALL_WRAPPED, series["ours"], series["unwalled"])),
        Outcome(_LOG, series["ours"], series["unlogged"]),
        Outcome(_LOG_PEER, series["peer"], series["peer unlogged"]),
    ]


EXPERIMENTS = [Experiment((_PROMPT, _ISOLATION, _WALL, _WALL_WRAPPED, _LOG, _LOG_PEER), _measure)]
