"""What a plugin ran out of, told by how it ended or by its own words, with the command that gives it more.

Its words could be forged, and nothing is decided by them: they only choose which advice stands behind them.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from cellwall_kernel.process import Excess, remedy, size_words

if TYPE_CHECKING:
    from cellwall_kernel.process import Exit, Limit
    from cellwall_kernel.wall import Resources

__all__ = ["advice_after", "excess_at_end"]

SIGNS: dict[str, Limit] = {
    "MemoryError": "memory",
    "std::bad_alloc": "memory",
    "Cannot allocate memory": "memory",
    "can't start new thread": "processes",
    "[Errno 27] File too large": "file_size",
}
"""What Python and others say when a limit of the kernel's is reached."""

OPEN_FILES_SIGN = "Too many open files"
"""Likewise; for open files no plugin is granted more."""


def excess_at_end(end: Exit, last_lines: str, resources: Resources) -> Excess | None:
    """Return what a plugin that has ended by itself ran out of; None if it does not look like that.

    Args:
        end: how it ended.
        last_lines: the last that it printed.
        resources: what it may use.
    """
    if end.status == -signal.SIGXCPU:
        what = f"it used up its {resources.cpu_s} s of processor time"
        return Excess(what=what, limit="cpu_seconds")
    if end.status == -signal.SIGXFSZ:
        return Excess(
            what=f"it wrote a file larger than {size_words(resources.file_size_bytes)}", limit="file_size"
        )
    if end.status == 0:
        return None
    if OPEN_FILES_SIGN in last_lines:
        what = f"it had all {resources.files} files open that it may open at once"
        return Excess(what=what, advice="its author should close what is no longer needed")
    if _limit_in(last_lines) == "memory":
        what = f"it ran out of its {size_words(resources.memory_bytes)} of memory"
        return Excess(what=what, limit="memory")
    return None


def advice_after(words: str, plugin: str, resources: Resources | None) -> str:
    """Return a sentence to stand behind a plugin's own words; empty if they are not about a limit.

    Args:
        words: what the plugin said.
        plugin: its name.
        resources: what it may use; None if it has no wall.
    """
    if resources is None:
        return ""
    if OPEN_FILES_SIGN in words:
        return f" A plugin may have {resources.files} files open at once."
    limit = _limit_in(words)
    if limit is None:
        return ""
    may = {
        "memory": f"use {size_words(resources.memory_bytes)} of memory",
        "processes": f"run {resources.processes} processes and threads",
        "file_size": f"write files of up to {size_words(resources.file_size_bytes)}",
    }[limit]
    return f" It may {may}; {remedy(plugin, limit, resources)}."


def _limit_in(words: str) -> Limit | None:
    return next((limit for sign, limit in SIGNS.items() if sign in words), None)
