"""The run: every check in turn, one process at a time, every wait inside one bound."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.confinement import confine
from cellwall_kernel.conformance._checks import CHECKS
from cellwall_kernel.conformance._examples import example_checks
from cellwall_kernel.conformance._report import Report
from cellwall_kernel.conformance._scene import Scene, Subject
from cellwall_kernel.conformance._types import Broken, Evidence, Outcome, Skipped
from cellwall_kernel.conformance._words import members_of, redacted
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.launch import plan
from cellwall_kernel.process import refuse_full_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellwall_kernel.conformance._types import Check, Verdict
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.wall import WallPlan
    from cellwall_wire import AssetFile

__all__ = ["DEFAULT_PATIENCE_S", "DEFAULT_TEXT", "Conformance"]

DEFAULT_PATIENCE_S = 20.0
"""How long one answer may take (seconds): long enough for a model that is loaded first."""

ANSWERS_PER_CHECK = 4
"""A check may take as long as so many answers."""

ANSWERS_PER_RUN = 30
"""A run may take as long as so many answers; with a plugin that answers, it takes some seconds."""

DEFAULT_TEXT = "Repeat this to the last line.\n" + "\n".join(
    f"Line {number}: the quick brown fox jumps over the lazy dog." for number in range(1, 31)
)
"""The usual prompt: long enough for an answer that needs several lines."""


class Conformance:
    """A conformance run of one plugin.

    Args:
        record: the plugin.
        paths: the user folder.
        assets: its data files that are here.
        model: the name of the model to prompt; None for the first that needs no key.
        text: the prompt.
        patience_s: how long one answer may take, in seconds.
        checks: what is tried; None for every rule, and every example of the plugin's manifest.

    Raises:
        PluginBroken: the plugin cannot be started, for a reason known already.
        PluginError, StoreProblem: as for every start.
    """

    def __init__(
        self,
        record: PluginRecord,
        paths: Paths,
        *,
        assets: Mapping[str, AssetFile],
        model: str | None = None,
        text: str = DEFAULT_TEXT,
        patience_s: float = DEFAULT_PATIENCE_S,
        checks: Sequence[Check] | None = None,
    ) -> None:
        subject, wall = subject_of(record, paths, assets)
        self._secrets = granted_values(wall)
        self._wanted = model
        self._checks = [*CHECKS, *example_checks(record.manifest)] if checks is None else checks
        self._scene = Scene(subject, text=text, patience_s=patience_s)
        self._outcomes: list[Outcome] = []
        self._ends_at = 0.0

    def kill_now(self) -> None:
        """Have the process that runs killed, without waiting; safe in a signal handler."""
        child = self._scene.child
        if child is not None:
            child.kill_now()

    async def run(self) -> Report:
        """Try everything.

        Raises:
            PluginBroken: the plugin does not get through the first start.
        """
        scene = self._scene
        self._ends_at = time.monotonic() + ANSWERS_PER_RUN * scene.patience_s
        await self._begin()
        for is_shared in (False, True):
            chosen = [each for each in self._checks if each.run is not None and each.is_shared is is_shared]
            await (self._try_shared(chosen) if is_shared else self._try_each(chosen))
        self._outcomes += [self._watched(each) for each in self._checks if each.run is None]
        order = {check.id: number for number, check in enumerate(self._checks)}
        return Report(
            plugin=scene.subject.record.name,
            version=scene.subject.record.version,
            model=scene.model.id if scene.model is not None else None,
            outcomes=sorted(self._outcomes, key=lambda outcome: order[outcome.check.id]),
            log=scene.log.last_lines(),
        )

    async def _begin(self) -> None:
        """Start the plugin once and learn what it offers; a bad description is left to the checks."""
        scene, name = self._scene, self._scene.subject.record.name
        async with scene.new() as peer:
            try:
                told = await scene.greet(peer)
            except Broken as problem:
                raise self._unstartable(problem.evidence.came) from problem
            load_error = members_of(told.get("load_error"))
            if load_error:
                raise PluginBroken(
                    name,
                    f"plugin '{name}' cannot be loaded: {load_error.get('message')}",
                    detail=str(load_error.get("traceback") or ""),
                )
            with suppress(Broken):
                members = await peer.result(peer.ask("plugin/describe"))
                scene.take_description(members, self._wanted)

    def _unstartable(self, came: str) -> PluginBroken:
        """Return the error for a plugin that does not get through `initialize`."""
        scene, name = self._scene, self._scene.subject.record.name
        wrote = [each.came for each in scene.witness.broken.values()]
        printed = scene.log.last_lines(1)
        remark = f" It wrote: {wrote[0]}" if wrote else f" It printed: {printed}" if printed else ""
        return PluginBroken(
            name,
            f"plugin '{name}' cannot be checked, because it does not start: {came}.{remark}",
            detail=scene.log.last_lines(),
        )

    async def _try_each(self, checks: Iterable[Check]) -> None:
        for check in checks:
            await self._try(check)

    async def _try_shared(self, checks: Sequence[Check]) -> None:
        """Try checks in one process, and in a new one after each that failed."""
        left = list(checks)
        while left:
            async with AsyncExitStack() as stack:
                try:
                    await stack.enter_async_context(self._scene.sharing())
                except Broken as problem:
                    check = left.pop(0)
                    self._enter(check, evidence=problem.evidence)
                    continue
                while left:
                    if not await self._try(left.pop(0)):
                        break

    async def _try(self, check: Check) -> bool:
        """Try one check; returns whether its process may be used further."""
        if check.run is None:
            return True
        limit_s = ANSWERS_PER_CHECK * self._scene.patience_s
        limit_s = min(limit_s, self._ends_at - time.monotonic())
        if limit_s <= 0:
            self._enter(check, why="the run has taken too long")
            return True
        is_over = True
        try:
            with anyio.move_on_after(limit_s):
                await check.run(self._scene)
                is_over = False
        except Broken as problem:
            self._enter(check, evidence=problem.evidence)
            return False
        except Skipped as reason:
            self._enter(check, why=str(reason))
            return True
        if is_over:
            self._enter(check, evidence=Evidence(check.what, f"no end after {limit_s:g} s"))
            return False
        self._enter(check)
        return True

    def _watched(self, check: Check) -> Outcome:
        witness = self._scene.witness
        evidence = witness.broken.get(check.id)
        if evidence is not None:
            return Outcome(check=check, verdict="failed", evidence=self._redacted(evidence))
        if check.id not in witness.seen:
            return Outcome(check=check, verdict="skipped", why="the plugin sent nothing of the kind")
        return Outcome(check=check, verdict="passed")

    def _enter(self, check: Check, *, evidence: Evidence | None = None, why: str | None = None) -> None:
        verdict: Verdict = "failed" if evidence is not None else "skipped" if why is not None else "passed"
        shown = None if evidence is None else self._redacted(evidence)
        self._outcomes.append(Outcome(check=check, verdict=verdict, evidence=shown, why=why))

    def _redacted(self, evidence: Evidence) -> Evidence:
        return Evidence(redacted(evidence.sent, self._secrets), redacted(evidence.came, self._secrets))


def subject_of(
    record: PluginRecord, paths: Paths, assets: Mapping[str, AssetFile]
) -> tuple[Subject, WallPlan | None]:
    """Plan the start of a plugin, exactly as for a prompt."""
    if record.problem is not None:
        raise PluginBroken(record.name, f"plugin '{record.name}' cannot be used: {record.problem}")
    data, scratch = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
    wall = confine(record, paths, files=[asset.path for asset in assets.values()])
    launch = plan(record, data=data, tmp=scratch, wall=wall)
    if wall is not None:
        refuse_full_folders(record.name, wall.policy)
    subject = Subject(
        record=record,
        launch=launch,
        log_path=str(paths.plugin_log(record.name)),
        data=data,
        scratch=scratch,
        assets=dict(assets),
    )
    return subject, wall


def granted_values(wall: WallPlan | None) -> tuple[str, ...]:
    """Return the values of the variables that a plugin was granted."""
    return () if wall is None else tuple(wall.policy.variables.values())
