"""Times something that a probe repeats: `for _ in trips: one_more()`, and the body is what is measured."""

from __future__ import annotations

import gc
import json
import os
import time
from statistics import median
from typing import TYPE_CHECKING

from cellbench.procfs import cpu_s, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ONE_CORE", "Trips", "pin_if_asked", "print_figures", "tree_cpu_s"]

ONE_CORE = "CELLBENCH_ONE_CORE"
"""The variable that asks a probe to run itself and its children on one processor core."""

_WARMUP_SHARE = 10
"""One tenth on top is run first and thrown away: allocations, adaptive bytecode, caches."""


class Trips:
    """An iterator that times the loop body between its steps; works around `await` too.

    Args:
        count: how many repetitions are measured, after a tenth of that for warming up.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._warmup = max(1, count // _WARMUP_SHARE)
        self._taken_ns: list[int] = []
        self._cpu_s = 0.0

    def __iter__(self) -> Iterator[int]:
        clock = time.perf_counter_ns
        for number in range(self._warmup):
            yield number
        gc.collect()
        cpu_before = tree_cpu_s()
        for number in range(self._count):
            started = clock()
            yield number
            self._taken_ns.append(clock() - started)
        self._cpu_s = tree_cpu_s() - cpu_before

    @property
    def repetitions(self) -> int:
        """How often the body runs in all, the warm-up included."""
        return self._warmup + self._count

    def figures(self) -> dict[str, float]:
        """The median and mean time of a repetition, and its CPU time here and in the processes below."""
        return {
            "unit_s": median(self._taken_ns) / 1e9,
            "mean_s": sum(self._taken_ns) / len(self._taken_ns) / 1e9,
            "unit_cpu_s": self._cpu_s / self._count,
        }


def pin_if_asked() -> None:
    """Stay on one core, with all children started from here on, if the runner asked for it.

    Waking a sleeping process on another core costs several times what the code of a round trip does, and
    whether it happens is the scheduler's choice. On one core only the code is left.
    """
    if os.environ.get(ONE_CORE):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def print_figures(figures: dict[str, float]) -> None:
    """Hand the figures to the runner."""
    print(json.dumps(figures), flush=True)


def tree_cpu_s() -> float:
    """CPU seconds so far of this process and of all that live below it."""
    here = os.getpid()
    return sum(cpu_s(pid) for pid in (here, *descendants(here)))
