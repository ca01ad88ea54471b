"""Which process writes a row of the log, and whether that process still lives.

A process id alone says little: it is reused, means something else after a restart, and in a container it
counts anew. So a row also holds the machine's boot and process namespace, and the moment at which the process
was started.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["Host", "Life", "life_of", "this_host"]

Life = Literal["alive", "gone", "unknown"]

# Fields of /proc/PID/stat, counted after the program's name: its state, and its start in clock ticks.
_STATE, _START = 0, 19
_ENDED_STATES = ("Z", "X")


class Host(NamedTuple):
    """A process that runs prompts.

    Attributes:
        pid: its process id.
        started: when it was started, in clock ticks since boot; 0 where the platform does not say.
        machine: the boot and process namespace that the two others hold for.
    """

    pid: int
    started: int
    machine: str


def this_host() -> Host:
    """Return what identifies this process."""
    pid = os.getpid()
    _, started = _state_and_start(pid)
    return Host(pid, started, _machine())


def life_of(host: Host) -> Life:
    """Return whether the process lives; "unknown" if it belongs to another boot, container or machine."""
    if host.machine != _machine():
        return "unknown"
    try:
        os.kill(host.pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass  # it is there, and another user's
    except (OverflowError, ValueError):
        return "gone"
    state, started = _state_and_start(host.pid)
    if state in _ENDED_STATES or started != host.started:
        return "gone"
    return "alive"


def _machine() -> str:
    """What tells boots and process namespaces apart; elsewhere than on Linux, the machine's name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        import platform

        return platform.node()


def _state_and_start(pid: int) -> tuple[str, int]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "", 0
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name in parentheses may hold anything
    return fields[_STATE].decode(), int(fields[_START])
