"""Traces: what a command and its plugins say to each other, in a file, without the keys that were handed out.

    hiding     what must not be written, in the forms in which it may come along
    lines      bytes to lines
    _joints    texts that are held back until it is certain that no key goes on in the next one
    _tape      one process: its bytes become lines, its lines become records
    _trace     the file

A process has one trace or none: `begin` opens it, `end` closes it, and who starts a plugin asks for a
`tape_for` it. While there is none, a plugin costs one look at an empty list. A trace is a convenience:
whatever happens to it, the command goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_kernel.tracing._tape import Tape
    from cellwall_kernel.tracing._trace import Trace

__all__ = ["MARK", "begin", "end", "tape_for"]

MARK = "(the key)"
"""What stands in a trace where a key was [P-90]."""

_running: list[Trace] = []
"""The trace of this process, if it has one."""


def begin(path: str, *, secrets: Iterable[str] = ()) -> None:
    """Begin a trace; the first plugin that is started makes the file.

    Args:
        path: the file; an older trace of ours there is replaced, nothing else is.
        secrets: texts that must not stand in it; those that plugins are given on the way are added.

    Raises:
        UsageProblem: a trace cannot be written there.
    """
    from cellwall_kernel.tracing._trace import Trace

    end()
    _running.append(Trace.prepare(path, secrets=secrets))


def end() -> str | None:
    """Finish the trace of this process.

    Returns:
        a sentence if it is not complete; None if it is, or if there was none.
    """
    return _running.pop().close() if _running else None


def tape_for(plugin: str) -> Tape | None:
    """Return what records a process that is about to be started; None if nobody wants a trace.

    Args:
        plugin: the plugin's name.
    """
    return _running[-1].tape(plugin) if _running else None
