"""Plugins that crash again and again: what is repeated, what never is, and when they are not started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.breaker import CRASHES, Breaker
from cellwall_kernel.cli._answer_output import SilentOutput
from cellwall_kernel.errors import (
    CrashedAtStart,
    PluginBroken,
    PluginCrashed,
    Quarantined,
)
from cellwall_kernel.prompting.exchange import Cell, Exchange
from cellwall_kernel.prompting.log import PromptLog
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor, spawn_plugin
from tests.children.kit import PATIENCE_S, install_from_zoo, prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=PATIENCE_S)


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths) as running:
            yield running


class Heard(SilentOutput):
    """Shows an answer to nobody, and knows when it begins."""

    def __init__(self) -> None:
        super().__init__(hide_reasoning=False)
        self.begins = anyio.Event()

    async def text(self, text: str) -> None:
        self.begins.set()
        await super().text(text)


def notes(paths: Paths, record: PluginRecord) -> list[str]:
    """What the plugin has noted, in order."""
    return (paths.plugin_data(record.name) / "notes").read_text("utf-8").split()


async def ask(supervisor: Supervisor, paths: Paths, record: PluginRecord) -> Exchange:
    """Prompt as a command does: the process is started first."""
    exchange = Exchange(PromptLog(None, is_kept=False), SilentOutput(hide_reasoning=False))
    cell = Cell(record=record, assets={}, spawned=spawn_plugin(record, paths, assets={}))
    await exchange.run(supervisor, cell, prompt("hi", "loops"), PATIENT)
    return exchange


async def test_a_start_that_crashes_is_repeated_once(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Statement 28: nothing was asked of it yet, so the user gets an answer and hears of nothing."""
    record = install_from_zoo(site, "loops", point="start", times="1")

    exchange = await ask(supervisor, paths, record)

    assert (None, "well") == (exchange.problem, exchange.arrivals.text)
    assert ["start", "start", "register", "prompt"] == notes(paths, record)


async def test_a_start_that_crashes_twice_is_told(supervisor: Supervisor, site: Path, paths: Paths) -> None:
    """Statement 29: one repetition, not a loop."""
    record = install_from_zoo(site, "loops", point="start", times="9")

    exchange = await ask(supervisor, paths, record)

    assert isinstance(exchange.problem, CrashedAtStart)
    assert "crashing at start" in exchange.problem.detail
    assert ["start", "start"] == notes(paths, record)


async def test_a_description_that_crashes_is_asked_for_once_more(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """[P-54] Statement 28: the protocol calls `plugin/describe` repeatable."""
    record = install_from_zoo(site, "loops", point="register", times="1")

    described = await supervisor.describe(record)

    assert ["loops"] == [model.id for model in described.models]
    assert ["start", "register"] * 2 == notes(paths, record)


@pytest.mark.parametrize("point", ["start", "register"])
async def test_no_description_costs_more_than_two_starts(
    supervisor: Supervisor, site: Path, paths: Paths, point: str
) -> None:
    """Statement 29: the repetition of the start and that of the question do not multiply."""
    record = install_from_zoo(site, "loops", point=point, times="9")

    with pytest.raises((CrashedAtStart, PluginCrashed)):
        await supervisor.describe(record)

    assert 2 == notes(paths, record).count("start")


async def test_a_prompt_is_never_repeated(supervisor: Supervisor, site: Path, paths: Paths) -> None:
    """[P-54] Statement 28: it was written to a plugin that was ready, and may have been paid for."""
    record = install_from_zoo(site, "loops", point="prompt", times="1")

    exchange = await ask(supervisor, paths, record)

    assert isinstance(exchange.problem, PluginCrashed)
    assert ["start", "register", "prompt"] == notes(paths, record)


async def test_after_three_crashes_nothing_is_started_any_more(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Statement 29: neither for a prompt nor for a description, and by no other command."""
    record = install_from_zoo(site, "loops", point="prompt", times="9")
    for _ in range(CRASHES):
        assert isinstance((await ask(supervisor, paths, record)).problem, PluginCrashed)

    with pytest.raises(Quarantined):
        await ask(supervisor, paths, record)
    with pytest.raises(Quarantined):
        await supervisor.describe(record)
    async with Supervisor(paths) as another:
        with pytest.raises(Quarantined):
            await another.start(record)

    assert CRASHES == notes(paths, record).count("start")


async def test_crashes_at_the_start_open_the_breaker_without_a_last_try(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Statement 29: the crash that opens the breaker is told as itself, and is not repeated."""
    record = install_from_zoo(site, "loops", point="start", times="9")
    problems = [type((await ask(supervisor, paths, record)).problem) for _ in range(2)]

    assert [CrashedAtStart, CrashedAtStart] == problems
    assert CRASHES == len(notes(paths, record))
    assert Breaker(paths).quarantine(record) is not None


async def test_an_import_that_fails_is_told_in_full_every_time(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Kernel policy, anchor 44: it is the same each time, and its author needs file and line."""
    record = install_from_zoo(site, "raises_at_import")
    for _ in range(2 * CRASHES):
        with pytest.raises(PluginBroken, match=r"zoo_raises_at_import\.py"):
            await supervisor.describe(record)

    assert not paths.crashes.exists()


async def test_what_its_caller_ends_is_not_a_crash(supervisor: Supervisor, site: Path, paths: Paths) -> None:
    """Kernel policy: a plugin that is killed because nobody wants its answer has done nothing wrong."""
    record = install_from_zoo(site, "obeys", lifeline="")
    for _ in range(CRASHES):
        sink = Heard()
        exchange = Exchange(PromptLog(None, is_kept=False), sink)
        cell = Cell(record=record, assets={}, spawned=spawn_plugin(record, paths, assets={}))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.run, supervisor, cell, prompt("deaf,hold"), PATIENT)
            await sink.begins.wait()
            tasks.cancel_scope.cancel()
            supervisor.kill_now()

    assert not paths.crashes.exists()
