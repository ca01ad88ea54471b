"""The examination: a cell without a wall, one behind the default wall, and with grants."""

from __future__ import annotations

import os
import secrets
import shutil
import statistics
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.confinement import unenforced
from cellwall_kernel.doctor._cell import Answer, Cells, probe_record
from cellwall_kernel.doctor._levels import remember, theoretical
from cellwall_kernel.doctor._probes import LINES, PROBES, SEES_NAMES
from cellwall_kernel.doctor._report import Report, StartCost
from cellwall_kernel.doctor._scene import VARIABLE, Scene
from cellwall_kernel.doctor._verdicts import (
    Outcomes,
    judged_limits,
    level_of_missing,
    missing_of_findings,
    unseen,
    verdicts,
)
from cellwall_kernel.doctor._words import advice_for, limits_in_words, mechanisms_in_words, uncovered
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.permissions import Permissions
from cellwall_kernel.process import Exit
from cellwall_kernel.wall import DEFAULT_LIMITS, Mechanisms, WallPlan, policy_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwall_kernel.doctor._probes import Scenery
    from cellwall_kernel.doctor._report import Finding
    from cellwall_kernel.paths import Paths

__all__ = ["Examination"]

STARTS = 5
"""Of how many real starts the cost is the median."""

THREADS = 1000
"""How many threads an attempt starts at most."""


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen behind one wall.

    Args:
        outcomes: of the attempts, with what showed only in the scene.
        cause: why none was made, because it cannot be enforced here; empty if they were made.
        failure: why there was no wall although there should be; empty if it stood.
    """

    outcomes: Outcomes = {}
    cause: str = ""
    failure: str = ""


class Examination:
    """Looks at the wall of this machine; inside the event loop, in the main thread.

    Args:
        paths: the user folder; what is made there is removed again.
        mechanisms: what the walls are made of; by default what this machine has, asked anew.
        starts: how many starts are measured; 0 for none.
    """

    def __init__(self, paths: Paths, *, mechanisms: Mechanisms | None = None, starts: int = STARTS) -> None:
        self._paths = paths
        self._mechanisms = mechanisms or Mechanisms.detect(paths, is_fresh=True)
        self._is_of_this_machine = mechanisms is None
        self._starts = starts
        self._cells = Cells()

    def kill_now(self) -> None:
        """Have a probe that runs killed, without waiting; safe in a signal handler."""
        self._cells.kill_now()

    async def run(self) -> Report:
        """Make all attempts.

        Raises:
            CellwallError: the scene cannot be made.
        """
        folder = self._paths.folder(f"doctor-{secrets.token_hex(4)}")
        try:
            bare = await self._visit_bare(folder)
            seen = {scenery: await self._visit(folder, scenery) for scenery in PROBES}
            start = await self._cost(folder) if self._starts else None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        findings = tuple(_finding(name, bare, seen[line.scenery]) for name, line in LINES.items())
        failures = (
            dict.fromkeys(("files", "network"), seen["default"].failure) if seen["default"].failure else {}
        )
        missing = missing_of_findings(findings, theoretical(self._mechanisms)) | failures
        level = level_of_missing(missing)
        if self._is_of_this_machine:
            remember(self._paths, level, self._mechanisms)
        return Report(
            level=level,
            missing=missing,
            made_of=mechanisms_in_words(self._mechanisms),
            mechanisms=msgspec.structs.asdict(self._mechanisms),
            findings=findings,
            start=start,
            not_covered=uncovered(sees_names=seen["default"].outcomes.get(SEES_NAMES, ("",))[0] == "done"),
            advice=advice_for(self._mechanisms),
        )

    async def _visit_bare(self, folder: Path) -> Outcomes:
        """Make all attempts without a wall: one that fails there proves nothing behind a wall."""
        names = list(dict.fromkeys(
            probe.name for line in LINES.values() for probe in line.probes if probe.needs_bare
        ))  # fmt: skip
        async with Scene(folder / secrets.token_hex(4)) as scene:
            policy = policy_for(probe_record(), Permissions(), scene.paths)
            question = scene.question(names, policy, threads=THREADS, wall=None)
            answer = await self._ask(scene, None, question)
            return _with_effects(answer.outcomes, scene.effects())

    async def _visit(self, folder: Path, scenery: Scenery) -> _Seen:
        """Make the attempts that belong behind one wall."""
        async with Scene(folder / secrets.token_hex(4)) as scene:
            granted = {
                "default": Permissions(),
                "hosts": Permissions(network=(f"localhost:{scene.granted_port}",)),
                "programs": Permissions(spawn=True),
            }[scenery]
            policy = policy_for(probe_record(), granted, scene.paths)
            cause = dict(unenforced(policy, self._mechanisms)).get("hosts", "")
            if cause:
                return _Seen(cause=cause)
            wall = WallPlan(policy=policy, mechanisms=self._mechanisms, is_attended=False)
            threads = 0 if os.geteuid() == 0 else THREADS  # the kernel does not count root's
            question = scene.question(list(PROBES[scenery]), policy, threads=threads, wall=wall)
            answer = await self._ask(scene, wall, question)
            outcomes = judged_limits(_with_effects(answer.outcomes, scene.effects()), policy)
        failure = ""
        if not answer.stood or not answer.outcomes:
            failure = f"the wall could not be built: {answer.words or answer.exit.cause}"
        return _Seen(outcomes=outcomes, failure=failure)

    async def _ask(self, scene: Scene, wall: WallPlan | None, question: bytes) -> Answer:
        environ = {**os.environ, VARIABLE: scene.token}
        try:
            return await self._cells.ask(
                scene.paths, wall, target="attempts", question=question, environ=environ
            )
        except PluginBroken as error:
            return Answer(outcomes={}, stood=False, exit=Exit(None), words=error.message, first_ms=None)

    async def _cost(self, folder: Path) -> StartCost | None:
        """Measure real starts, with and without a wall in turn; None if one of them fails."""
        firsts: dict[bool, list[float]] = {False: [], True: []}
        async with Scene(folder / secrets.token_hex(4)) as scene:
            policy = policy_for(probe_record(), Permissions(), scene.paths)
            plan = WallPlan(policy=policy, mechanisms=self._mechanisms)
            with suppress(PluginBroken):
                for is_walled in (False, True) * self._starts:
                    wall = plan if is_walled else None
                    answer = await self._cells.ask(scene.paths, wall, target="hello")
                    firsts[is_walled] += [answer.first_ms] if answer.first_ms is not None else []
        bare, walled = firsts[False], firsts[True]
        if len(bare) + len(walled) < 2 * self._starts:
            return None
        added = [after - before for before, after in zip(bare, walled, strict=True)]
        return StartCost(*(round(statistics.median(times), 1) for times in (bare, walled, added)))


def _finding(name: str, bare: Outcomes, seen: _Seen) -> Finding:
    if seen.cause:
        return unseen(name, seen.cause)
    found = verdicts(name, bare, seen.outcomes)
    if seen.failure:
        return msgspec.structs.replace(found, text=seen.failure)
    if name == "limits" and found.verdict == "refused":
        return msgspec.structs.replace(found, text=limits_in_words(DEFAULT_LIMITS))
    return found


def _with_effects(outcomes: Outcomes, effects: Mapping[str, bool]) -> Outcomes:
    """Believe what shows in the scene more than what the cell says."""
    said = dict(outcomes)
    for name, had_effect in effects.items():
        if had_effect:
            said[name] = "done", "it had an effect"
        elif said.get(name, ("",))[0] == "done":
            said[name] = "refused", "it had no effect"
    return said
