"""How a plugin and the host meet, with programs that are mute, older or newer than the host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import DeadlineExceeded, PluginCrashed
from cellwall_kernel.process import compose, spawn
from cellwall_kernel.session import Deadline, Session
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, DescribeParams, Limits, UnknownItem
from tests.children.kit import PATIENCE_S, program, prompt, record_of
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=PATIENCE_S)
SHORT_S = 3.0
"""How long a mute plugin is waited for: long enough that it has said on stderr what it waits for."""


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths) as running:
            yield running


async def start(supervisor: Supervisor, name: str, folder: Path, timeout_s: float | None = None) -> Session:
    """Start a program and bring it through `initialize`."""
    spawned = spawn(program(name, folder))
    spawned.greet(compose(name, hello(), Limits()))
    return await supervisor.start(record_of(name), spawned=spawned, timeout_s=timeout_s)


async def test_a_mute_plugin_fails_with_its_last_words_and_disturbs_nobody(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-34] Issue 3, anchor 2: what it waits for stands in the error; an answer of another one goes on."""
    bystander = await start(supervisor, "streams_within_credit", tmp_path)
    async with bystander.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        answer = aiter(call)
        assert await anext(answer)

        with pytest.raises(DeadlineExceeded) as caught:
            await start(supervisor, "asks_for_a_password", tmp_path, SHORT_S)

        for _ in range(100):
            assert await anext(answer)
    assert "did not finish loading within 3 s" in caught.value.message
    assert caught.value.detail == "password for the vault:"


async def test_how_long_a_mute_plugin_is_waited_for_is_a_setting(
    supervisor: Supervisor, tmp_path: Path, paths: Paths
) -> None:
    """[P-34] Issue 3, anchor 2: for this plugin, where ten seconds are usual."""
    paths.root.mkdir()
    timeouts = {"plugins": {"asks_for_a_password": {"start_s": SHORT_S}}}
    (paths.root / "config.json").write_text(json.dumps({"timeouts": timeouts}))

    with pytest.raises(DeadlineExceeded, match="did not finish loading within 3 s"):
        await start(supervisor, "asks_for_a_password", tmp_path)


async def test_what_neither_side_knows_changes_nothing(supervisor: Supervisor, tmp_path: Path) -> None:
    """[P-13] [P-35] Issue 3, anchor 5: features, members, items, words, methods, notifications."""
    session = await start(supervisor, "speaks_of_the_future", tmp_path)
    texts: list[str] = []
    unknown = 0

    async with session.open("model/prompt", prompt("hello", "echo"), deadline=PATIENT) as call:
        async for items in call:
            texts += [item.text for item in items if isinstance(item, Delta)]
            unknown += sum(isinstance(item, UnknownItem) for item in items)
    described = await session.request("plugin/describe", DescribeParams(), timeout_s=PATIENCE_S)
    await supervisor.stop(session)

    assert ("".join(texts), call.result.finish) == ("hello", "bored")
    assert unknown >= 1
    assert "echo" in [model.id for model in described.models]
    assert set(session.last_lines().splitlines()) == {"answered: -32601"}


async def test_a_crash_fails_all_calls_with_its_signal_and_the_last_twenty_lines(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-5] Issue 3, anchor 28: each call is told the cause, and nothing of an answer is lost."""
    session = await start(supervisor, "dies_of_many_calls", tmp_path)
    crashes: list[PluginCrashed] = []
    texts: list[str] = []

    async def ask() -> None:
        try:
            async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
                async for items in call:
                    texts.extend(item.text for item in items)
        except PluginCrashed as problem:
            crashes.append(problem)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)

    assert texts == ["one"]
    assert [crash.cause for crash in crashes] == ["signal SIGUSR1"] * 3
    for crash in crashes:
        assert crash.detail.splitlines() == [f"line {number}" for number in range(11, 31)]


async def test_a_plugin_that_never_says_goodbye_is_gone_after_the_last_step(
    supervisor: Supervisor, tmp_path: Path, paths: Paths
) -> None:
    """[P-6] [P-36] Issue 3, anchor 32: each step is bounded, and none is cut short by a cancellation."""
    session = await start(supervisor, "wants_goodbye_for_ever", tmp_path)

    with anyio.fail_after(8), anyio.CancelScope() as hurried:  # three steps of two seconds each
        hurried.cancel()
        await supervisor.stop(session)

    assert session.has_ended
    log = paths.plugin_log("wants_goodbye_for_ever").read_text("utf-8")
    assert log.splitlines()[-2:] == ["asked: shutdown", "heard: SIGTERM"]
