"""What a run of all attempts from inside a cell may bring: compared with what is expected, in any setting.

`CELLWALL_EXPECT_WALL` names the layers that this machine must have, such as "landlock,seccomp,bubblewrap":
with it, a missing one is a failure; without it, a skip that says what is missing.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from tests.escapes.attempts import all_attempts
from tests.escapes.expected import may_escape, must_escape
from tests.escapes.running import Report, Setting, carry_out, python_for

__all__ = ["ALONE", "LIGHT", "WRAPPED", "check", "report_of"]

ALONE = Setting(mode="walled", bubblewrap=False)
WRAPPED = Setting(mode="walled")
LIGHT = dataclasses.replace(ALONE, with_heavy=False)


def check(setting: Setting) -> None:
    """Carry out a run and compare it with what is expected."""
    report = report_of(setting)
    guarded = {name for name, found in all_attempts().items() if found.kind == "host guard"}
    escaped = {name: how for name, how in report.escaped.items() if name not in guarded}
    expected = must_escape(setting, has_bubblewrap=bool(report.layers["bubblewrap"]))

    assert report.unsound == {}
    assert {name: how for name, how in escaped.items() if name not in expected | may_escape(setting)} == {}
    assert expected - set(escaped) == set()


def report_of(setting: Setting) -> Report:
    """Carry out a run; skip it where it cannot be what it is meant to be, unless that is expected here."""
    if setting.user is not None:
        if os.geteuid() != 0:
            pytest.skip("we are an ordinary user already")
        if python_for(setting.user) is None:
            pytest.skip("no interpreter of our version here that an ordinary user can run")
    report = carry_out(setting)
    missing = missing_layers(setting, report.layers)
    pinned = set(filter(None, os.environ.get("CELLWALL_EXPECT_WALL", "").split(",")))
    assert {layer: why for layer, why in missing.items() if layer in pinned} == {}
    if missing:
        pytest.skip(f"this machine lacks {missing}")
    return report


def missing_layers(setting: Setting, layers: dict[str, Any]) -> dict[str, str]:
    """List what a setting is about and the machine does not have."""
    missing: dict[str, str] = {}
    if setting.seccomp and not layers["seccomp"]:
        missing["seccomp"] = "no filter of system calls"
    if setting.landlock != 0 and layers["landlock"] < (setting.landlock or 1):
        missing["landlock"] = f"version {layers['landlock']}"
    if setting.bubblewrap and not setting.is_contained and not layers["bubblewrap"]:
        missing["bubblewrap"] = layers["problem"]
    return missing
