"""The bench: everything an experiment needs to build its commands, and how hard it shall measure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellbench.processes import Command

if TYPE_CHECKING:
    from cellbench.environments import Preparation

__all__ = ["Bench"]

_BENCHMARKS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Bench:
    """What experiments measure with.

    Args:
        environments: makes environments on demand.
        scratch: a folder that vanishes after the run; user folders and working folders lie in it.
        keep: a folder that stays, for downloaded model weights.
        rounds: how many rounds of a whole-process measurement are taken.
        scale: 1.0 for a full run; repetitions inside probes are multiplied by it.
    """

    environments: Preparation
    scratch: Path
    keep: Path
    rounds: int
    scale: float

    def ours(self, *args: str, env: str = "ours", home: Path | None = None) -> Command:
        """Our `llm` with arguments, in one of our environments."""
        return self._command([str(self.environments.ours(env) / "bin" / "llm"), *args], env, home)

    def peer(self, *args: str, env: str = "llm") -> Command:
        """The `llm` of the peer with arguments."""
        return self._command([str(self.environments.peer(env) / "bin" / "llm"), *args], env)

    def our_probe(self, name: str, *args: str, env: str = "ours", home: Path | None = None) -> Command:
        """A probe of ours, run by one of our environments and with the same user folder as `ours`."""
        return self._probe(self.environments.ours(env), env, name, args, home)

    def peer_probe(self, name: str, *args: str, env: str) -> Command:
        """A probe that runs in a peer environment."""
        return self._probe(self.environments.peer(env), env, name, args)

    def times(self, count: int, *, least: int = 1) -> int:
        """Scale a number of repetitions to how hard this run measures."""
        return max(least, int(count * self.scale))

    def _probe(
        self, folder: Path, env: str, name: str, args: tuple[str, ...], home: Path | None = None
    ) -> Command:
        python = str(folder / "bin" / "python")
        command = self._command([python, "-m", f"cellbench.probes.{name}", *args], env, home)
        return Command(command.argv, {**command.env, "PYTHONPATH": str(_BENCHMARKS)}, command.cwd)

    def _command(self, argv: list[str], env: str, home: Path | None = None) -> Command:
        """Give a command an environment made from nothing and the user folder of what it measures."""
        user = home or self.scratch / env
        work = self.scratch / "work"
        for folder in (user, work):
            folder.mkdir(parents=True, exist_ok=True)
        variables = {
            "PATH": os.defpath,
            "HOME": str(user),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "CELLWALL_HOME": str(user / "cellwall"),
            "LLM_USER_PATH": str(user / "llm"),
        }
        return Command(argv, variables, work)
