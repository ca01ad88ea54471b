"""The SDK's public face: its names, and how little importing it costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cellwall_sdk

ROOT = Path(__file__).parents[2]

SMALL = {
    "__future__",
    "contextlib",
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "importlib.machinery",
    "warnings",
}
"""Modules that Python or msgspec loads anyway, in one version or another."""

RUNNING = {
    "_heapq",
    "_queue",
    "_weakrefset",
    "errno",
    "faulthandler",
    "heapq",
    "queue",
    "select",
    "signal",
    "threading",
}
"""What the process of a plugin needs beside them."""

LIGHT = """
import sys
import msgspec
before = set(sys.modules)
{statement}
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("cellwall_")))
"""


def _imported(statement: str) -> set[str]:
    """What a statement imports beyond msgspec, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", LIGHT.format(statement=statement)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stdout.split())


def test_all_is_sorted_and_complete() -> None:
    """Every name is there, and every name that is loaded lazily is public."""
    homes = [name for names in cellwall_sdk._HOMES.values() for name in names]

    assert sorted(cellwall_sdk.__all__) == cellwall_sdk.__all__
    assert set(homes) <= set(cellwall_sdk.__all__)
    for name in cellwall_sdk.__all__:
        assert getattr(cellwall_sdk, name) is not None


def test_submodules_can_be_reached_and_others_are_refused() -> None:
    """`import cellwall_sdk` is enough for errors and testing."""
    assert cellwall_sdk.errors.ModelError is cellwall_sdk.ModelError
    assert "run_model" in dir(cellwall_sdk.testing)
    assert set(cellwall_sdk.__all__) < set(dir(cellwall_sdk))
    with pytest.raises(AttributeError, match="cellwall_sdk has no 'Modle'"):
        cellwall_sdk.Modle  # noqa: B018


def test_the_version_is_the_distributions() -> None:
    """One number in two places."""
    project = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())["project"]

    assert project["version"] == cellwall_sdk.__version__


def test_importing_what_a_plugin_needs_imports_no_library() -> None:
    """A closed list: what msgspec itself has loaded, and nothing else."""
    assert _imported("from cellwall_sdk import Field, Model, Options, hookimpl") <= SMALL


def test_running_a_plugin_imports_a_short_list_only() -> None:
    """No event loop, no click, no pathlib: they cost a cell its size and its start."""
    run = "import cellwall_sdk._child, cellwall_sdk._load, cellwall_sdk._registry, cellwall_sdk._execute"

    assert _imported(run) <= SMALL | RUNNING
