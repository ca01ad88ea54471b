"""The files of this checkout, as the house tests look at them."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["MEMBERS", "ROOT", "files", "project", "read", "sources"]

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = (
    "sdk",
    "kernel",
    *sorted(f"plugins/{path.parent.name}" for path in ROOT.glob("plugins/*/pyproject.toml")),
)
"""The folders that hold a distribution, beside the umbrella in the root."""

GIT_BOUND_S = 20
MADE_HERE = {".venv", ".git", ".hypothesis", ".pytest_cache", ".ruff_cache", ".mypy_cache", "__pycache__"}
"""Folders that no clone has; where git can be asked, .gitignore decides."""


def files() -> list[Path]:
    """List what a clone holds: every file that git tracks, or would track if it were added."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():  # somebody downloaded an archive
        return [path for path in ROOT.rglob("*") if path.is_file() and not MADE_HERE & set(path.parts)]
    listed = subprocess.run(
        # A checkout may belong to somebody else than the user who tests it.
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GIT_BOUND_S,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def sources(*folders: str) -> list[Path]:
    """List the Python files below some folders of the checkout, sorted."""
    found = {path for folder in folders for path in (ROOT / folder).rglob("*.py")}
    return sorted(path for path in found if not {".venv", ".envs"} & set(path.parts))


def read(name: str) -> str:
    """Read one file of the checkout.

    Args:
        name: its path from the root.
    """
    return (ROOT / name).read_text("utf-8")


def project(member: str) -> dict[str, Any]:
    """Read the `[project]` table of a member's pyproject.

    Args:
        member: its folder; "." is the umbrella.
    """
    table: dict[str, Any] = tomllib.loads(read(f"{member}/pyproject.toml"))["project"]
    return table
