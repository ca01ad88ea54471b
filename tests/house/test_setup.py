"""scripts/setup says in one sentence why it cannot do what it was asked; that it can is what CI shows."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.house.checkout import MEMBERS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

BOUND_S = 20


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a copy of what the script reads, in a folder whose name has a space."""
    copy = tmp_path / "a checkout"
    for name in (
        "scripts/setup",
        "requirements-dev.txt",
        "pyproject.toml",
        *(f"{member}/pyproject.toml" for member in MEMBERS),
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def setup(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a copy, with nothing to ask and nobody to answer."""
    temporary = checkout.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", "scripts/setup", *arguments],
        cwd=checkout,
        env={**os.environ, "CI": "true", "TMPDIR": str(temporary), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line of a run that failed as it should."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.removeprefix("setup: ")


def test_an_unknown_argument_is_refused(checkout: Path) -> None:
    """House rule: one sentence that says what to type instead."""
    expected = "unknown argument '--fast'; say 'sh scripts/setup' or 'sh scripts/setup --dev'."

    assert expected == complaint(setup(checkout, "--fast"))


def test_a_wrong_python_is_named(checkout: Path) -> None:
    """PYTHON was set by hand, so another one is not taken silently."""
    assert "PYTHON=/bin/false is not a Python 3.11 to 3.13" in complaint(setup(checkout, PYTHON="/bin/false"))


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path) -> None:
    """What the script did not make it does not delete."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "thesis.txt").write_text("all of it")

    assert "is not a virtual environment" in complaint(setup(checkout))
    assert (checkout / ".venv" / "thesis.txt").read_text() == "all of it"


def test_nothing_is_left_behind_by_a_refusal(checkout: Path) -> None:
    """A log that holds nothing is no use to anybody."""
    setup(checkout, PYTHON="/bin/false")

    assert list((checkout.parent / "tmp").iterdir()) == []


def test_shell_scripts_are_valid_posix_or_bash() -> None:
    """A shell reads a script as it goes, and would find a slip in the last line last."""
    for shell, script in (("sh", "scripts/setup"), ("bash", ".ci/run")):
        done = subprocess.run(
            [shell, "-n", script], cwd=ROOT, capture_output=True, timeout=BOUND_S, check=False
        )

        assert (0, b"") == (done.returncode, done.stderr)
