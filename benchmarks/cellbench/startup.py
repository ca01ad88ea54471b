"""Rows about commands that start no plugin, and how they grow with what is installed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellbench.processes import Command, check, run_once
from cellbench.rows import Budget, Experiment, Outcome, Row, interleave

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_COMMANDS = {"version": ("--version",), "help": ("--help",), "models": ("models", "list")}
_BARE = Budget("ratio", 1 / 8)
_SIX = Budget("ratio", 1 / 25)
_FIFTY = Budget("ratio", 1.1)
_SIX_REMARK = "the six appear in ours as what they are there (broken, until the bridge exists)"


def _against_llm(row: Row, args: tuple[str, ...], ours: str, peer: str, bench: Bench) -> list[Outcome]:
    commands = {"ours": bench.ours(*args, env=ours), "peer": bench.peer(*args, env=peer)}
    return [_compare(row, commands, bench, _SIX_REMARK if peer == "llm-six" else "")]


def _against_none(row: Row, args: tuple[str, ...], bench: Bench) -> list[Outcome]:
    commands = {"ours": bench.ours(*args, env="ours-fifty"), "peer": bench.ours(*args)}
    return [_compare(row, commands, bench, "")]


def _compare(row: Row, commands: dict[str, Command], bench: Bench, remark: str) -> Outcome:
    for command in commands.values():
        check(command)  # the first run describes what is new; from here on the catalogue is warm
    series = interleave(
        {name: partial(run_once, command) for name, command in commands.items()}, rounds=bench.rounds
    )
    return Outcome(row, series["ours"], series["peer"], remark)


def _experiments() -> list[Experiment]:
    made: list[Experiment] = []

    def add(row: Row, measure: Callable[[Bench], list[Outcome]]) -> None:
        made.append(Experiment((row,), measure))

    for name, args in _COMMANDS.items():
        text = f"llm {' '.join(args)}"
        row = Row(f"start-{name}", f"`{text}`", budgets=(_BARE,), peer="llm 0.36")
        add(row, partial(_against_llm, row, args, "ours", "llm"))
    for name, args in _COMMANDS.items():
        text = f"llm {' '.join(args)}"
        row = Row(f"start-{name}-six", f"`{text}`, 6 plugins", budgets=(_SIX,), peer="llm 0.36, same 6")
        add(row, partial(_against_llm, row, args, "ours-six", "llm-six"))
    for name, args in _COMMANDS.items():
        text = f"llm {' '.join(args)}"
        row = Row(f"start-{name}-fifty", f"`{text}`, 50 plugins", budgets=(_FIFTY,), peer="ours, none")
        add(row, partial(_against_none, row, args))
    return made


EXPERIMENTS = _experiments()
