"""The doctor: what the sandbox really does on this machine, seen by cells that try to get out.

    _probes    the table of attempts         probe/   what makes them, inside the cell
    _scene     what they are made on         _victim  the process that they try to harm (_stand_in)
    _cell      starting a cell               _examine  the walls, and the starts that are measured
    _verdicts  from attempts to findings     _levels  levels without probes, and the last one found
    _report    all of it as data             _words   and in words

An attempt counts as refused only if it was refused behind the wall *and* succeeds without one, in the same
run. Nothing is tried on what is the user's: files, servers, terminal and victim are made for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cellwall_kernel.doctor._report import LEVELS, Finding, Level, Report, StartCost, Tried

if TYPE_CHECKING:
    from cellwall_kernel.doctor._examine import Examination
    from cellwall_kernel.doctor._levels import enforcement, quick_level

__all__ = [
    "LEVELS",
    "WINDOWS",
    "Examination",
    "Finding",
    "Level",
    "Report",
    "StartCost",
    "Tried",
    "enforcement",
    "has_examination",
    "quick_level",
]

WINDOWS = Report(
    level="NONE",
    missing=dict.fromkeys(("files", "network"), "Windows has no mechanism this program uses"),
    not_covered=("plugins run as you",),
)
"""What there is to say on Windows, without looking."""


def has_examination() -> bool:
    """Whether there is anything to examine on this system."""
    return sys.platform != "win32"


def __getattr__(name: str) -> Any:
    """Load the parts that need Unix, and an event loop, when they are first used."""
    from importlib import import_module

    homes = {"Examination": "_examine", "enforcement": "_levels", "quick_level": "_levels"}
    if name not in homes:
        raise AttributeError(f"{__name__} has no '{name}'")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
