"""The conformance run for hosts: the probe finds what is broken, and this kernel is not."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.conformance.host import CHECKS, SCENARIOS, HostConformance, HostReport

if TYPE_CHECKING:
    from pathlib import Path

PARTS = [[scenario.name for scenario in SCENARIOS[start::5]] for start in range(5)]
"""All scenarios, in parts that a test can try in its time."""

BROKEN_HOST = """
import runpy

from cellwall_kernel import launch

launch.ALLOWED_VARIABLES |= {"CELLWALL_PROBE_CANARY"}
runpy.run_module("cellwall_kernel", run_name="__main__", alter_sys=True)
"""
"""This host with a hole: a variable that no plugin may see gets through."""


def report_on(program: tuple[str, ...] | None = None, *names: str) -> HostReport:
    """Check a host with some scenarios, or with all."""
    chosen = [each for each in SCENARIOS if not names or each.name in names]
    return anyio.run(HostConformance(program, scenarios=chosen).run)


def verdicts(report: HostReport) -> dict[str, str]:
    """Map each check to its verdict."""
    return {outcome.check.id: outcome.verdict for outcome in report.outcomes}


def test_every_check_is_shown_by_a_scenario_or_watched() -> None:
    """Issue 3, anchor 40: a check that no scenario shows could never fail."""
    shown = {check for scenario in SCENARIOS for check in scenario.shows}

    assert {check.id for check in CHECKS[:14]} == {check.id for check in CHECKS} - shown
    assert shown <= {check.id for check in CHECKS}


@pytest.mark.slow
@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_this_kernel_keeps_to_the_protocol(names: list[str]) -> None:
    """[P-6] [P-16] [P-22] [P-40] [P-42] [P-51] [P-91]: every scenario, with real processes and their wall."""
    report = report_on(None, *names)

    assert [] == [(each.check.id, each.evidence) for each in report.of("failed")]
    assert {check for each in SCENARIOS if each.name in names for check in each.shows} <= set(
        verdicts(report)
    )


@pytest.mark.slow
def test_a_hole_in_the_host_is_found(tmp_path: Path) -> None:
    """[P-3]: the check that is about it fails, and no other."""
    program = tmp_path / "host.py"
    program.write_text(BROKEN_HOST)
    report = report_on((sys.executable, str(program)), "plain")

    assert ["environment"] == [each.check.id for each in report.of("failed")]


@pytest.mark.slow
def test_a_host_that_cannot_run_the_probe_fails_every_check(tmp_path: Path) -> None:
    """Issue 3: silence is no success; the report says how the host's command ended."""
    program = tmp_path / "host"
    program.write_text(f"#!{sys.executable}\nraise SystemExit('this host is on strike')\n")
    program.chmod(stat.S_IRWXU)
    report = report_on((str(program),), "plain", "batch")

    assert {"failed"} == set(verdicts(report).values())
    assert any("on strike" in each.evidence.came for each in report.of("failed") if each.evidence)
    assert not report.conforms
