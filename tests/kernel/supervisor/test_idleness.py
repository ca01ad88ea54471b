"""Plugins that have nothing to do are stopped, unless they are held; the user sees that, and can end it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import PluginCrashed
from cellwall_kernel.supervisor.holds import MOST_S, current_holds, release
from tests.kernel.supervisor.stage import Stage, scripted, staged

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

IDLE_S = 0.05
LONG_MS = 1_000_000
ME = ["say", "ME"]
HOLD = ["hold", "the weights\x1b[2J are loaded", LONG_MS]


async def stopped(stage: Stage, name: str = "a") -> None:
    """Wait until a plugin has been stopped, as nobody asked for."""
    for session in list(stage.supervisor._sessions):
        if session.plugin == name:
            await session._is_over.wait()


async def outlive_another(stage: Stage) -> None:
    """Wait until another plugin, which became idle only now, was stopped for that."""
    await stage.text("other", [ME])
    await stopped(stage, "other")


async def test_an_idle_plugin_is_stopped_and_started_again_when_needed(paths: Paths, site: Path) -> None:
    """[P-74] Anchor 27."""
    async with staged(paths, scripted(site, "a"), idle_stop_s=IDLE_S) as stage:
        first = await stage.text("a", [ME])
        await stopped(stage)

        assert first != await stage.text("a", [ME])


async def test_an_open_call_and_its_nested_one_are_no_idleness(paths: Paths, site: Path) -> None:
    """Anchor 27: open calls hold a plugin, those that wait included."""
    records = [scripted(site, name) for name in ("a", "b", "other")]
    async with (
        staged(paths, *records, idle_stop_s=IDLE_S) as stage,
        stage.call("a", [["ask", "b", [["wait"]]]]),
    ):
        await stage.busy("b")
        await outlive_another(stage)
        kept = [session.plugin for session in stage.supervisor._sessions if not session.has_ended]

    assert ["a", "b"] == kept


async def test_a_hold_keeps_an_idle_plugin_and_is_there_for_all_to_see(paths: Paths, site: Path) -> None:
    """[P-74] The file tells which process holds what, until when, and why, without control characters."""
    async with staged(paths, scripted(site, "a"), scripted(site, "other"), idle_stop_s=IDLE_S) as stage:
        assert await stage.text("a", [HOLD]) == str(LONG_MS)
        first = await stage.text("a", [ME])
        await outlive_another(stage)
        (holding,) = current_holds(paths)

        assert ("a", os.getpid()) == (holding.plugin, holding.pid)
        assert holding.sentence.startswith(f"held by process {os.getpid()} until ")
        assert holding.sentence.endswith(": the weights [2J are loaded")
        assert first == await stage.text("a", [ME])
    assert [] == current_holds(paths)
    assert [] == list((paths.root / "holds").iterdir())


async def test_a_hold_is_capped_and_a_new_one_replaces_the_one_before(paths: Paths, site: Path) -> None:
    """[P-74] An hour at most; with 0 there is none any more."""
    async with staged(paths, scripted(site, "a"), idle_stop_s=IDLE_S) as stage:
        assert await stage.text("a", [["hold", "x", 10**12]]) == str(round(MOST_S * 1000))
        assert await stage.text("a", [HOLD, HOLD]) == f"{LONG_MS}" * 2
        assert len(current_holds(paths)) == 1
        assert await stage.text("a", [["hold", "", 0]]) == "0"
        assert [] == current_holds(paths)
        await stopped(stage)


async def test_a_hold_ends_by_itself(paths: Paths, site: Path) -> None:
    """[P-74] Its time is over, and nothing else has happened."""
    async with staged(paths, scripted(site, "a"), idle_stop_s=IDLE_S) as stage:
        await stage.text("a", [["hold", "x", 100]])
        await stopped(stage)

        assert [] == current_holds(paths)


async def test_the_user_ends_a_hold_from_another_process(paths: Paths, site: Path) -> None:
    """[P-74] Anchor 27: the process that keeps the plugin notices, and stops it."""
    code = (
        "import sys, pathlib\n"
        "from cellwall_kernel.paths import Paths\n"
        "from cellwall_kernel.supervisor.holds import release\n"
        "print(*(holding.pid for holding in release(Paths(pathlib.Path(sys.argv[1])), 'a')))\n"
    )
    async with staged(paths, scripted(site, "a"), idle_stop_s=1000) as stage:
        await stage.text("a", [HOLD])
        done = await anyio.run_process([sys.executable, "-c", code, str(paths.root)])
        await stopped(stage)

    assert f"{os.getpid()}\n" == done.stdout.decode()


async def test_a_plugin_that_crashes_while_it_is_held_is_held_no_more(paths: Paths, site: Path) -> None:
    """[P-74] The file does not outlive what it is about."""
    async with staged(paths, scripted(site, "a"), idle_stop_s=1000) as stage:
        with pytest.raises(PluginCrashed):
            await stage.text("a", [HOLD, ["crash"]])

        assert [] == current_holds(paths)


async def test_another_plugins_hold_is_not_ended(paths: Paths, site: Path) -> None:
    """Kernel policy: `release` is about one plugin."""
    async with staged(paths, scripted(site, "a"), scripted(site, "b")) as stage:
        await stage.text("a", [HOLD])
        await stage.text("b", [HOLD])
        release(paths, "a")

        assert ["b"] == [holding.plugin for holding in current_holds(paths)]


def test_the_hold_of_a_process_that_died_is_forgotten(paths: Paths) -> None:
    """Anchor 27: it is known by its id and its start, and its file is removed by who finds it."""
    code = (
        "import os, signal, sys, pathlib\n"
        "from cellwall_kernel.paths import Paths\n"
        "from cellwall_kernel.supervisor.holds import Hold\n"
        "Hold.begin(Paths(pathlib.Path(sys.argv[1])), 'a', 'why', 1000000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(paths.root)], timeout=60, check=False)
    folder = paths.root / "holds"

    assert len(list(folder.iterdir())) == 1
    assert [] == current_holds(paths)
    assert [] == list(folder.iterdir())
