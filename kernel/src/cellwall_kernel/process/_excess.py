"""What is too much, in words: a limit, how it was passed, and the command that would raise it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from cellwall_kernel.wall import Resources

__all__ = ["Excess", "Limit", "remedy", "size_words"]

Limit = Literal["memory", "processes", "data", "file_size", "cpu_seconds"]
"""A limit, by its word on the command line."""

KIB = 1024


class Excess(msgspec.Struct, frozen=True, kw_only=True):
    """More of the machine than a plugin may use.

    Args:
        what: ends the sentence "plugin 'x' was stopped: …".
        limit: the limit that was passed; None where a grant would not help.
        advice: what else its user can do, as half a sentence; may be empty.
    """

    what: str
    limit: Limit | None = None
    advice: str = ""

    def sentence(self, plugin: str, resources: Resources, *, fate: str = "was stopped") -> str:
        """Say it in one line.

        Args:
            plugin: the plugin's name.
            resources: what it may use.
            fate: what became of it.
        """
        ways = [self.advice] if self.advice else []
        if self.limit is not None:
            ways.append(remedy(plugin, self.limit, resources))
        return f"plugin '{plugin}' {fate}: {self.what}; {', or '.join(ways)}."


def remedy(plugin: str, limit: Limit, resources: Resources) -> str:
    """Return what gives a plugin more, as half a sentence.

    Args:
        plugin: the plugin's name.
        limit: what it lacks.
        resources: what it may use; the advice is twice as much.
    """
    value = {
        "memory": _size_value(2 * resources.memory_bytes),
        "data": _size_value(2 * resources.data_bytes),
        "file_size": _size_value(2 * resources.file_size_bytes),
        "processes": str(2 * resources.processes),
        "cpu_seconds": str(2 * resources.cpu_s),
    }[limit]
    return f"'llm plugins grant {plugin} {limit}={value}' gives it more"


def size_words(size: int) -> str:
    """Return a size for people, in the powers of 1024 in which limits are written: `1 GB`, `1.6 GB`."""
    amount, unit = float(size), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if amount < KIB:
            break
        amount, unit = amount / KIB, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def _size_value(size: int) -> str:
    return size_words(size).replace(" ", "").removesuffix("B")
