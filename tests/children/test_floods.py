"""Plugins that send as much as they can of what costs no credit: the host stays small and serves others."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import PluginCrashed, PluginMisbehaved
from cellwall_kernel.process import compose, spawn
from cellwall_kernel.session import Deadline, ServiceCall, Session
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta, KeysGetResult, Limits
from tests.children.kit import PATIENCE_S, install_from_zoo, program, prompt, record_of
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from pathlib import Path

    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=2 * PATIENCE_S)
MIB = 1 << 20

MOST_BYTES = 4 * MIB
"""By how much the host's own objects may grow, whatever a plugin sends that is not data."""


async def key_service(call: ServiceCall) -> KeysGetResult:
    """Give every key but a slow one, which never comes."""
    if call.params.alias == "slow":
        await anyio.sleep_forever()
    return KeysGetResult(value="secret")


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths, services={"keys/get": key_service}) as running:
            yield running


@contextmanager
def little_memory() -> Generator[None]:
    """See to it that the host makes no more than MOST_BYTES of objects."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES


async def start(supervisor: Supervisor, name: str, folder: Path) -> Session:
    """Start a program and bring it through `initialize`."""
    spawned = spawn(program(name, folder))
    spawned.greet(compose(name, hello(), Limits()))
    return await supervisor.start(record_of(name), spawned=spawned)


async def text_of(session: Session, text: str, model: str = "zoo") -> str:
    """Prompt and return the answer's text."""
    found: list[str] = []
    async with session.open("model/prompt", prompt(text, model), deadline=PATIENT) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


@pytest.mark.parametrize(
    "what",
    ["pings", "unknown methods", "requests without a parent", "questions", "quick questions"],
)
async def test_a_plugin_that_asks_and_does_not_listen_is_stopped(
    what: str, supervisor: Supervisor, tmp_path: Path, site: Path
) -> None:
    """[P-22] [P-48] [P-51] Every request has an answer, and answers that nobody reads fill the memory."""
    bystander = await supervisor.start(install_from_zoo(site, "obeys"))
    session = await start(supervisor, "floods", tmp_path)

    with little_memory(), pytest.raises(PluginMisbehaved, match="asked more than it listened"):
        await text_of(session, what)

    assert await text_of(bystander, "10", model="count") == "".join(f"{number} " for number in range(10))


@pytest.mark.parametrize("what", ["ids that are none", "answers to nothing"])
async def test_messages_that_make_no_sense_count_as_junk(
    what: str, supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-15] [P-21] [P-22] A few are a mistake, and endlessly many are not (anchor 9)."""
    session = await start(supervisor, "floods", tmp_path)

    with little_memory(), pytest.raises(PluginMisbehaved, match="not a message"):
        await text_of(session, what)


@pytest.mark.parametrize(
    "what", ["progress", "unknown notifications", "control for nothing", "data for nothing", "blank lines"]
)
async def test_what_is_read_over_costs_no_memory_however_much_it_is(
    what: str, supervisor: Supervisor, tmp_path: Path, site: Path
) -> None:
    """[P-13] [P-49] [P-52] It is dropped as it comes; others are served meanwhile."""
    bystander = await supervisor.start(install_from_zoo(site, "obeys"))
    session = await start(supervisor, "floods", tmp_path)

    async with session.open("model/prompt", prompt(what), deadline=PATIENT) as call:
        with little_memory():
            while "16 MiB" not in session.last_lines():
                assert await text_of(bystander, "10", model="count") == "0 1 2 3 4 5 6 7 8 9 "
                assert not call.is_done
        session.kill_now()
        with pytest.raises(PluginCrashed, match="crashed"):
            await call.finish()


async def test_a_flood_on_stderr_without_a_newline_costs_a_bounded_part(
    supervisor: Supervisor, site: Path
) -> None:
    """[P-1] 16 MiB in one line: all of it is read, and the end is remembered (anchor 34)."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))
    orders = ["flood stderr"] * 4

    with little_memory():
        assert await text_of(session, ",".join(orders)) == " ".join(["begun", *orders])


async def test_questions_beyond_what_may_be_open_are_refused_and_all_are_answered(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """[P-22] 64 may be open (section 13); their parent's end cancels them, and then there is room again."""
    session = await start(supervisor, "asks_too_much", tmp_path)

    assert await text_of(session, "go") == ""
    assert await text_of(session, "go") == "Unavailable: 6Cancelled: 64a key: 1ids: 71"
