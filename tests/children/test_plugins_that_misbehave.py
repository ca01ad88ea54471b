"""Plugins made with the SDK that misbehave, each in its real cell: bootstrap, keeper and all."""

from __future__ import annotations

import fcntl
import os
import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel import launch
from cellwall_kernel.confinement import confine
from cellwall_kernel.errors import (
    CallFailed,
    DeadlineExceeded,
    KeyProblem,
    PluginBroken,
    PluginCrashed,
)
from cellwall_kernel.process import compose, spawn
from cellwall_kernel.session import Deadline, Handler, ServiceCall, Session
from cellwall_kernel.supervisor import Supervisor, spawn_plugin
from cellwall_wire import AssetFile, Delta, Dirs, KeysGetResult, Limits
from tests.children.kit import DEATH_S, PATIENCE_S, grant, install_from_zoo, install_obedient, prompt
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from tests.children.kit import Lifeline

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=PATIENCE_S)


async def key_service(call: ServiceCall) -> KeysGetResult:
    """Know one key."""
    if call.params.alias != "zoo-key":
        raise KeyProblem(f"there is no key '{call.params.alias}'.")
    return KeysGetResult(value="open sesame")


@pytest.fixture
async def supervisor(paths: Paths, site: Path) -> AsyncIterator[Supervisor]:
    """A supervisor for the plugins in `site`; its end, too, is bounded."""
    handlers: dict[str, Handler] = {"keys/get": key_service}
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths, services=handlers) as running:
            yield running


async def say(session: Session, text: str, model: str = "zoo", deadline: Deadline = PATIENT) -> str:
    """Prompt and return the answer's text."""
    found: list[str] = []
    async with session.open("model/prompt", prompt(text, model), deadline=deadline) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


async def begun(session: Session, orders: str) -> None:
    """Prompt, wait until all orders but the last are carried out, and leave, which cancels."""
    *done, _ = orders.split(",")
    text = ""
    async with session.open("model/prompt", prompt(orders), deadline=PATIENT) as call:
        async for items in call:
            text += "".join(item.text for item in items if isinstance(item, Delta))
            if text == "".join(["begun", *(f" {order}" for order in done)]):
                break


async def test_an_error_at_import_names_its_file_and_line(supervisor: Supervisor, site: Path) -> None:
    """The author needs the place, the user one sentence (anchor 44)."""
    record = install_from_zoo(site, "raises_at_import")

    with pytest.raises(
        PluginBroken, match=r"ZeroDivisionError: .*zoo_raises_at_import\.py, line 6\)\.$"
    ) as caught:
        await supervisor.start(record)

    assert caught.value.message.count("ZeroDivisionError") == 1
    assert "Traceback" in caught.value.detail


async def test_an_exit_at_import_is_told_with_its_code(supervisor: Supervisor, site: Path) -> None:
    """`os._exit` leaves no traceback, so code and last line must do."""
    record = install_from_zoo(site, "exits_at_import")

    with pytest.raises(PluginBroken, match="ended with exit code 7 while it was being loaded") as caught:
        await supervisor.start(record)

    assert "about to leave" in caught.value.detail


