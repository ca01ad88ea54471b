"""Starts of a cell, from the host's first step to the first byte on the wire; the modes take turns.

    python -m cellbench.probes.cell_start PLUGIN COUNT MODE...

For each MODE, `MODE_s` is the median time, and `MODE_cpu_s` the median CPU time of host and cell
together, from the start to the end of a cell that is let go after its first line. The host's own modules are
loaded and warm.
"""

from __future__ import annotations

import os
import resource
import select
import sys
import time
from contextlib import suppress
from statistics import median
from typing import TYPE_CHECKING

from cellbench.probes.cells import start
from cellbench.probes.plugins import find_plugin
from cellbench.probes.trips import print_figures
from cellbench.processes import become_subreaper
from cellwall_kernel.paths import Paths

if TYPE_CHECKING:
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.process import Spawned

__all__: list[str] = []

_PATIENCE_MS = 30_000
_CHUNK_BYTES = 65_536


def _main(plugin: str, count: int, modes: list[str]) -> None:
    become_subreaper()  # bubblewrap ends without waiting for what is inside, and its time would be lost
    record, paths = find_plugin(plugin), Paths.from_environment()
    taken: dict[str, list[tuple[float, float]]] = {mode: [] for mode in modes}
    for number in range(count + 1):
        for mode in modes:
            sample = _one(record, paths, mode)
            if number:  # the first round loads what is loaded late, and finds out about bubblewrap
                taken[mode].append(sample)
    figures: dict[str, float] = {}
    for mode, samples in taken.items():
        figures[f"{mode}_s"] = median(wall for wall, _ in samples)
        figures[f"{mode}_cpu_s"] = median(cpu for _, cpu in samples)
    print_figures(figures)


def _one(record: PluginRecord, paths: Paths, mode: str) -> tuple[float, float]:
    cpu_before, began = _cpu_s(), time.perf_counter()
    spawned = start(record, paths, mode)
    _wait_for(spawned.stdout)
    took = time.perf_counter() - began
    if not os.read(spawned.stdout, _CHUNK_BYTES):
        raise SystemExit(os.read(spawned.stderr, _CHUNK_BYTES).decode(errors="replace"))
    _let_go(spawned)
    return took, _cpu_s() - cpu_before


def _let_go(spawned: Spawned) -> None:
    os.close(spawned.stdin)
    assert spawned.pidfd is not None
    _wait_for(spawned.pidfd)
    spawned.collect()
    for fd in (spawned.stdout, spawned.stderr, spawned.pidfd):
        os.close(fd)
    if spawned.wall is not None:
        spawned.wall.abandon()
    with suppress(ChildProcessError):
        while os.waitpid(-1, 0):  # every orphan ends by itself: the keeper has seen to it, or the namespace
            continue


def _wait_for(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(_PATIENCE_MS):
        raise SystemExit("a cell did not move")


def _cpu_s() -> float:
    """CPU seconds of this process and of all cells that have been collected, their whole trees included."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
