"""The wall: from what was granted to what the operating system enforces around one cell.

    _mechanisms  what this machine can enforce
    _policy      what a cell may do: grants with real paths, refused where they reach too far
    _programs    the program of a plugin in another language
    _landlock    files: a ruleset that the cell enters
    _seccomp     system calls: a filter, assembled by _bpf from the numbers in _syscalls
    _limits      memory, processes, files, time
    _bubblewrap  namespaces around all of it, where they work
    _seatbelt    what there is of all this on macOS
    _endpoint    where a plugin finds the proxy of its listed hosts
    _wall        a wall planned, and raised for a child that is about to start

The host makes everything here; `cellwall_kernel.cell` applies it inside the child, before any foreign code.
"""

from __future__ import annotations

from cellwall_kernel.wall._bubblewrap import PRIVATE_FOLDERS
from cellwall_kernel.wall._endpoint import open_listener, proxy_variables
from cellwall_kernel.wall._mechanisms import Mechanisms
from cellwall_kernel.wall._policy import (
    DEFAULT_LIMITS,
    SYSTEM_FILES,
    SYSTEM_FOLDERS,
    Policy,
    Resources,
    holds,
    policy_for,
)
from cellwall_kernel.wall._wall import UNREMARKABLE, Wall, WallPlan, raise_wall

__all__ = [
    "DEFAULT_LIMITS",
    "PRIVATE_FOLDERS",
    "SYSTEM_FILES",
    "SYSTEM_FOLDERS",
    "UNREMARKABLE",
    "Mechanisms",
    "Policy",
    "Resources",
    "Wall",
    "WallPlan",
    "holds",
    "open_listener",
    "policy_for",
    "proxy_variables",
    "raise_wall",
]
