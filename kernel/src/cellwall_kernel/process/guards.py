"""Guards: the host's own eyes on what a cell uses, for what no limit of the kernel's bounds.

Two watches for as long as a cell lives: its processes, and its folders. A prompt that is answered within a
second costs neither a look. Looking takes a twentieth of the time at most, whatever there is to see, and
never blocks the event loop for longer than some milliseconds; while something grows quickly, it is looked at
more often.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar, TypeVarTuple

import anyio

from cellwall_kernel.process._excess import Excess, size_words
from cellwall_kernel.process._folders import disk_excess, folder_excess, full_look, quick_look
from cellwall_kernel.wall import PRIVATE_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cellwall_kernel.process._folders import Footprint
    from cellwall_kernel.process._tree import Processes, Usage
    from cellwall_kernel.wall import WallPlan

__all__ = ["Guard"]

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

EVERY_S = 1.0
"""How often it is looked, and when first (seconds)."""

HURRY_S = 0.1
"""How often while something grows quickly (seconds)."""

HURRY_BYTES = 64 * 1024**2
"""What has grown by more between two looks grows quickly."""

SHARE = 20
"""Looking is followed by a rest of so many times what it took."""

LONGEST_S = 10.0
"""How long that rest is at most (seconds)."""

LONG_S = 0.02
"""A look that takes longer is left to a thread the next time (seconds)."""

TOLERANCE = 1.5
"""All processes together may use so many times the memory that one of them may; see RLIMIT_DATA in `wall`."""


class _Look(NamedTuple):
    """What a look has shown: what is too much, and the size of what may grow."""

    excess: Excess | None
    size_bytes: int


class Guard:
    """Watches over one cell.

    Args:
        plan: its wall, which says what it may use.
        root: the process that the host started.
    """

    def __init__(self, plan: WallPlan, root: int) -> None:
        self._plan = plan
        self._policy = plan.policy
        self._root = root
        self._tree: Processes | None = None
        self._takes_long = False
        self._nameless_bytes = 0
        self._size_bytes: int | None = None

    @property
    def watches(self) -> tuple[Callable[[], Awaitable[Excess]], ...]:
        """What is to be run as long as the cell lives; each returns when the cell must be stopped."""
        return self.watch_processes, self.watch_folders

    async def watch_processes(self) -> Excess:
        """Watch memory, processes and threads; returns what is too much."""
        await anyio.sleep(EVERY_S)
        return await _repeat(self._look_at_processes, None)

    async def watch_folders(self) -> Excess:
        """Watch the cell's own folders and the disk they are on; returns what is too much."""
        if not self._policy.own:
            await anyio.sleep_forever()
        first = quick_look(self._policy)
        if first.is_complete:
            self._size_bytes = first.size_bytes
            await anyio.sleep(EVERY_S)
        return await _repeat(self._look_at_folders, self._size_bytes)

    async def _look_at_processes(self) -> _Look:
        resources = self._policy.resources
        most = int(TOLERANCE * resources.memory_bytes) + self._policy.extra_address_bytes
        began = anyio.current_time()
        usage = await _in_thread(self._usage, most) if self._takes_long else self._usage(most)
        self._takes_long = anyio.current_time() - began > LONG_S
        self._nameless_bytes = usage.nameless_bytes
        excess = None
        if usage.tasks > resources.processes:
            excess = Excess(
                what=f"it ran {usage.tasks} processes and threads and may run {resources.processes}",
                limit="processes",
            )
        elif usage.memory_bytes > most:
            used, may = size_words(usage.memory_bytes), size_words(resources.memory_bytes)
            excess = Excess(what=f"it used {used} of memory and may use {may}", limit="memory")
        return _Look(excess, usage.memory_bytes)

    def _usage(self, most_bytes: int) -> Usage:
        if self._tree is None:
            from cellwall_kernel.process._tree import Processes

            self._tree = Processes(
                self._root,
                has_namespaces=self._plan.has_namespaces,
                can_grow=self._policy.spawn,
                memory_folders=PRIVATE_FOLDERS if self._plan.has_namespaces else (),
                disk=self._policy.own[0] if self._policy.own else "/",
            )
        return self._tree.usage(most_bytes=most_bytes, most_tasks=self._policy.resources.processes)

    async def _look_at_folders(self) -> _Look:
        found = quick_look(self._policy)
        if not found.is_complete:
            found = await _in_thread(full_look, self._policy)
        return self._judge(found)

    def _judge(self, found: Footprint) -> _Look:
        """Return what is too much; files without a name were counted when the processes were looked at."""
        size = found.size_bytes + self._nameless_bytes
        has_grown = self._size_bytes is not None and size > self._size_bytes
        self._size_bytes = size
        excess = folder_excess(self._policy, found, nameless_bytes=self._nameless_bytes)
        if excess is None and has_grown:
            excess = disk_excess(self._policy)
        return _Look(excess, size)


async def _repeat(look: Callable[[], Awaitable[_Look]], size_bytes: int | None) -> Excess:
    """Look again and again, until something is too much.

    Args:
        look: looks.
        size_bytes: the size of what may grow, as far as it is known.
    """
    while True:
        began = anyio.current_time()
        found = await look()
        took = anyio.current_time() - began
        if found.excess is not None:
            return found.excess
        grows = size_bytes is not None and found.size_bytes > size_bytes + HURRY_BYTES
        size_bytes = found.size_bytes
        await anyio.sleep(max(HURRY_S if grows else EVERY_S, min(SHARE * took, LONGEST_S)))


async def _in_thread(work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Do in a thread what takes long; nobody waits for its end once the watch is over."""
    from anyio import to_thread

    return await to_thread.run_sync(work, *arguments, abandon_on_cancel=True)
