"""Items from the host to a plugin: the answers to its own calls, and the input of calls to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import CallFailed, DeadlineExceeded
from cellwall_kernel.session import Deadline
from cellwall_wire import Delta, EmbedParams, EmbedText, PromptResult, Vector
from tests.kernel.session.talk import PATIENT, says, talking

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Call, Handler, ServiceCall

pytestmark = pytest.mark.anyio

BATCH_LETTERS = 100_000
MOST_LETTERS = 2_000_000
"""More than a pipe, the outbox and a batch hold together."""


async def test_a_streaming_answer_arrives_whole_within_small_credit(tmp_path: Path, paths: Paths) -> None:
    """[P-42] [P-44] Long texts are cut to the longest line, and the plugin's credit is kept (anchor 14)."""

    async def write(call: ServiceCall) -> PromptResult:
        for _ in range(10):
            await call.send([Delta(part=0, text="é" * BATCH_LETTERS), Delta(part=0, text="x")])
        return PromptResult(finish="stop")

    handlers: dict[str, Handler] = {"host/prompt": write}
    async with talking("takes_a_stream", tmp_path, paths, handlers) as session:
        (told,) = await says(session, {"first": 131_072, "more": 65_536})

    letters, lines, items = json.loads(told)
    assert letters == 10 * (BATCH_LETTERS + 1)
    assert lines >= letters * 2 // 65_536
    assert items >= 20


async def test_a_plugin_that_grants_much_and_reads_nothing_stops_the_stream(
    tmp_path: Path, paths: Paths
) -> None:
    """Issue 3, anchor 15: credit is a promise about the plugin's memory, the pipe is the truth about ours."""
    sent = 0

    async def write(call: ServiceCall) -> PromptResult:
        nonlocal sent
        while sent < 100 * MOST_LETTERS:
            await call.send([Delta(part=0, text="x" * BATCH_LETTERS)])
            sent += BATCH_LETTERS
        return PromptResult(finish="stop")

    handlers: dict[str, Handler] = {"host/prompt": write}
    async with talking("takes_a_stream", tmp_path, paths, handlers) as session:
        with pytest.raises(DeadlineExceeded):
            await says(session, {"first": 1 << 39, "more": 0}, Deadline(total_s=1.0))

    assert 0 < sent < MOST_LETTERS


async def test_an_error_after_items_says_how_many_came(tmp_path: Path, paths: Paths) -> None:
    """[P-53] What arrived stays valid."""

    async def fail(call: ServiceCall) -> PromptResult:
        await call.send([Delta(part=0, text="a"), Delta(part=0, text="b")])
        raise CallFailed("other", "the model is tired.", kind="Overloaded")

    handlers: dict[str, Handler] = {"host/prompt": fail}
    async with talking("takes_a_stream", tmp_path, paths, handlers) as session:
        (told,) = await says(session, {"first": 131_072, "more": 1})

    letters, _, data = json.loads(told)
    assert letters == 2
    assert (data["kind"], data["items_sent"]) == ("Overloaded", 2)


async def feed(call: Call, texts: int, letters: int, fed: list[int] | None = None) -> None:
    """Feed texts and the end; `fed` takes the length of each that went out."""
    for number in range(texts):
        await call.feed([EmbedText(id=str(number), text="x" * letters)])
        if fed is not None:
            fed.append(letters)
    await call.end_input()


async def lengths(call: Call, texts: int, letters: int) -> list[int]:
    """Feed texts, and return what the plugin says about each, while they go out."""
    found: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed, call, texts, letters)
        async for items in call:
            found += [int(item.id) for item in items if isinstance(item, Vector)]
    return found


@pytest.mark.parametrize(("order", "letters"), [("each", 30_000), ("tiny", 10)])
async def test_an_input_goes_out_as_the_plugin_takes_it(
    tmp_path: Path, paths: Paths, order: str, letters: int
) -> None:
    """[P-55] [P-56] All credit comes from the callee, the first when it begins; the last line says `end`."""
    async with talking("takes_input", tmp_path, paths, {}) as session:
        async with session.open("embed/batch", EmbedParams(model=order), deadline=PATIENT) as call:
            found = await lengths(call, 40, letters)
        result = call.result

    assert found == [letters] * 40
    assert result.items == 40


async def test_a_plugin_may_answer_before_the_input_has_ended(tmp_path: Path, paths: Paths) -> None:
    """[P-56] What was still to be sent is dropped, and nothing fails."""
    async with talking("takes_input", tmp_path, paths, {}) as session:
        async with session.open("embed/batch", EmbedParams(model="early"), deadline=PATIENT) as call:
            found = await lengths(call, 1000, 30_000)
        result = call.result

    assert len(found) == result.items < 1000


async def test_feeding_fails_as_the_call_fails(tmp_path: Path, paths: Paths) -> None:
    """[P-56] An error is an answer, too; who feeds learns of it."""
    params = EmbedParams(model="refuses")
    async with (
        talking("takes_input", tmp_path, paths, {}) as session,
        session.open("embed/batch", params, deadline=PATIENT) as call,
    ):
        with pytest.raises(CallFailed, match="the model is tired"):
            await feed(call, 1000, 30_000)


@pytest.mark.parametrize("order", ["never", "absurd"])
async def test_a_plugin_that_takes_no_input_runs_into_the_deadline_of_its_call(
    tmp_path: Path, paths: Paths, order: str
) -> None:
    """[P-50] [P-55] Neither no credit nor half a terabyte of it fills the host's memory or hangs it."""
    fed: list[int] = []
    async with talking("takes_input", tmp_path, paths, {}) as session:
        deadline = Deadline(total_s=1.0)
        async with session.open("embed/batch", EmbedParams(model=order), deadline=deadline) as call:
            with pytest.raises(DeadlineExceeded):
                await feed(call, MOST_LETTERS, 50_000, fed)

    assert sum(fed) < MOST_LETTERS


async def test_an_input_item_that_fits_no_line_is_refused_and_the_others_go_on(
    tmp_path: Path, paths: Paths
) -> None:
    """[P-44] [P-11] A text that is to be embedded cannot be cut: that one call is told, and not broken."""
    params = EmbedParams(model="each")
    async with (
        talking("takes_input", tmp_path, paths, {}) as session,
        session.open("embed/batch", params, deadline=PATIENT) as call,
    ):
        with pytest.raises(CallFailed, match="limit is 65536"):
            await call.feed([EmbedText(id="x", text="x" * 70_000)])
        found = await lengths(call, 2, 5)

    assert found == [5, 5]
