"""Plugins that take more than they may, each behind its real wall: what stops them, and what is said then."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.errors import CallFailed, LimitExceeded, PluginBroken, PluginError, PluginMisbehaved
from cellwall_kernel.process._tree import Processes
from cellwall_kernel.session import Deadline, Session
from cellwall_kernel.supervisor import Supervisor
from cellwall_kernel.wall import Mechanisms
from cellwall_wire import Delta
from tests.children.kit import DEATH_S, HERE, PATIENCE_S, grant, install_from_zoo, prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process._tree import Usage
    from tests.children.kit import Lifeline

pytestmark = pytest.mark.anyio

PATIENT = Deadline(total_s=PATIENCE_S)
MIB = 1 << 20
SOME_MEMORY = "memory=64M"
MORE_MEMORY = "'llm plugins grant hungry memory=128M' gives it more"


@pytest.fixture
async def supervisor(paths: Paths) -> AsyncIterator[Supervisor]:
    """A supervisor whose end, too, is bounded."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths) as running:
            yield running


def hungry(site: Path, paths: Paths, *items: str, **settings: str) -> PluginRecord:
    """Install the hungry plugin and grant it what the items say, as on the command line."""
    record = install_from_zoo(site, "hungry", **({"lifeline": "", "at_import": ""} | settings))
    grant(paths, record, *items)
    return record


async def say(session: Session, text: str) -> str:
    """Prompt and return the answer's text."""
    found: list[str] = []
    async with session.open("model/prompt", prompt(text), deadline=PATIENT) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


async def failure_of(supervisor: Supervisor, record: PluginRecord, text: str) -> PluginError:
    """Start the plugin, prompt it, and return how that failed."""
    session = await supervisor.start(record)
    with pytest.raises(PluginError) as caught:
        await say(session, text)
    return caught.value


def usage_of(session: Session, *, most_bytes: int) -> Usage:
    """Add up what a running cell uses now, as its guard does."""
    assert session._child.wall is not None
    plan = session._child.wall.plan
    tree = Processes(
        session._child.pid,
        has_namespaces=plan.has_namespaces,
        can_grow=plan.policy.spawn,
        memory_folders=("/tmp", "/dev/shm") if plan.has_namespaces else (),
        disk=plan.policy.own[0],
    )
    return tree.usage(most_bytes=most_bytes, most_tasks=1000)


