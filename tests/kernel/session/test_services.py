"""A plugin's calls to the host: the store and questions, asked by a program that writes its lines by hand."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from cellwall_kernel.prompting.asking import AskService
from cellwall_kernel.prompting.stored import StoreService
from cellwall_kernel.session import Deadline
from cellwall_wire import Delta, Empty
from tests.children.kit import PATIENCE_S, grant, prompt, record_of
from tests.kernel.session.talk import PATIENT, Person, says, talking, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Handler, ServiceCall, Session

pytestmark = pytest.mark.anyio

PROGRAM = "calls_services"
QUESTION = ["user/ask", {"kind": "text", "message": "Why?"}]


@asynccontextmanager
async def served(tmp_path: Path, paths: Paths, **more: Handler) -> AsyncGenerator[Session]:
    """A session with the store behind it, and whatever else the test brings."""
    store = StoreService(paths)
    try:
        handlers = store.handlers | {name.replace("_", "/"): handler for name, handler in more.items()}
        async with talking(PROGRAM, tmp_path, paths, handlers) as session:
            yield session
    finally:
        store.close()


def kept(*calls: list[Any], **orders: Any) -> dict[str, Any]:
    """Return orders to make calls one after the other."""
    return {"calls": list(calls), "at_once": 1, **orders}


async def test_a_value_that_was_stored_is_read_listed_and_forgotten(tmp_path: Path, paths: Paths) -> None:
    """[P-72] Any JSON value is one, null too; what is not there is not found, and deleting it is no error."""
    async with served(tmp_path, paths) as session:
        told = await says(
            session,
            kept(
                ["store/get", {"key": "a"}],
                ["store/set", {"key": "a", "value": None}],
                ["store/set", {"key": "ab", "value": {"deep": [1, "é"]}}],
                ["store/get", {"key": "a"}],
                ["store/get", {"key": "ab"}],
                ["store/list", {"prefix": "a"}],
                ["store/delete", {"key": "a"}],
                ["store/delete", {"key": "a"}],
                ["store/list", {}],
            ),
        )

    assert [json.loads(line) for line in told] == [
        {"found": False},
        {},
        {},
        {"found": True},
        {"found": True, "value": {"deep": [1, "é"]}},
        {"keys": ["a", "ab"]},
        {},
        {},
        {"keys": ["ab"]},
    ]


async def test_a_value_outlives_the_process_and_is_the_plugins_own(tmp_path: Path, paths: Paths) -> None:
    """[P-72] A file of the host's, private, outside of the folders that the plugin can reach."""
    async with served(tmp_path, paths) as session:
        await says(session, kept(["store/set", {"key": "a", "value": 1}]))
    async with served(tmp_path, paths) as session:
        told = await says(session, kept(["store/get", {"key": "a"}]))

    assert told == ['{"found": true, "value": 1}']
    file = paths.plugin_store(PROGRAM)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not file.is_relative_to(paths.plugin_data(PROGRAM))
    assert not file.is_relative_to(paths.plugin_tmp(PROGRAM))
    assert not paths.plugin_store("other").exists()


async def test_what_is_too_large_is_refused_and_the_quota_holds(tmp_path: Path, paths: Paths) -> None:
    """[P-72] A key has 512 bytes, a value 1 MiB, all together 16 MiB; what is replaced counts once."""
    large = "x" * ((1 << 20) - 2)
    async with served(tmp_path, paths) as session:
        bounds = await says(
            session,
            kept(
                ["store/set", {"key": "é" * 256, "value": 1}],
                ["store/set", {"key": "é" * 256 + "x", "value": 1}],
                ["store/set", {"key": "a", "value": large + "x"}],
            ),
        )
        fills = [["store/set", {"key": f"k{number}", "value": large}] for number in range(15)]
        filled = [line for call in fills for line in await says(session, kept(call))]
        last = ["store/set", {"key": "last", "value": large}]
        full = await says(session, kept(last, fills[0], ["store/delete", {"key": "k1"}]))
        free = await says(session, kept(last))

    assert bounds == ["{}", "TooLarge", "TooLarge"]
    assert filled == ["{}"] * 15
    assert full == ["QuotaExceeded", "{}", "{}"]
    assert free == ["{}"]


async def test_a_store_that_cannot_be_opened_is_an_error_answer(tmp_path: Path, paths: Paths) -> None:
    """Kernel policy: a full disk or a folder that cannot be written costs an answer, not the session."""
    paths.plugin_store(PROGRAM).mkdir()
    async with served(tmp_path, paths) as session:
        told = await says(session, kept(["store/set", {"key": "a", "value": 1}], ["store/get", {"key": "a"}]))
        paths.plugin_store(PROGRAM).rmdir()
        told += await says(session, kept(["store/set", {"key": "a", "value": 1}]))

    assert told == ["Unavailable", "Unavailable", "{}"]


async def test_two_hosts_that_write_lose_no_value(tmp_path: Path, paths: Paths) -> None:
    """[P-72] Processes that write at the same time do not lose each other's keys."""
    told: list[str] = []

    async def write(letter: str, session: Session) -> None:
        calls = [["store/set", {"key": f"{letter}{number}", "value": number}] for number in range(50)]
        told.extend(await says(session, {"calls": calls}))

    async with served(tmp_path, paths) as one, served(tmp_path, paths) as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, "a", one)
            tasks.start_soon(write, "b", other)
        (keys,) = await says(one, kept(["store/list", {}]))

    assert told == ["{}"] * 100
    assert len(json.loads(keys)["keys"]) == 100


