"""Levels without probes: what the mechanisms of this machine should hold, and what the last probes found."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.confinement import unenforced
from cellwall_kernel.doctor._report import Level
from cellwall_kernel.doctor._verdicts import level_of_missing
from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.wall import Mechanisms, Policy

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Permission

__all__ = ["enforcement", "quick_level", "remember", "theoretical"]

LIMIT_KINDS = frozenset({"memory", "processes", "file_size", "data", "cpu_seconds", "deadline"})
ASPECTS_OF = {
    "network": ("network", "hosts"),
    "read": ("files",),
    "write": ("files",),
    "device": ("files",),
    "spawn": ("processes", "host"),
    "socket": ("sockets",),
    **dict.fromkeys(LIMIT_KINDS - {"deadline"}, ("limits",)),
}
"""Kind of permission -> what must be enforced so that it means what it says. Keys, variables and deadlines
are the host's own business."""


class _LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the last probes found, and on which machine."""

    level: Level
    mechanisms: Mechanisms
    kernel: str


def theoretical(mechanisms: Mechanisms) -> dict[str, str]:
    """Return what mechanisms cannot enforce, as far as they do what they are known to do: aspect -> why."""
    policies = (Policy(cwd="/"), Policy(cwd="/", network="hosts"), Policy(cwd="/", spawn=True))
    return {
        aspect: cause for policy in reversed(policies) for aspect, cause in unenforced(policy, mechanisms)
    }


def quick_level(paths: Paths, mechanisms: Mechanisms | None = None) -> Level:
    """Return the level without starting anything: that of the last `llm doctor`, if the machine is the same.

    Args:
        paths: the user folder.
        mechanisms: what this machine can enforce; by default it is asked.
    """
    mechanisms = mechanisms or Mechanisms.detect(paths)
    try:
        last = msgspec.json.decode((paths.root / "doctor.json").read_bytes(), type=_LastRun)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return level_of_missing(theoretical(mechanisms))
    if (last.mechanisms, last.kernel) != (mechanisms, _kernel()):
        return level_of_missing(theoretical(mechanisms))
    return last.level


def remember(paths: Paths, level: Level, mechanisms: Mechanisms) -> None:
    """Keep what the probes found, for `quick_level`; where that cannot be written, it is done without."""
    from cellwall_kernel.private_files import locked, replace

    path = paths.root / "doctor.json"
    with suppress(StoreProblem):
        paths.folder()
        with locked(path):
            replace(path, msgspec.json.encode(_LastRun(level=level, mechanisms=mechanisms, kernel=_kernel())))


def enforcement(permission: Permission, mechanisms: Mechanisms) -> str:
    """Say how well the bounds of one permission hold on this machine.

    Args:
        permission: what is asked for or granted.
        mechanisms: what this machine can enforce.

    Returns:
        "enforced", or "not enforced here: " and why.
    """
    kind, value = permission.kind, permission.value
    policy = Policy(
        cwd="/",
        network=("any" if value == "any" else "hosts") if kind == "network" else "none",
        spawn=kind == "spawn",
        sockets=(value,) if kind == "socket" else (),
    )
    missing = dict(unenforced(policy, mechanisms))
    for aspect in ASPECTS_OF.get(kind, ()):
        if aspect in missing:
            return f"not enforced here: {missing[aspect]}"
    return "enforced"


def _kernel() -> str:
    system = os.uname()
    return f"{system.sysname} {system.release} {os.geteuid()}"