async def test_private_memory_ends_with_an_error_in_the_plugin_and_advice_for_its_user(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """RLIMIT_DATA: Python gets a MemoryError, and the plugin lives (sandbox.md §6)."""
    session = await supervisor.start(hungry(site, paths, SOME_MEMORY))

    with pytest.raises(CallFailed, match="MemoryError") as caught:
        await say(session, "private_memory")

    assert caught.value.message.endswith(f" It may use 64 MB of memory; {MORE_MEMORY}.")


async def test_an_import_that_needs_more_memory_says_how_to_give_it(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Large libraries take their memory before anybody prompts."""
    with pytest.raises(PluginBroken, match=MORE_MEMORY):
        await supervisor.start(hungry(site, paths, SOME_MEMORY, at_import="private_memory"))


@pytest.mark.usefixtures("both_walls")
async def test_a_crash_for_want_of_memory_is_told_in_words(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Programs in C++ abort; the signal alone would tell nobody what to do."""
    failure = await failure_of(supervisor, hungry(site, paths, SOME_MEMORY), "abort_for_want_of_memory")

    assert failure.message == f"plugin 'hungry' ended: it ran out of its 64 MB of memory; {MORE_MEMORY}."
    assert failure.kind == "LimitExceeded"


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize(
    ("deed", "items"),
    [("shared_memory", ()), ("file_in_memory", ("spawn=any",)), ("small_children", ("spawn=any",))],
)
async def test_memory_that_no_limit_of_a_process_counts_is_seen_by_the_host(
    deed: str, items: tuple[str, ...], supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Shared maps, files in memory, and the sum over children (sandbox.md §6, "hole")."""
    failure = await failure_of(supervisor, hungry(site, paths, SOME_MEMORY, *items), f"{deed} then wait")

    assert isinstance(failure, LimitExceeded)
    assert failure.message.startswith("plugin 'hungry' was stopped: it used ")
    assert failure.message.endswith(f"B of memory and may use 64 MB; {MORE_MEMORY}.")


async def test_the_private_folders_of_a_namespace_are_memory_too(
    both_walls: str, supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Bubblewrap gives a cell its own /tmp and /dev/shm, bounded by it or by the host's watch.

    Without it there is nothing to write to.
    """
    failure = await failure_of(supervisor, hungry(site, paths, SOME_MEMORY), "private_folders then wait")

    if both_walls == "without bubblewrap":
        assert "PermissionError" in failure.message
    elif Mechanisms.detect().bounds_folders:
        assert "No space left on device" in failure.message
    else:
        assert failure.message.endswith(f"B of memory and may use 64 MB; {MORE_MEMORY}.")


@pytest.mark.usefixtures("both_walls")
async def test_the_mapped_weights_of_a_model_do_not_count_as_memory(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Pages of a file can be dropped at any time; a model of 160 MB runs in a cell of 64."""
    session = await supervisor.start(hungry(site, paths, SOME_MEMORY))
    assert await say(session, "mapped_weights") == "done"

    used = usage_of(session, most_bytes=MIB)

    assert 2 * MIB < used.memory_bytes < 60 * MIB
    assert used.tasks >= 1


@pytest.mark.usefixtures("both_walls")
async def test_what_forked_children_share_is_counted_once(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Six workers that share thirty megabytes take thirty and not two hundred."""
    session = await supervisor.start(hungry(site, paths, SOME_MEMORY, "spawn=any"))
    assert await say(session, "forked_children") == "done"

    assert 30 * MIB < usage_of(session, most_bytes=MIB).memory_bytes < 96 * MIB


@pytest.mark.usefixtures("both_walls")
async def test_too_many_threads_are_refused_or_end_the_plugin(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """RLIMIT_NPROC binds ordinary users; for root, and where others' processes count, the host looks."""
    failure = await failure_of(supervisor, hungry(site, paths, "processes=20"), "threads then wait")

    assert "'llm plugins grant hungry processes=40' gives it more." in failure.message


@pytest.mark.usefixtures("both_walls")
async def test_too_many_children_end_with_the_plugin_and_none_survives(
    supervisor: Supervisor, site: Path, paths: Paths, lifeline: Lifeline
) -> None:
    """Children in sessions of their own belong to the cell: they are counted, and they end with it."""
    items = ("processes=20", "spawn=any", lifeline.item)
    record = hungry(site, paths, *items, lifeline=str(lifeline.path))

    failure = await failure_of(supervisor, record, "children then wait")

    await supervisor.stop(supervisor._sessions[0])
    lifeline.wait_until_all_are_dead(DEATH_S)
    if os.geteuid() == 0:
        assert (
            "processes and threads and may run 20; 'llm plugins grant hungry processes=40'" in failure.message
        )


@pytest.mark.usefixtures("both_walls")
async def test_processor_time_that_is_used_up_is_told_in_words(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """RLIMIT_CPU ends it by SIGXCPU, which nobody outside knows by heart."""
    failure = await failure_of(supervisor, hungry(site, paths, "cpu_seconds=1"), "processor_time")

    assert (
        failure.message == "plugin 'hungry' ended: it used up its 1 s of processor time; "
        "'llm plugins grant hungry cpu_seconds=2' gives it more."
    )


async def test_a_file_that_grows_too_large_is_an_error_in_the_plugin_with_advice(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """RLIMIT_FSIZE: Python ignores the signal and raises."""
    failure = await failure_of(supervisor, hungry(site, paths, "file_size=2M"), "large_file")

    assert "File too large" in failure.message
    assert failure.message.endswith(
        " It may write files of up to 2 MB; 'llm plugins grant hungry file_size=4M' gives it more."
    )


@pytest.mark.usefixtures("both_walls")
async def test_a_program_that_ends_by_the_size_of_its_file_is_told_in_words(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Other languages leave SIGXFSZ alone."""
    record = hungry(site, paths, "file_size=2M")

    failure = await failure_of(supervisor, record, "large_file_without_python")

    assert (
        failure.message == "plugin 'hungry' ended: it wrote a file larger than 2 MB; "
        "'llm plugins grant hungry file_size=4M' gives it more."
    )


@pytest.mark.parametrize("deed", ["many_files", "temporary_files"])
async def test_a_folder_that_outgrows_its_limit_stops_the_plugin_and_is_named(
    deed: str, supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """All its own files together, data and temporary ones (sandbox.md §6)."""
    failure = await failure_of(supervisor, hungry(site, paths, "data=8M"), f"{deed} then wait")

    folder = paths.plugin_data("hungry").parent
    assert (
        failure.message == f"plugin 'hungry' was stopped: its files in {folder} take more than 8 MB; remove "
        f"from {folder} what is not needed, or 'llm plugins grant hungry data=16M' gives it more."
    )


@pytest.mark.usefixtures("both_walls")
async def test_deleted_files_that_are_held_open_count_as_well(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """No folder shows them, and they fill the disk all the same."""
    failure = await failure_of(supervisor, hungry(site, paths, "data=8M"), "deleted_files then wait")

    assert "more than 8 MB, with deleted ones that it holds open" in failure.message


async def test_endlessly_many_empty_files_stop_the_plugin(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """They take no room and can make a folder unusable."""
    failure = await failure_of(supervisor, hungry(site, paths, "data=8M"), "empty_files")

    assert "it keeps more than 10,000 files and folders in " in failure.message


async def test_a_plugin_whose_folder_is_full_does_not_start(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Started, it would only be stopped again; its user is told what to do."""
    record = hungry(site, paths, "data=8M")
    (paths.plugin_data("hungry") / "left").write_bytes(bytes(9 * MIB))

    with pytest.raises(LimitExceeded, match=r"was not started: its files in .* take more than 8 MB; remove"):
        await supervisor.start(record)

    (paths.plugin_data("hungry") / "left").unlink()
    assert await say(await supervisor.start(record), "tell_limits") == "(256, 256) (0, 0)"


async def test_a_full_folder_of_many_files_is_noticed_soon_after_the_start(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """Counting them is not what a start should wait for."""
    record = hungry(site, paths, "data=8M")
    for number in range(2100):
        (paths.plugin_data("hungry") / f"{number}").write_bytes(bytes(4097))

    with pytest.raises(LimitExceeded, match=r"its files in .* take more than 8 MB"):
        await say(await supervisor.start(record), "processor_time")


@pytest.mark.parametrize("deed", ["open_files", "open_files_for_good"])
async def test_too_many_open_files_are_an_error_that_says_how_many_are_allowed(
    deed: str, supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """RLIMIT_NOFILE is the same for all plugins; with all of them taken, even an error cannot be told."""
    failure = await failure_of(supervisor, hungry(site, paths), deed)

    assert "256 files open" in failure.message


@pytest.mark.usefixtures("both_walls")
async def test_a_flood_on_the_wire_ends_at_the_longest_line(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """[P-11] The wire's descriptor can be found by who looks for it; a flood costs one line."""
    failure = await failure_of(supervisor, hungry(site, paths), "flood_the_wire")

    assert isinstance(failure, PluginMisbehaved)
    assert "line longer than" in failure.message


@pytest.mark.usefixtures("both_walls")
async def test_a_flood_of_messages_is_thinned_out_and_steers_no_terminal(
    supervisor: Supervisor, site: Path, paths: Paths
) -> None:
    """A bounded part is kept, and control characters are taken out before anybody sees it."""
    session = await supervisor.start(hungry(site, paths))

    assert await say(session, "flood_messages") == "done"

    await supervisor.stop(session)
    shown = session.last_lines()
    assert shown.endswith("]0;hijacked[2Jlast words�31m")
    assert "\x1b" not in shown
    assert paths.plugin_log("hungry").stat().st_size < 600_000


@pytest.mark.parametrize(
    ("granted_s", "own_s", "expected_s"),
    [(None, 600.0, 600.0), (0, 600.0, 600.0), (5, 600.0, 5), (900, 600.0, 600)],
)
async def test_the_smaller_of_a_granted_deadline_and_the_users_own_counts(
    granted_s: int | None, own_s: float, expected_s: float
) -> None:
    """A grant bounds a plugin; it does not make its user wait longer than they want."""
    assert Deadline(total_s=own_s).within(granted_s).total_s == expected_s


FULL_DISK = """
import sys
from pathlib import Path
import anyio
from cellwall_kernel.discovery import discover
from cellwall_kernel.errors import PluginError
from cellwall_kernel.paths import Paths
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_kernel.wall import Mechanisms
from tests.children.kit import environment_of, prompt

async def main():
    record = next(iter(discover(environment_of(Path(sys.argv[1])))))
    async with Supervisor(Paths(Path(sys.argv[2]))) as supervisor:
        session = await supervisor.start(record)
        try:
            params = prompt("many_files then wait")
            async with session.open("model/prompt", params, deadline=Deadline(total_s=20)) as call:
                await call.finish()
        except PluginError as error:
            print(error.message)

anyio.run(main)
"""


def test_a_disk_that_is_nearly_full_is_protected_from_who_fills_it(site: Path, paths: Paths) -> None:
    """Well below its own limit, a plugin could take what the user's other programs need."""
    bubblewrap = Mechanisms.detect().bubblewrap
    if bubblewrap is None:
        pytest.skip("no bubblewrap to make a small disk with")
    install_from_zoo(site, "hungry", lifeline="", at_import="")
    home = str(paths.folder())
    small_disk = ["--dev-bind", "/", "/", "--size", str(150 * MIB), "--tmpfs", home]

    ended = subprocess.run(
        [bubblewrap, *small_disk, sys.executable, "-c", FULL_DISK, str(site), home],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
        env={"PATH": str(site), "PYTHONPATH": str(HERE.parents[1])},
    )

    assert "it went on writing with only 1" in ended.stdout, ended.stderr
    assert f"MB left on the disk of {home}/plugins/hungry; make room there." in ended.stdout
