"""How much a plugin keeps in its own folders, counted with bounded work.

The counting stops where a limit is passed, and nothing that a plugin does to its folders makes it longer:
symbolic links are not followed, and a folder that hides what is in it counts as too much.
"""

# ruff: noqa: PTH120 - texts all along; every start of a cell comes through here

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import LimitExceeded
from cellwall_kernel.process._excess import Excess, size_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_kernel.wall import Policy, Resources

__all__ = [
    "Footprint",
    "disk_excess",
    "folder_excess",
    "full_look",
    "measure",
    "quick_look",
    "refuse_full_folders",
]

QUICK_ENTRIES = 1000
"""So many files and folders are counted without a second thought: in a millisecond or two."""

BYTES_PER_ENTRY = 5 * 1024**3 // 100_000
"""The number of files and folders is bounded, too: 100,000 for the default limit of 5 GB."""

LEAST_ENTRIES = 10_000
"""A small limit of bytes allows as many files and folders all the same."""

LEAST_FREE_BYTES = 200 * 1024**2
"""A disk that has less left is protected from whoever is filling it."""

MOST_SHOWN = 200
"""How many characters of a path are shown."""

BLOCK_BYTES = 512
"""The unit of `st_blocks`."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """What folders hold, as far as it was counted.

    Args:
        size_bytes: what it takes on the disk.
        entries: how many files and folders.
        is_complete: whether all was counted.
        hidden: a folder that cannot be looked into; None without one.
    """

    size_bytes: int = 0
    entries: int = 0
    is_complete: bool = True
    hidden: str | None = None


def measure(folders: Iterable[str], *, most_bytes: int, most_entries: int) -> Footprint:
    """Count what is in folders, until one of the limits is passed.

    Args:
        folders: which; one that is not there holds nothing.
        most_bytes: stop when it is more.
        most_entries: likewise, for the number of files and folders.
    """
    size = entries = 0
    waiting, linked = list(folders), set[tuple[int, int]]()
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                for entry in listing:
                    entries += 1
                    size += _weigh(entry, waiting, linked)
                    if size > most_bytes or entries > most_entries:
                        return Footprint(size_bytes=size, entries=entries, is_complete=False)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it went meanwhile
        except OSError:
            return Footprint(size_bytes=size, entries=entries, is_complete=False, hidden=folder)
    return Footprint(size_bytes=size, entries=entries)


def refuse_full_folders(plugin: str, policy: Policy) -> None:
    """Look at a plugin's own folders before it starts; large ones are left to its guard.

    Args:
        plugin: the plugin's name.
        policy: what it may do.

    Raises:
        LimitExceeded: they are over a limit already.
    """
    excess = folder_excess(policy, quick_look(policy))
    if excess is not None:
        raise LimitExceeded(plugin, excess.sentence(plugin, policy.resources, fate="was not started"))


def quick_look(policy: Policy) -> Footprint:
    """Count a plugin's own folders if they are small; else the result is not complete."""
    return measure(policy.own, most_bytes=policy.resources.data_bytes, most_entries=QUICK_ENTRIES)


def full_look(policy: Policy) -> Footprint:
    """Count a plugin's own folders up to its limits; for large ones that takes a while."""
    return measure(
        policy.own, most_bytes=policy.resources.data_bytes, most_entries=allowed_entries(policy.resources)
    )


def allowed_entries(resources: Resources) -> int:
    """Return how many files and folders a plugin may keep."""
    return max(LEAST_ENTRIES, resources.data_bytes // BYTES_PER_ENTRY)


def folder_excess(policy: Policy, found: Footprint, *, nameless_bytes: int = 0) -> Excess | None:
    """Return in what a plugin's own folders are too much; None if they are not.

    Args:
        policy: what it may do.
        found: what is in them.
        nameless_bytes: what its deleted files take that it holds open.
    """
    where, most = os.path.dirname(policy.own[0]), size_words(policy.resources.data_bytes)
    advice = f"remove from {where} what is not needed"
    if found.hidden is not None:
        folder = found.hidden[:MOST_SHOWN]
        return Excess(what=f"what is in {folder} cannot be counted", advice="make that folder readable")
    if found.size_bytes > policy.resources.data_bytes:
        return Excess(what=f"its files in {where} take more than {most}", limit="data", advice=advice)
    if found.size_bytes + nameless_bytes > policy.resources.data_bytes:
        what = f"its files take more than {most}, with deleted ones that it holds open"
        return Excess(what=what, limit="data")
    if found.entries > allowed_entries(policy.resources):
        count = f"{allowed_entries(policy.resources):,}"
        what = f"it keeps more than {count} files and folders in {where}"
        return Excess(what=what, limit="data", advice=advice)
    return None


def disk_excess(policy: Policy) -> Excess | None:
    """Return what is wrong if the disk of a plugin's folders is nearly full; its files have just grown."""
    where = os.path.dirname(policy.own[0])
    try:
        status = os.statvfs(where)
    except OSError:
        return None
    free = status.f_bavail * status.f_frsize
    if free >= LEAST_FREE_BYTES:
        return None
    what = f"it went on writing with only {size_words(free)} left on the disk of {where}"
    return Excess(what=what, advice="make room there")


def _weigh(entry: os.DirEntry[str], waiting: list[str], linked: set[tuple[int, int]]) -> int:
    """Return what an entry takes on the disk; a folder is put on the list of those to come."""
    try:
        status = entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            waiting.append(entry.path)
        elif status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in linked:
                return 0
            linked.add((status.st_dev, status.st_ino))
    except (FileNotFoundError, NotADirectoryError):
        return 0  # it went meanwhile
    return status.st_blocks * BLOCK_BYTES
