"""The ladder that ends a plugin: nothing cuts it short, and nothing makes it endless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from tests.children.kit import DEATH_S, PATIENCE_S, install_obedient, prompt

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from tests.children.kit import Lifeline

pytestmark = pytest.mark.anyio


async def test_a_cancel_during_the_ladder_does_not_cut_it_short(
    paths: Paths, site: Path, lifeline: Lifeline
) -> None:
    """[P-6] Issue 3, 4: whoever stops a plugin may be cancelled; the plugin is gone all the same."""
    record = install_obedient(site, paths, lifeline, "spawn=any")
    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)
            deadline = Deadline(total_s=PATIENCE_S)
            async with session.open("model/prompt", prompt("child,deaf,hold"), deadline=deadline) as call:
                await anext(aiter(call))
                lifeline.wait_for("child")
            with anyio.CancelScope() as hurried:
                hurried.cancel()
                await supervisor.stop(session)

            assert session.has_ended
            lifeline.wait_until_all_are_dead(DEATH_S)


async def test_two_who_stop_one_plugin_both_see_its_end(paths: Paths, site: Path, lifeline: Lifeline) -> None:
    """Issue 3, 4: Ctrl-C and the end of the command may come together; one of the two is cancelled."""
    record = install_obedient(site, paths, lifeline)
    with anyio.fail_after(PATIENCE_S):
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervisor.stop, session)
                tasks.start_soon(supervisor.stop, session)
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()

            assert session.has_ended
            lifeline.wait_until_all_are_dead(DEATH_S)
