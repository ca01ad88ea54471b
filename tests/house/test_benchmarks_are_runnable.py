"""The benchmarks start, their probes measure, and every row is explained; no test here looks at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
BOUND_S = 45


def run(*argv: str) -> str:
    """Run a Python command as the runner would, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run(
        [sys.executable, *argv], env=environment, capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def row_names() -> list[str]:
    """List the rows that the runner knows."""
    return [line.split()[0] for line in run(str(BENCHMARKS / "run.py"), "--list").splitlines()]


def test_every_row_is_explained_in_the_readme() -> None:
    """Benchmarks: a number that nobody can interpret is noise."""
    readme = (BENCHMARKS / "README.md").read_text()
    table = readme.partition("## The rows")[2].partition("## Results")[0]
    for name in row_names():
        assert f"`{name}`" in table


@pytest.mark.parametrize(
    "probe",
    [("pipe_trip", "70", "50", "20"), ("bare_append", "20"), ("store_append", "20")],
    ids=lambda probe: probe[0],
)
def test_a_probe_prints_the_time_of_one_repetition_as_its_last_line(probe: tuple[str, ...]) -> None:
    """Benchmarks: runner and probes agree on the figures."""
    figures = json.loads(run("-m", f"cellbench.probes.{probe[0]}", *probe[1:]).splitlines()[-1])
    assert figures["unit_s"] > 0
    assert figures["unit_cpu_s"] >= 0


@pytest.mark.parametrize("mode", ["each", "buffered"])
def test_the_bare_stream_loses_no_delta(mode: str) -> None:
    """Benchmarks: the probe itself fails when its two ends count differently."""
    run("-m", "cellbench.probes.pipe_stream", "consume", "2000", mode)


def test_a_row_is_measured_and_written_as_json(tmp_path: Path) -> None:
    """Benchmarks: one command, a table for people and a file for machines."""
    file = tmp_path / "figures.json"
    options = ["--rows", "log-append", "--quick", "--rounds", "1", "--ours", sys.prefix, "--json", str(file)]
    table = run(str(BENCHMARKS / "run.py"), *options)
    [row] = json.loads(file.read_text())["rows"]
    assert "log-append" in table
    assert row["ours"]
    assert row["peer"]
    assert row["ratio"] > 0


@pytest.mark.slow
def test_a_short_soak_loses_and_doubles_nothing() -> None:
    """Issue 3: the short form of the ten minutes, with kills, cancels, crashes and nested calls."""
    said = run(str(BENCHMARKS / "soak.py"), "--minutes", "0.15", "--seed", "3")
    assert "nothing was lost or doubled" in said
