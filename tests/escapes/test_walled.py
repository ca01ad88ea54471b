"""Every escape attempt from inside a cell, and from one whose wall lacks a half."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from tests.escapes.expected import must_escape
from tests.escapes.judging import ALONE, LIGHT, WRAPPED, check, report_of

if TYPE_CHECKING:
    from tests.escapes.running import Setting

pytestmark = [
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="the attempts are about Linux"),
    pytest.mark.timeout(240),  # seconds: one test is some 280 attempts, each a process of its own
]

SETTINGS = {
    "Landlock and seccomp": ALONE,
    "bubblewrap around them": WRAPPED,
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_only_what_is_known_gets_out_of_a_cell(setting: Setting) -> None:
    """With the default policy nothing but names, and with bubblewrap nothing (sandbox.md §2)."""
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
