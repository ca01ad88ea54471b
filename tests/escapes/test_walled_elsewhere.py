"""Every escape attempt on lesser machines than this one, by other users, and with more granted.

A file of its own, so that it can run beside the others.
"""

from __future__ import annotations

import dataclasses
import os

import pytest

from tests.escapes.judging import ALONE, LIGHT, WRAPPED, check
from tests.escapes.running import ORDINARY_USER, Setting

pytestmark = [
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="the attempts are about Linux"),
    pytest.mark.timeout(240),  # seconds: one test is some 280 attempts, each a process of its own
]

USER = ORDINARY_USER

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


@pytest.mark.slow
@pytest.mark.parametrize("setting", MORE_SETTINGS.values(), ids=MORE_SETTINGS.keys())
def test_the_same_holds_on_lesser_machines_and_with_more_granted(setting: Setting) -> None:
    """Other users, older kernels, containers, and a policy that grants much (sandbox.md §2)."""
    check(setting)
