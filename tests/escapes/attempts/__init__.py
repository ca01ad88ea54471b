"""Attempts to get out of a cell, each a plain function that does one forbidden thing for real.

They use the standard library only, run on every Python that we support, as root and as an ordinary user, and
do no lasting harm where nothing stops them: every victim is the harness's own. A cell imports only the module
of its attempt; `all_attempts` is for who needs the list.
"""

from __future__ import annotations

import importlib

from ._registry import ATTEMPTS, Attempt, Scene

__all__ = ["Attempt", "Scene", "all_attempts", "find"]

MODULES = (
    *("files_read", "files_change", "processes", "signals", "network", "services", "kernel"),
    *("kernel_programs", "resources", "startup"),
)


def all_attempts() -> dict[str, Attempt]:
    """Return all attempts by name."""
    for module in MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return ATTEMPTS


def find(target: str) -> Attempt:
    """Return the attempt that `Attempt.target` names."""
    module, _, name = target.partition(":")
    importlib.import_module(module)
    return ATTEMPTS[name]
