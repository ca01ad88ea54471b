"""Watches the memory of a running command from outside, while its output is read, or is not."""

from __future__ import annotations

import os
import select
import subprocess
import time

from cellbench.processes import Command, CommandFailed, running
from cellbench.procfs import descendants, memory_bytes, peak_rss_bytes
from cellbench.rows import Sample

__all__ = ["PeakMemory", "drain", "growth_while_stalled"]

_CHUNK_BYTES = 1 << 16
_LOOK_EVERY_S = 0.02
_ANSWER_WITHIN_S = 60.0


class PeakMemory:
    """The highest memory seen of a process and of those below it.

    Args:
        pid: the host.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._looked_at = 0.0

    def look(self, *, at_once: bool = False) -> None:
        """Take the peaks now, unless that was done a moment ago."""
        now = time.monotonic()
        if not at_once and now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        for pid in (self._pid, *descendants(self._pid)):
            self._peaks[pid] = max(self._peaks.get(pid, 0), peak_rss_bytes(pid))

    @property
    def host_bytes(self) -> int:
        """The host's peak."""
        return self._peaks.get(self._pid, 0)

    def facts(self) -> dict[str, float]:
        """The peaks of the processes below the host, in the order of their starts."""
        others = sorted(pid for pid in self._peaks if pid != self._pid)
        return {f"child_{number}_bytes": self._peaks[pid] for number, pid in enumerate(others, 1)}


def drain(process: subprocess.Popen[bytes], memory: PeakMemory) -> None:
    """Read a process's output to its end, looking at its memory meanwhile.

    Raises:
        CommandFailed: nothing came for a long time, or it ended badly.
    """
    assert process.stdout is not None
    source = process.stdout.fileno()
    while True:
        if not select.select([source], [], [], _ANSWER_WITHIN_S)[0]:
            raise CommandFailed(f"a command wrote nothing for {_ANSWER_WITHIN_S:.0f} s")
        memory.look()
        if not os.read(source, _CHUNK_BYTES):
            break
    if process.wait(_ANSWER_WITHIN_S) != 0:
        raise CommandFailed(f"a command that was watched exited with {process.returncode}")


def growth_while_stalled(command: Command, stall_s: float) -> Sample:
    """Read the start of an endless answer, stop, and see how much the host grows in `stall_s` seconds."""
    with running(command, subprocess.PIPE) as process:
        assert process.stdout is not None
        source = process.stdout.fileno()
        if not select.select([source], [], [], _ANSWER_WITHIN_S)[0] or not os.read(source, _CHUNK_BYTES):
            raise CommandFailed(f"`{command.text}` wrote nothing")
        tree = [process.pid, *descendants(process.pid)]
        before = {pid: memory_bytes(pid) for pid in tree}
        peaks = dict(before)
        until = time.monotonic() + stall_s
        while time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
            for pid in tree:
                peaks[pid] = max(peaks[pid], memory_bytes(pid))
        if process.poll() is not None:
            raise CommandFailed(
                f"`{command.text}` ended with {process.returncode} while nobody read its output"
            )
        grown = {pid: peaks[pid] - before[pid] for pid in tree}
        facts = {"host_bytes": float(peaks[process.pid]), "tree_growth_bytes": float(sum(grown.values()))}
        return Sample(grown[process.pid], facts=facts)
