"""Programs that speak the protocol by hand and break it: what the host makes of each, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from cellwall_kernel.errors import (
    CallFailed,
    DeadlineExceeded,
    PluginBroken,
    PluginCrashed,
    PluginMisbehaved,
)
from cellwall_kernel.process import Spawned, compose, spawn
from cellwall_kernel.session import Deadline, Handler, ServiceCall, Session
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, KeysGetResult, Limits
from tests.children.kit import PATIENCE_S, program, prompt, record_of
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=PATIENCE_S)


async def key_service(call: ServiceCall) -> KeysGetResult:
    """Give every key but a slow one, which never comes."""
    if call.params.alias == "slow":
        await anyio.sleep_forever()
    return KeysGetResult(value="secret")


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    services: Mapping[str, Handler] = {"keys/get": key_service}
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths, services=services) as running:
            yield running


def greeted(name: str, folder: Path) -> Spawned:
    """Start a program and say the first word."""
    spawned = spawn(program(name, folder))
    spawned.greet(compose(name, hello(), Limits()))
    return spawned


async def start(supervisor: Supervisor, name: str, folder: Path) -> Session:
    """Start a program and bring it through `initialize`."""
    return await supervisor.start(record_of(name), spawned=greeted(name, folder))


async def texts(session: Session, deadline: Deadline = PATIENT) -> list[str]:
    """Prompt and return the text of every delta that arrived before the end or the error, which is raised."""
    found: list[str] = []
    async with session.open("model/prompt", prompt("go"), deadline=deadline) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return found


async def test_a_silent_program_fails_when_its_time_to_start_is_over(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-34] A plugin that says nothing costs its limit and no more (anchor 2)."""
    with pytest.raises(DeadlineExceeded, match=r"'silent' did not finish loading within 0\.3 s"):
        await supervisor.start(record_of("silent"), spawned=greeted("silent", tmp_path), timeout_s=0.3)


async def test_a_plugin_of_another_protocol_version_says_who_must_be_upgraded(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-32] An error without a way out is no help (anchor 1)."""
    with pytest.raises(PluginBroken, match=r"speaks version 7 .* speaks version 1; upgrade Cellwall\."):
        await start(supervisor, "wrong_version", tmp_path)


async def test_an_answer_in_a_version_that_was_not_offered_stops_the_plugin(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-30] Nothing that it says later could be trusted."""
    with pytest.raises(PluginMisbehaved, match="version 9"):
        await start(supervisor, "answers_in_another_version", tmp_path)


async def test_the_first_of_two_answers_counts_and_the_second_stops_the_plugin(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-22] Exactly one outcome for a call (anchor 18), whatever the plugin sends."""
    session = await start(supervisor, "answers_twice", tmp_path)

    assert await texts(session) == []
    with pytest.raises(PluginMisbehaved, match="answered h2 twice"):
        await texts(session)


async def test_an_endless_line_costs_its_cap_and_ends_only_that_plugin(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-11] A line without a newline must not fill the host's memory (anchor 10)."""
    bystander = await start(supervisor, "streams_within_credit", tmp_path)
    session = await start(supervisor, "endless_line", tmp_path)

    with pytest.raises(PluginMisbehaved, match="line longer than"):
        await texts(session)

    async with bystander.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        assert await anext(aiter(call))


async def test_data_beyond_the_credit_stops_the_plugin(supervisor: Supervisor, tmp_path: Path) -> None:
    """[P-42] Credit is a promise about the host's memory, so nobody may break it (anchor 14)."""
    session = await start(supervisor, "overdraws_credit", tmp_path)

    async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        assert await call.done_within(PATIENCE_S)  # nothing is taken, so nothing is granted
        with pytest.raises(PluginMisbehaved, match="granted"):
            await call.finish()


@pytest.mark.parametrize("name", ["miscounts_items", "skips_data"])
async def test_lost_items_are_an_error_and_not_a_shorter_answer(
    name: str, supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-40] [P-41] Items come gap-free and are counted (anchor 16)."""
    session = await start(supervisor, name, tmp_path)

    with pytest.raises(PluginMisbehaved, match="stopped: it"):
        await texts(session)


async def test_what_came_before_a_death_is_delivered_and_then_the_crash_is_told(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Nothing that arrived is lost, half a message is nothing."""
    session = await start(supervisor, "dies_mid_line", tmp_path)
    found: list[str] = []

    async def collect() -> None:
        async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
            async for items in call:
                found.extend(item.text for item in items)

    with pytest.raises(PluginCrashed, match="exit code 0"):
        await collect()

    assert found == ["one", "two"]


@pytest.mark.parametrize(("name", "end"), [("closes_stdout", "output"), ("closes_stdin", "input")])
async def test_a_plugin_that_closes_an_end_of_the_wire_and_lives_is_stopped(
    name: str, end: str, supervisor: Supervisor, tmp_path: Path
) -> None:
    """A child that nobody can talk to is no use alive (anchor 33)."""
    session = await start(supervisor, name, tmp_path)

    async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        while not await call.done_within(0.05):  # a closed input shows only when something is written
            session.open("model/prompt", prompt("more"), deadline=PATIENT)
        with pytest.raises(PluginMisbehaved, match=f"closed its {end}"):
            await call.finish()


