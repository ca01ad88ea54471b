"""Starting a cell for the doctor, exactly as a plugin is started, and hearing what it says."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from cellwall_kernel.discovery import PluginRecord
from cellwall_kernel.launch import plan
from cellwall_kernel.process import Exit, StderrLog, spawn
from cellwall_kernel.process.child import Child
from cellwall_kernel.session import Warden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.wall import WallPlan

__all__ = ["Answer", "Cells", "probe_record"]

PROBE = Path(__file__).with_name("probe")
PATIENCE_S = 20.0
"""How long a probe may take altogether (seconds); on a quiet machine it needs a tenth of one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one cell.

    Args:
        outcomes: name of an attempt -> what the probe says of it: a word ("done", "refused", "unusable") and
            a text.
        stood: whether it said that its wall stands.
        exit: how it ended.
        words: the last that it printed.
        first_ms: after how long it said something, in milliseconds; None if it never did.
    """

    outcomes: dict[str, tuple[str, str]]
    stood: bool
    exit: Exit
    words: str
    first_ms: float | None


def probe_record() -> PluginRecord:
    """Return the probe as if it were an installed plugin."""
    return PluginRecord(
        name="doctor",
        dist="doctor",
        version="",
        target="attempts",
        location=str(PROBE),
        python=sys.executable,
        folders=(("path", str(PROBE)),),
        key="doctor",
    )


class Cells:
    """Starts probes, one after the other."""

    def __init__(self) -> None:
        self._running: Child | None = None

    def kill_now(self) -> None:
        """Have a probe that runs killed, without waiting; safe in a signal handler."""
        if self._running is not None:
            self._running.kill_now()

    async def ask(
        self,
        paths: Paths,
        wall: WallPlan | None,
        *,
        target: str,
        question: bytes = b"",
        environ: Mapping[str, str] | None = None,
    ) -> Answer:
        """Start a probe and hear all that it says; it has ended when this returns.

        Args:
            paths: the user folder that holds the probe's own folders.
            wall: what stands around it; None for nothing.
            target: what the probe shall do.
            question: the line that it gets.
            environ: the host's variables.

        Raises:
            PluginBroken: the system cannot start it.
        """
        record = msgspec.structs.replace(probe_record(), target=target)
        data, tmp = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
        launch = plan(record, data=data, tmp=tmp, wall=wall, environ=environ)
        log = StderrLog()
        heard = bytearray()
        moments: list[float] = []

        def take(chunk: bytes) -> None:
            moments.append(time.perf_counter())
            heard.extend(chunk)

        ended, stood = Exit(None), False
        began = time.perf_counter()
        child = Child(spawn(launch), log)
        self._running = child
        warden = Warden(record.name, child.wall) if child.wall is not None else None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.attend)
            if warden is not None:
                tasks.start_soon(warden.attend)
            try:
                with suppress(BrokenPipeError), anyio.move_on_after(PATIENCE_S):
                    await _say(child, question)
                    await child.listen(take)
            finally:
                ended = await child.stop()
                child.close_stdout()
                self._running = None
            stood = warden is None or warden.stands
            tasks.cancel_scope.cancel()
        return Answer(
            outcomes=_outcomes(bytes(heard)),
            stood=stood,
            exit=ended,
            words=log.last_lines(),
            first_ms=(moments[0] - began) * 1000 if moments else None,
        )


async def _say(child: Child, question: bytes) -> None:
    while question:
        question = question[child.write_some(question) :]
        if question:
            await child.wait_writable()


def _outcomes(heard: bytes) -> dict[str, tuple[str, str]]:
    """Read what a probe has said; a line that it did not finish does not count."""
    found: dict[str, tuple[str, str]] = {}
    for line in heard.splitlines(keepends=True):
        if line.endswith(b"\n"):
            members: dict[str, Any] = json.loads(line)
            if "name" in members:
                found[members["name"]] = members["word"], members["text"]
    return found
