"""Limits of resources that a process takes along (setrlimit), from a policy's numbers."""

# ruff: noqa: PTH123 - one line of /proc

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from cellwall_kernel.cell.system import LINUX

if TYPE_CHECKING:
    from cellwall_kernel.wall._policy import Policy

__all__ = ["resource_limits"]

ADDRESS_SPACE_BYTES = 8 * 1024**3
"""How much address space there may be beyond the memory: threads and just-in-time compilers reserve a lot and
use little (sandbox.md §3), so the limit that counts is RLIMIT_DATA."""


def resource_limits(policy: Policy, *, counts_own_namespace: bool) -> list[tuple[int, int, int]]:
    """Return what to set: a resource's number, its soft and its hard limit.

    Args:
        policy: what the cell may do.
        counts_own_namespace: whether processes are counted in a user namespace of the cell's own; else the
            kernel counts all of the user's, and what runs on this machine now is added.
    """
    numbers = policy.resources
    running = 0 if counts_own_namespace else tasks_running()
    memory = numbers.memory_bytes + policy.extra_address_bytes
    of_linux = [
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, memory + policy.extra_address_bytes + ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_NPROC, numbers.processes + running),
    ]
    limits = [
        *(of_linux if LINUX else ()),  # macOS refuses to set some of them, and does not keep to the others
        (resource.RLIMIT_FSIZE, numbers.file_size_bytes),
        (resource.RLIMIT_NOFILE, numbers.files),
        (resource.RLIMIT_CORE, 0),
    ]
    if hasattr(resource, "RLIMIT_MSGQUEUE"):
        limits.append((resource.RLIMIT_MSGQUEUE, 0))
    if numbers.cpu_s:
        limits.append((resource.RLIMIT_CPU, numbers.cpu_s))
    # The soft limit ends a process by a signal that tells why; a second later the hard one ends the deaf.
    late = {resource.RLIMIT_CPU: 1}
    return [(number, most, most + late.get(number, 0)) for number, most in limits]


def tasks_running() -> int:
    """Return how many processes and threads there are on this machine, at least the user's own.

    Counting the user's alone would mean to read every status in /proc at every start.
    """
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0