async def test_a_grandchild_that_holds_the_output_delays_nothing(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """The end of the process ends the call, not the end of the pipe (anchor 33)."""
    session = await start(supervisor, "outlived_by_a_grandchild", tmp_path)

    with pytest.raises(PluginCrashed, match="exit code 3"), anyio.fail_after(3):
        await texts(session)


async def test_lines_that_are_no_messages_are_logged_and_skipped(
    supervisor: Supervisor, tmp_path: Path, paths: Paths
) -> None:
    """[P-15] A greeting printed by a wrapper costs nothing (anchor 9)."""
    session = await start(supervisor, "says_some_junk", tmp_path)

    assert await texts(session) == ["fine"]
    assert "Welcome to the plugin!" in paths.plugin_log("says_some_junk").read_text("utf-8")


async def test_a_flood_of_lines_that_are_no_messages_stops_the_plugin(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-15] What is tolerated has a limit (anchor 9)."""
    session = await start(supervisor, "floods_junk", tmp_path)

    with pytest.raises(PluginMisbehaved, match="not a message"):
        await texts(session)


async def test_a_cancelled_call_of_a_cooperative_plugin_ends_with_its_result(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Cancelling is answered, and what came first is kept (anchor 18)."""
    session = await start(supervisor, "sends_and_stalls", tmp_path)
    found: list[str] = []

    async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        async for items in call:
            found += [item.text for item in items]
            call.cancel("enough")

    assert found == ["one", "two"]
    assert (call.result.finish, call.cancelled) == ("cancelled", "enough")


async def test_a_plugin_that_ignores_a_cancel_is_gone_soon_and_the_call_returns(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-6] [P-46] Two seconds of grace, then the ladder: under seven in all (anchor 19)."""
    session = await start(supervisor, "ignores_cancel", tmp_path)

    with anyio.fail_after(7):
        async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
            async for _ in call:
                break  # leaving the block cancels
        await supervisor.stop(session)

    assert session.has_ended
    with pytest.raises(PluginMisbehaved, match="did not answer a cancelled call"):
        session.open("model/prompt", prompt("go"), deadline=PATIENT)


async def test_silence_after_the_first_item_is_limited(supervisor: Supervisor, tmp_path: Path) -> None:
    """[P-50] A call without an idle limit would hang as long as its total one (anchor 20)."""
    session = await start(supervisor, "sends_and_stalls", tmp_path)
    deadline = Deadline(total_s=PATIENCE_S, idle_s=0.2)

    with pytest.raises(DeadlineExceeded, match=r"sent nothing more for 0\.2 s"):
        await texts(session, deadline)
    assert not session.has_ended


async def test_silence_before_the_first_item_has_a_limit_of_its_own(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-50] Loading a model takes longer than a word, and may be limited by itself."""
    session = await start(supervisor, "reports_progress", tmp_path)

    with pytest.raises(DeadlineExceeded, match=r"sent nothing for 0\.05 s"):
        await texts(session, Deadline(total_s=PATIENCE_S, first_s=0.05))


async def test_progress_renews_the_limit_on_silence(supervisor: Supervisor, tmp_path: Path) -> None:
    """A plugin that says that it works is not silent."""
    session = await start(supervisor, "reports_progress", tmp_path)
    deadline = Deadline(total_s=PATIENCE_S, first_s=0.5)

    assert await texts(session, deadline) == ["ready"]


async def test_a_consumer_that_stops_reading_stops_the_plugin_within_its_credit(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-43] Credit is given back on consumption, not on arrival (anchor 14)."""
    session = await start(supervisor, "streams_within_credit", tmp_path)
    window = Limits().window
    async with session.open("model/prompt", prompt("go"), deadline=PATIENT) as call:
        with anyio.fail_after(PATIENCE_S):
            while "waiting" not in session.last_lines():
                await anyio.lowlevel.checkpoint()
        arrived = await anext(aiter(call))
        assert window // 4200 - 1 <= len(arrived) <= window // 4000

        for _ in range(4 * len(arrived)):  # and it goes on as soon as somebody takes
            await anext(aiter(call))


async def test_a_plugin_may_ask_the_host_only_on_behalf_of_an_open_call(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-51] Without a live parent there is nobody who pays for the answer (anchor 22)."""
    session = await start(supervisor, "calls_the_host", tmp_path)

    assert await texts(session) == ["{'value': 'secret'}", "NoParent", "{}"]


async def test_the_end_of_a_call_cancels_what_was_asked_for_it(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-51] A nested call never outlives its parent, and is answered all the same (anchor 22)."""
    session = await start(supervisor, "leaves_its_question", tmp_path)

    assert await texts(session) == []
    assert await texts(session) == ["Cancelled"]


async def test_a_plugin_that_wants_a_goodbye_gets_one(
    supervisor: Supervisor, tmp_path: Path, paths: Paths
) -> None:
    """[P-36] Some have state to save: `shutdown` comes before the end of the input (anchor 32)."""
    session = await start(supervisor, "wants_goodbye", tmp_path)

    await supervisor.stop(session)

    assert "asked: shutdown" in paths.plugin_log("wants_goodbye").read_text("utf-8")


async def test_a_request_that_is_too_large_fails_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    """[P-11] What cannot be sent costs one call; the connection is as it was (anchor 12)."""
    session = await start(supervisor, "sends_and_stalls", tmp_path)
    huge: Any = prompt("x" * (Limits().line + 1))

    with pytest.raises(CallFailed, match="limit") as caught:
        session.open("model/prompt", huge, deadline=PATIENT)

    assert caught.value.kind == "TooLarge"
    with pytest.raises(DeadlineExceeded):
        await texts(session, Deadline(total_s=PATIENCE_S, idle_s=0.1))
