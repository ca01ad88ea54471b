"""Every escape attempt from inside a cell, in every setting that we promise something for.

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
from tests.escapes.running import ORDINARY_USER, Report, Setting, carry_out, python_for

pytestmark = [
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="the attempts are about Linux"),
    pytest.mark.timeout(240),  # seconds: one test is some 280 attempts, each a process of its own
]

ALONE = Setting(mode="walled", bubblewrap=False)
WRAPPED = Setting(mode="walled")
LIGHT = dataclasses.replace(ALONE, with_heavy=False)
USER = ORDINARY_USER

SETTINGS = {
    "Landlock and seccomp": ALONE,
    "bubblewrap around them": WRAPPED,
}

MORE_SETTINGS = {
    "an ordinary user": dataclasses.replace(ALONE, user=USER),
    "an ordinary user, bubblewrap": dataclasses.replace(WRAPPED, user=USER),
    "Landlock 1": dataclasses.replace(LIGHT, landlock=1),
    "Landlock 2": dataclasses.replace(LIGHT, landlock=2),
    "Landlock 4": dataclasses.replace(LIGHT, landlock=4),
    "in a container": dataclasses.replace(LIGHT, bubblewrap=True, is_contained=True),
    "in a container, an ordinary user": dataclasses.replace(
        LIGHT, bubblewrap=True, is_contained=True, user=USER
    ),
    "programs and network granted": dataclasses.replace(LIGHT, spawn=True, network="any"),
    "programs and network granted, bubblewrap": dataclasses.replace(
        WRAPPED, spawn=True, network="any", with_heavy=False
    ),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_only_what_is_known_gets_out_of_a_cell(setting: Setting) -> None:
    """With the default policy nothing but names, and with bubblewrap nothing (sandbox.md §2)."""
    check(setting)


@pytest.mark.slow
@pytest.mark.parametrize("setting", MORE_SETTINGS.values(), ids=MORE_SETTINGS.keys())
def test_the_same_holds_on_lesser_machines_and_with_more_granted(setting: Setting) -> None:
    """Other users, older kernels, containers, and a policy that grants much (sandbox.md §2)."""
    check(setting)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "noticed_by"),
    [
        (dataclasses.replace(LIGHT, landlock=0), {"read_secret", "write_new_file", "poison_site_folder"}),
        (dataclasses.replace(LIGHT, seccomp=False), {"chmod_secret", "fork", "io_uring", "unix_stream"}),
    ],
    ids=["Landlock", "seccomp"],
)
def test_a_layer_that_is_missing_is_noticed(setting: Setting, noticed_by: set[str]) -> None:
    """Neither half is a sandbox alone; were one lost, the tests above would fail (sandbox.md §15)."""
    report = report_of(setting)

    assert noticed_by - set(report.escaped) == set()
    assert len(report.escaped) > len(must_escape(setting, has_bubblewrap=False)) + 20


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
