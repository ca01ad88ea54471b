"""What the kernel's process file system says about a process tree: memory, CPU time, who belongs to whom.

Stands alone (standard library, no sibling imports), because probes load it too, inside other environments.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["children", "cpu_s", "descendants", "memory_bytes", "peak_rss_bytes", "rollup_bytes"]

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """List the child processes of all threads of a process; empty when it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """List all processes below a process, parents before children."""
    found: list[int] = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a living process so far, without its children; 0 when it is gone."""
    total_ns = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total_ns += int(task.read_text().split()[0])
        except OSError:
            continue
    return total_ns / 1e9 if total_ns else _cpu_s_in_ticks(pid)


def _cpu_s_in_ticks(pid: int) -> float:
    """The same where the system keeps no finer account, in steps of a clock tick."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_bytes(pid: int) -> int:
    """Resident bytes of a process now; 0 when it is gone."""
    return _status_bytes(pid, "VmRSS:")


def peak_rss_bytes(pid: int) -> int:
    """The most that was ever resident, in bytes; 0 when the process is gone."""
    return _status_bytes(pid, "VmHWM:")


def rollup_bytes(pid: int) -> dict[str, int]:
    """The sums of a process's mappings in bytes: Rss, Pss, Private_Clean, Private_Dirty and more."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def _status_bytes(pid: int, label: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(label):
            return int(line.split()[1]) * 1024
    return 0
