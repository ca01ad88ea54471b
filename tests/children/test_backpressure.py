"""A consumer that does not come back: the plugin is held up within its credit, and a cancel still works."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, Limits, PingParams
from tests.children.kit import PATIENCE_S, install_from_zoo, prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Call

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=2 * PATIENCE_S)

IN_THE_PLUGIN = 64 * 1024
"""What may wait in the plugin beside what it has sent, in bytes: a piece or two, or one that is being cut."""

IN_THE_HOST = 4 << 20
"""How many bytes of objects a window of small items may become in the host."""


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths) as running:
            yield running


async def said_at_rest(call: Call, folder: Path) -> int:
    """Wait until the plugin has said something and then nothing new for 50 looks; return how much."""
    looks: list[int] = []
    with anyio.fail_after(PATIENCE_S):
        while len(looks) < 50 or looks[-1] == 0 or len(set(looks[-50:])) > 1:
            assert not await call.done_within(0.01)
            text = (folder / "said").read_text("ascii") if (folder / "said").exists() else ""
            looks.append(int(text or 0))
    return looks[-1]


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("zoo", "text"),
        ("zoo", "long text"),
        ("zoo", "reasoning"),
        ("zoo", "parts"),
        ("zoo", "arguments"),
        ("zoo", "tool names"),
        ("async", "text"),
        ("async", "parts"),
    ],
)
async def test_a_plugin_whose_consumer_stays_away_says_no_more_than_its_credit(
    model: str, kind: str, supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """[P-42] [P-43] [P-46] Memory on both sides is bounded, and a cancel is answered (anchor 14)."""
    session = await supervisor.start(install_from_zoo(site, "streams"))
    window = Limits().window
    tracemalloc.start()
    try:
        async with session.open("model/prompt", prompt(kind, model), deadline=PATIENT) as call:
            said = await said_at_rest(call, paths.plugin_data("streams"))
            _, peak = tracemalloc.get_traced_memory()
            assert said < window + IN_THE_PLUGIN
            assert peak < IN_THE_HOST

            call.cancel("enough")
            assert await call.finish() is None
    finally:
        tracemalloc.stop()

    assert not session.has_ended
    assert session.failure is None


async def test_a_consumer_that_comes_back_gets_all_of_it_in_order(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """[P-43] [P-45] What waited was joined and is complete (anchors 16, 17)."""
    session = await supervisor.start(install_from_zoo(site, "streams"))
    word = "streams without end and without a pause, "
    async with session.open("model/prompt", prompt("text"), deadline=PATIENT) as call:
        said = await said_at_rest(call, paths.plugin_data("streams"))
        text = ""
        async for items in call:
            text += "".join(item.text for item in items if isinstance(item, Delta))
            if len(text) > 3 * said:
                break

    assert text == (word * (len(text) // len(word) + 1))[: len(text)]


async def test_another_call_of_the_same_plugin_is_not_reached_by_the_stall(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """[P-23] [P-48] The reader goes on: a ping is answered while the author's code is held up (anchor 15)."""
    session = await supervisor.start(install_from_zoo(site, "streams"))
    async with session.open("model/prompt", prompt("text"), deadline=PATIENT) as stalled:
        await said_at_rest(stalled, paths.plugin_data("streams"))
        await session.request("ping", PingParams(), timeout_s=PATIENCE_S)
        stalled.cancel("enough")
        await stalled.finish()

    async with session.open("model/prompt", prompt("stop"), deadline=PATIENT) as call:
        await call.finish()
