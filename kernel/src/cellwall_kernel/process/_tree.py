"""What the processes of a cell use together, read from /proc; where there is none, nothing is seen.

A limit that the kernel keeps for each process bounds neither what several use together nor memory that is
shared or belongs to a file in memory. Here only that is counted which is lost for everybody else: pages of
files on a disk, such as the weights of a model, can be dropped at any time and do not count.
"""

# ruff: noqa: PTH116, PTH115, PTH123, PTH208 - texts all along

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Processes", "Usage"]

OUTER_GENERATIONS = {False: 1, True: 3}
"""How many generations of a cell are ours: the keeper, and with namespaces two of bubblewrap's before it."""

PRIVATE = (b"RssAnon:", b"VmSwap:")
SHARED = (b"RssShmem:",)
EXACT_PRIVATE = (b"Pss_Anon:", b"SwapPss:")
EXACT_SHARED = (b"Pss_Shmem:",)
TASKS = (b"Threads:",)
KIB = 1024
BLOCK_BYTES = 512


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of a cell use together.

    Args:
        memory_bytes: memory, rather too little than too much.
        tasks: processes and threads; counted only until they are too many.
        nameless_bytes: files without a name on the disk of its folders, which no folder shows.
    """

    memory_bytes: int
    tasks: int
    nameless_bytes: int


class Processes:
    """The processes of one cell.

    Args:
        root: the process that the host started.
        has_namespaces: whether bubblewrap stands around them.
        can_grow: whether there can be more of them than the plugin's own one.
        memory_folders: folders of memory, under the names that they have inside.
        disk: a folder on the disk whose nameless files count.
    """

    def __init__(
        self, root: int, *, has_namespaces: bool, can_grow: bool, memory_folders: tuple[str, ...], disk: str
    ) -> None:
        self._root = root
        self._generations = OUTER_GENERATIONS[has_namespaces]
        self._can_grow = can_grow
        self._memory_folders = memory_folders
        self._disk = disk
        self._known: list[int] = []

    def usage(self, *, most_bytes: int, most_tasks: int) -> Usage:
        """Add up what they use now.

        Args:
            most_bytes: where this much memory seems to be passed, it is looked at more closely.
            most_tasks: more need not be counted.
        """
        tasks = 0
        memory: dict[int, tuple[int, int]] = {}
        for pid in self._members():
            content = _read(f"/proc/{pid}/status")
            tasks += _number(content, TASKS)
            memory[pid] = _number(content, PRIVATE) * KIB, _number(content, SHARED) * KIB
            if tasks > most_tasks:
                return Usage(memory_bytes=0, tasks=tasks, nameless_bytes=0)
        if sum(map(sum, memory.values())) > most_bytes:  # what several share was counted several times
            memory = {pid: _exactly(pid) or roughly for pid, roughly in memory.items()}
        private = sum(own for own, _ in memory.values())
        shared = sum(common for _, common in memory.values())
        kept, nameless = self._files(memory)
        return Usage(memory_bytes=private + max(shared, kept), tasks=tasks, nameless_bytes=nameless)

    def _members(self) -> list[int]:
        if self._can_grow or not self._known:
            self._known = descendants(self._root, self._generations)
        return self._known

    def _files(self, members: Iterable[int]) -> tuple[int, int]:
        """Return the bytes of files in memory, and of nameless files on the disk."""
        in_memory, on_disk = dict[tuple[int, int], int](), dict[tuple[int, int], int]()
        device = _device(self._disk)
        for pid in members:
            for link, status in _nameless(pid):
                size = status.st_blocks * BLOCK_BYTES
                if link.startswith("/memfd:"):
                    in_memory[status.st_dev, status.st_ino] = size
                elif status.st_dev == device:
                    on_disk[status.st_dev, status.st_ino] = size
        folders = max(
            (sum(_taken(pid, folder) for folder in self._memory_folders) for pid in members), default=0
        )
        return sum(in_memory.values()) + folders, sum(on_disk.values())


def descendants(root: int, generation: int) -> list[int]:
    """List the processes below a process.

    Args:
        root: that process.
        generation: the first that counts: 1 for its children.
    """
    children = _children_by_list if _has_lists() else _children_by_scan()
    found: list[int] = []
    level = [root]
    while level:
        level = [child for pid in level for child in children(pid)]
        generation -= 1
        if generation <= 0:
            found += level
    return found


def _has_lists() -> bool:
    me = os.getpid()
    return os.access(f"/proc/{me}/task/{me}/children", os.R_OK)


def _children_by_list(pid: int) -> list[int]:
    return [
        int(child)
        for task in _listdir(f"/proc/{pid}/task")
        for child in _read(f"/proc/{pid}/task/{task}/children").split()
    ]


class _children_by_scan:  # noqa: N801 - used as the function above
    """Children by reading every process's parent: for kernels without lists of children."""

    def __init__(self) -> None:
        self._by_parent: dict[int, list[int]] = {}
        for name in _listdir("/proc"):
            if name.isdigit():
                fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()  # a name may hold anything
                if fields:
                    self._by_parent.setdefault(int(fields[1]), []).append(int(name))

    def __call__(self, pid: int) -> list[int]:
        return self._by_parent.get(pid, [])


def _exactly(pid: int) -> tuple[int, int] | None:
    """Return a process's own memory and its part of what is shared; None if the kernel does not tell."""
    content = _read(f"/proc/{pid}/smaps_rollup")
    if EXACT_SHARED[0] not in content:
        return None
    return _number(content, EXACT_PRIVATE) * KIB, _number(content, EXACT_SHARED) * KIB


def _nameless(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    """Give the open files of a process that no folder shows: the link in /proc, and what is known of each."""
    for fd in _listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        try:
            status = os.stat(path)
            if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                yield os.readlink(path), status
        except OSError:
            continue


def _taken(pid: int, folder: str) -> int:
    """Return what is in a folder of memory that only this process and its relatives see."""
    try:
        status = os.statvfs(f"/proc/{pid}/root{folder}")
    except OSError:
        return 0
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def _device(folder: str) -> int | None:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return None


def _number(content: bytes, names: tuple[bytes, ...]) -> int:
    """Add up the numbers of lines such as `RssAnon:     1234 kB`."""
    lines = (line.split() for line in content.splitlines() if line.startswith(names))
    return sum(int(words[1]) for words in lines if len(words) > 1)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""  # it has ended meanwhile, or is not for us


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
