"""A trace, read: the lines of each process, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Recorded", "read_trace"]

VERSION = 1
"""The version of the traces that are understood."""


class Recorded(msgspec.Struct, kw_only=True):
    """A line of a trace.

    Args:
        side: who spoke: "host" or "plugin"; or "event".
        plugin: the plugin's name.
        process: the number of its process.
        line: the message; None if it was none.
        event: what happened.
        exit: how the process ended, in the event "ended".
        version: of the trace, in its first line.
    """

    side: str = msgspec.field(name="from")
    plugin: str = ""
    process: int = 0
    line: dict[str, Any] | None = None
    event: str | None = None
    exit: str | None = None
    version: int | None = None


def read_trace(path: Path) -> dict[int, list[Recorded]]:
    """Read a trace.

    Returns:
        number of a process -> its lines.

    Raises:
        NotFound: there is no such file.
        UsageProblem: it cannot be read, or is no trace that we understand.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise NotFound(f"there is no trace {path}.") from None
    except OSError as error:
        raise UsageProblem(f"the trace {path} cannot be read: {error.strerror}.") from error
    processes: dict[int, list[Recorded]] = {}
    decoder = msgspec.json.Decoder(Recorded)
    for number, line in enumerate(lines, start=1):
        try:
            recorded = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if number == len(lines) > 1:
                break  # the host was killed while it wrote
            raise UsageProblem(f"{path} is no trace: line {number} is not one of its lines.") from None
        if number == 1 and (recorded.event != "trace" or recorded.version != VERSION):
            raise UsageProblem(f"{path} is no trace that this version can read.")
        if recorded.process:
            processes.setdefault(recorded.process, []).append(recorded)
    return processes