async def test_a_thousand_calls_of_one_plugin_finish(tmp_path: Path, paths: Paths) -> None:
    """Issue 3: all of 1,000 calls are answered, 64 open at a time."""
    calls = [["store/set", {"key": f"k{number % 10}", "value": number}] for number in range(1000)]
    async with served(tmp_path, paths) as session:
        told = await says(session, {"calls": calls, "at_once": 64})

    assert told == ["{}"] * 1000


async def test_of_more_than_64_open_calls_the_rest_is_refused(tmp_path: Path, paths: Paths) -> None:
    """[P-22] Each gets its one answer (anchor 16), the 65th a refusal; who waits is not disturbed."""
    release = anyio.Event()

    async def wait(_call: ServiceCall) -> Empty:
        await release.wait()
        return Empty()

    orders = {"calls": [["store/delete", {"key": "x"}]] * 70, "at_once": 70}
    found: list[str] = []
    async with talking(PROGRAM, tmp_path, paths, {"store/delete": wait}) as session:
        params = prompt(json.dumps(orders))
        async with session.open("model/prompt", params, deadline=PATIENT) as call:
            await until(lambda: call.progress is not None and call.progress.done == 6)  # so many refused
            release.set()
            async for items in call:
                found += [item.text.strip() for item in items if isinstance(item, Delta)]

    assert sorted(found) == ["Unavailable"] * 6 + ["{}"] * 64


@pytest.mark.parametrize("method", ["store/get", "user/ask", "plugin/hold"])
async def test_a_call_without_a_parent_is_refused(tmp_path: Path, paths: Paths, method: str) -> None:
    """[P-51] Whoever asks the host says on whose behalf."""
    params = {"key": "a", "kind": "text", "message": "m", "reason": "r", "max_ms": 1}
    async with served(tmp_path, paths, user_ask=AskService(paths, Person()).ask) as session:
        told = await says(session, kept([method, params], without="parent"))

    assert told == ["NoParent"]


async def test_a_call_for_a_parent_that_was_answered_is_refused(tmp_path: Path, paths: Paths) -> None:
    """[P-51] When the parent is over, nobody waits for the answer; nothing is stored."""
    async with served(tmp_path, paths) as session:
        assert await says(session, kept(["store/set", {"key": "late", "value": 1}], after=True)) == []
        await until(lambda: session.has_ended)  # it ends by itself, once it was refused

    assert not paths.plugin_store(PROGRAM).exists()


async def test_a_call_that_the_plugin_cancels_is_answered_so(tmp_path: Path, paths: Paths) -> None:
    """[P-46] Cancelled calls, too, get one answer (anchor 20); the question is gone."""
    person = Person(moment_s=PATIENCE_S)
    grant(paths, record_of(PROGRAM), "host=ask")
    async with served(tmp_path, paths, user_ask=AskService(paths, person).ask) as session:
        told = await says(session, kept(QUESTION, cancels=True))

    assert told == ["Cancelled"]
    assert len(person.asked) <= 1


async def test_a_question_needs_a_grant_and_its_user_learns_how_to_give_it(
    tmp_path: Path, paths: Paths
) -> None:
    """[P-69] Refused with NotGranted, and told in one line with the command that allows it."""
    person = Person()
    async with served(tmp_path, paths, user_ask=AskService(paths, person).ask) as session:
        told = await says(session, kept(QUESTION, QUESTION))
        sentences = [refusal.sentence(PROGRAM) for refusal in session.refusals]

    assert told == ["NotGranted", "NotGranted"]
    assert person.asked == []
    (sentence,) = sentences
    assert sentence.startswith(f"plugin '{PROGRAM}' tried to ask you a question, which it was not granted")
    assert sentence.endswith(f"'llm plugins grant {PROGRAM} host=ask' allows it.")


async def test_questions_are_asked_one_at_a_time_and_cost_the_plugin_no_time(
    tmp_path: Path, paths: Paths
) -> None:
    """[P-73] The time that the user takes counts against no deadline: here it is longer."""
    person = Person(moment_s=0.3)
    grant(paths, record_of(PROGRAM), "host=ask")
    questions = [["user/ask", {"kind": "text", "message": f"m{number}"}] for number in range(8)]
    async with served(tmp_path, paths, user_ask=AskService(paths, person).ask) as session:
        told = await says(session, {"calls": questions}, Deadline(total_s=1.5, first_s=1.0, idle_s=1.0))

    assert [json.loads(line)["value"] for line in told] == [f"m{number}" for number in range(8)]
    assert person.most_at_once == 1
    assert {question.plugin for question in person.asked} == {PROGRAM}


async def test_nobody_to_ask_and_unknown_kinds_are_unavailable_at_once(tmp_path: Path, paths: Paths) -> None:
    """[P-73] No plugin waits for an answer that cannot come, and none fails over a newer kind."""
    grant(paths, record_of(PROGRAM), "host=ask")
    unknown = ["user/ask", {"kind": "video", "message": "m"}]
    async with served(tmp_path, paths, user_ask=AskService(paths, None).ask) as session:
        alone = await says(session, kept(QUESTION))
    async with served(tmp_path, paths, user_ask=AskService(paths, Person()).ask) as session:
        told = await says(session, kept(unknown, ["user/ask", {"kind": "select", "message": "m"}]))

    assert alone == ['{"action": "unavailable"}']
    assert told == ['{"action": "unavailable"}', "InvalidParams"]
