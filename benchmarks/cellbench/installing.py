"""Rows about `llm install` of a small plugin whose wheels are all at hand, against the installer alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cellbench.processes import Command, check, run_once
from cellbench.rows import Budget, Experiment, Outcome, Row, Sample, interleave
from cellbench.synthetic import SMALL_WHEEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellbench.bench import Bench

__all__ = ["EXPERIMENTS"]

_TITLE = "`llm install` of a small plugin, first into an empty user folder"
_QUICKLY = Budget("value", 3.0)
_UV = Row("install-uv", f"{_TITLE}, with uv", budgets=(_QUICKLY,), peer="uv venv, uv pip install")
_PIP = Row("install-pip", f"{_TITLE}, with pip", budgets=(_QUICKLY,), peer="venv, pip install")

_BY_HAND = {
    "uv": 'uv venv -q -p "$1" "$2" && uv pip install -q --compile-bytecode -p "$2/bin/python" "$3"',
    "pip": '"$1" -m venv --without-pip "$2" && "$1" -m pip -q --python "$2/bin/python" install "$3"',
}
"""What a person would type, bytecode included; $1 is the interpreter, $2 the environment, $3 the wheel."""


def _measure(bench: Bench) -> list[Outcome]:
    shelf = bench.environments.shelf()
    wheel = str(shelf / SMALL_WHEEL)
    settings = _settings(bench, shelf)
    contenders: dict[str, Callable[[], Sample]] = {}
    for kind, script in _BY_HAND.items():
        ours = bench.ours("install", wheel, "--installer", kind, "--yes-as-asked").with_env(**settings)
        python = str(Path(ours.argv[0]).parent / "python")
        contenders[kind] = partial(_into_new_folder, bench, partial(_at_home, ours))
        contenders[f"{kind} by hand"] = partial(
            _into_new_folder, bench, partial(_by_hand, script, python, wheel, ours)
        )
    with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
        check(
            _at_home(bench.ours("install", wheel, "--yes-as-asked").with_env(**settings), folder), "Installed"
        )
    series = interleave(contenders, rounds=max(3, bench.rounds // 3))
    return [
        Outcome(_UV, series["uv"], series["uv by hand"]),
        Outcome(_PIP, series["pip"], series["pip by hand"]),
    ]


def _settings(bench: Bench, shelf: Path) -> dict[str, str]:
    """Make both installers take the shelf for the whole world, and no notice of this machine's settings."""
    uv = bench.environments.peer("uv") / "bin"
    return {
        "PATH": f"{uv}{os.pathsep}{os.defpath}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(shelf),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(shelf),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
    }


def _into_new_folder(bench: Bench, command: Callable[[str], Command]) -> Sample:
    folder = tempfile.mkdtemp(dir=bench.scratch)
    try:
        return run_once(command(folder))
    finally:
        shutil.rmtree(folder)


def _at_home(command: Command, folder: str) -> Command:
    """The command with a user folder of its own; caches stay where they are."""
    return command.with_env(CELLWALL_HOME=folder)


def _by_hand(script: str, python: str, wheel: str, like: Command, folder: str) -> Command:
    return Command(["/bin/sh", "-c", script, "sh", python, f"{folder}/env", wheel], like.env, like.cwd)


EXPERIMENTS = [Experiment((_UV, _PIP), _measure)]
