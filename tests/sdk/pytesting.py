"""Runs pytest on a small project, as an author would, with the SDK's pytest plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Ran", "run_pytest", "write_files"]

BOUND_S = 50


class Ran:
    """A run of pytest that has ended.

    Attributes:
        code: its exit code.
        out: what it printed.
    """

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout + done.stderr

    def counts(self, **expected: int) -> bool:
        """Whether so many tests passed, failed or were skipped."""
        last = self.out.strip().splitlines()[-1]
        return all(f"{count} {word}" in last for word, count in expected.items())


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")


def run_pytest(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Run pytest in a folder.

    Args:
        folder: the project.
        arguments: for pytest.
        variables: environment variables beside those of this process.
    """
    # In a checkout that was set up before the plugin had an entry point, it has to be named.
    named = () if entry_points(group="pytest11", name="cellwall") else ("-p", "cellwall_sdk.pytest_plugin")
    without = [
        word for name in ("cacheprovider", "xdist", "hypothesispytest") for word in ("-p", f"no:{name}")
    ]
    foreign = ("PYTEST_", "CELLWALL_", "LLM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *named, *without, *arguments],
        cwd=folder,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    return Ran(done)