async def test_a_plugin_that_dies_before_anybody_listens_is_told_like_any_other(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """It is told to load while the host still imports its event loop, and may be gone by then."""
    record = install_from_zoo(site, "exits_at_import")
    spawned = spawn_plugin(record, paths, assets={})
    assert spawned.pidfd is not None
    with anyio.fail_after(PATIENCE_S):
        await anyio.wait_readable(spawned.pidfd)

    with pytest.raises(PluginBroken, match="ended with exit code 7 while it was being loaded") as caught:
        await supervisor.start(record, spawned=spawned)

    assert "about to leave" in caught.value.detail


async def test_a_plugin_whose_files_are_known_loads_before_anybody_listens(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """A slow import and the host's own imports take their time side by side."""
    record = install_obedient(site, paths, lifeline)
    spawned = spawn_plugin(record, paths, assets={})
    lifeline.wait_for("plugin")

    session = await supervisor.start(record, spawned=spawned)

    assert await say(session, "") == "begun"


async def test_a_pipe_that_takes_only_part_of_the_first_line_gets_the_rest_later(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """The system gives small pipes to a user who has many."""
    record = install_from_zoo(site, "obeys")
    data, tmp = str(paths.plugin_data("obeys")), str(paths.plugin_tmp("obeys"))
    spawned = spawn(launch.plan(record, data=data, tmp=tmp, wall=confine(record, paths)))
    fcntl.fcntl(spawned.stdin, fcntl.F_SETPIPE_SZ, 4096)
    assets = {f"file {number}": AssetFile("/" + "x" * 200) for number in range(100)}
    spawned.greet(compose("obeys", hello(assets=assets, dirs=Dirs(data, tmp)), Limits()))
    assert spawned.greeting is not None
    assert spawned.greeting.unsent != b""

    session = await supervisor.start(record, spawned=spawned)

    assert await say(session, "") == "begun"


async def test_what_cannot_be_said_to_a_plugin_is_told_before_it_is_started(site: Path, paths: Paths) -> None:
    """A file name that is no text has no place in a message."""
    record = install_from_zoo(site, "obeys")
    assets = {"weights": AssetFile("/\udcff")}

    with pytest.raises(CallFailed, match=r"'obeys' cannot be asked: .*JSON"):
        spawn_plugin(record, paths, assets=assets)


async def test_a_slow_import_costs_its_limit_and_no_more(supervisor: Supervisor, site: Path) -> None:
    """A plugin that sleeps a minute is stopped when its time is over."""
    record = install_from_zoo(site, "sleeps_at_import")

    with anyio.fail_after(5), pytest.raises(DeadlineExceeded, match="did not finish loading"):
        await supervisor.start(record, timeout_s=0.5)


@pytest.mark.usefixtures("both_walls")
async def test_nothing_that_a_plugin_prints_reaches_the_wire(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Prints of Python, C, the system and grandchildren go to the log; the input is empty (anchors 7, 8)."""
    record = install_from_zoo(site, "prints_at_import")
    grant(paths, record, "spawn=any")
    session = await supervisor.start(record)

    assert await say(session, "hello") == "read 0 characters"

    await supervisor.stop(session)
    log = paths.plugin_log("prints_at_import").read_text("utf-8")
    for kind in ("print", "os.write", "printf of C", "a grandchild"):
        assert f"printed by {kind}\n" in log
    assert "printed in execute\n" in log


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize(("order", "cause"), [("segfault", "signal SIGSEGV"), ("exit", "exit code 9")])
async def test_a_crash_is_told_by_its_signal_or_exit_code(
    order: str, cause: str, supervisor: Supervisor, site: Path
) -> None:
    """The keeper ends as the plugin did, so the host sees the real cause (anchor 28)."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    with pytest.raises(PluginCrashed) as caught:
        await say(session, order)

    assert caught.value.cause == cause


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize("items", [(), ("spawn=any",)], ids=["by default", "with programs granted"])
async def test_a_plugin_cannot_kill_its_keeper(
    items: tuple[str, ...], supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """It stands outside the wall (sandbox.md §3: the filter's own pid, or Landlock 6 with programs)."""
    record = install_from_zoo(site, "obeys")
    grant(paths, record, *items)
    session = await supervisor.start(record)

    with pytest.raises(CallFailed, match="Operation not permitted"):
        await say(session, "kill keeper")
    assert await say(session, "") == "begun"


@pytest.mark.usefixtures("both_walls")
async def test_a_keeper_that_is_killed_takes_all_with_it(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """Somebody outside may kill it, such as a machine without memory; the plugin must not be left behind."""
    session = await supervisor.start(install_obedient(site, paths, lifeline, "spawn=any"))
    assert await say(session, "child") == "begun child"
    lifeline.wait_for("plugin", "child")

    async with session.open("model/prompt", prompt("sleep"), deadline=PATIENT) as call:
        await anext(aiter(call))
        os.kill(session._child.pid, signal.SIGKILL)
        with pytest.raises(PluginCrashed, match="SIGKILL"):
            await call.finish()

    lifeline.wait_until_all_are_dead(DEATH_S)


async def test_an_error_in_a_plugin_fails_one_call_and_not_the_plugin(
    supervisor: Supervisor, site: Path
) -> None:
    """An exception of the author's is an answer like any other."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    with pytest.raises(CallFailed, match="missing"):
        await say(session, "raise")
    assert await say(session, "") == "begun"


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize("orders", ["spin", "sleep", "hold", "deaf,spin", "deaf,hold", "stop", "stop all"])
async def test_a_call_that_never_ends_is_ended(
    orders: str, supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """[P-50] [P-6] Busy, asleep, holding the interpreter lock, deaf or stopped: gone in under 7 s."""
    session = await supervisor.start(install_obedient(site, paths, lifeline, "spawn=any"))

    with anyio.fail_after(7):
        await begun(session, orders)
        await supervisor.stop(session)

    lifeline.wait_until_all_are_dead(DEATH_S)


@pytest.mark.usefixtures("both_walls")
async def test_what_a_plugin_started_ends_with_it(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """Children deaf to SIGTERM and daemons in sessions of their own belong to the plugin."""
    session = await supervisor.start(install_obedient(site, paths, lifeline, "spawn=any"))
    assert await say(session, "daemon,child") == "begun daemon child"
    lifeline.wait_for("plugin", "daemon", "child")

    await supervisor.stop(session)

    lifeline.wait_until_all_are_dead(DEATH_S)


@pytest.mark.usefixtures("both_walls")
async def test_what_a_crashed_plugin_started_ends_with_it(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """A crash is no way to leave a daemon behind."""
    session = await supervisor.start(install_obedient(site, paths, lifeline, "spawn=any"))

    with pytest.raises(PluginCrashed, match="SIGSEGV"):
        await say(session, "daemon,segfault")

    lifeline.wait_until_all_are_dead(DEATH_S)


@pytest.mark.usefixtures("both_walls")
async def test_killing_now_needs_no_wait_and_leaves_nothing(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """The second Ctrl-C kills at once, whatever the plugin does (anchor 31)."""
    session = await supervisor.start(install_obedient(site, paths, lifeline, "spawn=any"))
    async with session.open("model/prompt", prompt("daemon,deaf,hold"), deadline=PATIENT) as call:
        await anext(aiter(call))
        lifeline.wait_for("daemon")
        supervisor.kill_now()
        with pytest.raises(PluginCrashed, match="SIGKILL"):
            await call.finish()

    lifeline.wait_until_all_are_dead(DEATH_S)


async def test_an_idle_plugin_leaves_as_soon_as_it_is_asked(supervisor: Supervisor, site: Path) -> None:
    """The end of its input is enough: no signal is needed, so it ends with exit code 0 (anchor 32)."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    with anyio.fail_after(PATIENCE_S):
        await supervisor.stop(session)

    assert session.has_ended
    assert "no longer running" in str(session.failure)


async def test_a_flood_on_stderr_blocks_nobody(supervisor: Supervisor, site: Path, paths: Paths) -> None:
    """[P-1] Everything is read, a bounded part of it kept (anchor 34)."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    assert await say(session, "flood stderr") == "begun flood stderr"

    await supervisor.stop(session)
    assert paths.plugin_log("obeys").stat().st_size < 1_200_000


async def test_a_key_is_asked_for_over_the_wire(supervisor: Supervisor, site: Path) -> None:
    """[P-67] Keys are not in the environment: the plugin asks for the one it declared."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    assert await say(session, "", model="keyed") == "the key is open sesame"


async def test_many_small_pieces_arrive_complete_and_in_order(supervisor: Supervisor, site: Path) -> None:
    """Merged or not, the text is the same (anchors 16, 17)."""
    session = await supervisor.start(install_from_zoo(site, "obeys"))

    text = await say(session, "50000", model="count")

    assert text == "".join(f"{number} " for number in range(50_000))


@pytest.mark.usefixtures("both_walls")
async def test_leaving_the_supervisor_by_an_error_stops_every_plugin_and_keeps_the_error(
    paths: Paths, site: Path, lifeline: Lifeline
) -> None:
    """No error of a command may leave a plugin running, and none may be wrapped on its way out."""
    record = install_obedient(site, paths, lifeline)

    async def command() -> None:
        async with Supervisor(paths) as supervisor:
            await supervisor.start(record)
            raise LookupError("an error of the command")

    with anyio.fail_after(PATIENCE_S), pytest.raises(LookupError, match="of the command"):
        await command()

    lifeline.wait_until_all_are_dead(DEATH_S)


@pytest.mark.usefixtures("both_walls")
async def test_a_cancelled_command_stops_its_plugins_before_it_ends(
    paths: Paths, site: Path, lifeline: Lifeline
) -> None:
    """Ctrl-C cancels the scope around the command; the way out is shielded and bounded (anchor 31)."""
    record = install_obedient(site, paths, lifeline)

    with anyio.fail_after(PATIENCE_S), anyio.CancelScope() as scope:
        async with Supervisor(paths) as supervisor:
            session = await supervisor.start(record)
            async with session.open("model/prompt", prompt("sleep"), deadline=PATIENT) as call:
                async for _ in call:
                    scope.cancel()

    assert scope.cancelled_caught
    lifeline.wait_until_all_are_dead(DEATH_S)
