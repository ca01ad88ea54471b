"""The bootstrap from inside a real cell: what a plugin finds, and what the keeper holds and passes on."""

from __future__ import annotations

import ast
import os
import select
import signal
import subprocess
import sys
import venv
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from cellwall_kernel.cell import keeper
from cellwall_kernel.discovery import discover
from cellwall_kernel.errors import PluginBroken, PluginCrashed
from cellwall_kernel.launch import BOOTSTRAP
from cellwall_kernel.process import Exit
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta
from tests.children.kit import PATIENCE_S, environment_of, grant, install, install_from_zoo, prompt

if TYPE_CHECKING:
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.session import Session


def in_a_cell(record: PluginRecord, paths: Paths, *questions: str) -> list[Any]:
    """Start the plugin and return the values of Python expressions inside it."""

    async def scene() -> list[Any]:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                session = await supervisor.start(record)
                return [ast.literal_eval(await answer(session, question)) for question in questions]

    return anyio.run(scene)


async def answer(session: Session, question: str) -> str:
    """Prompt and return the whole answer."""
    found: list[str] = []
    async with session.open("model/prompt", prompt(question), deadline=Deadline(total_s=PATIENCE_S)) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    return "".join(found)


@pytest.mark.usefixtures("both_walls")
def test_a_plugin_sees_an_environment_built_from_a_list_of_names(
    site: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of the host, such as a key, is not visible unless the list has it (anchor 45)."""
    monkeypatch.setenv("CANARY_API_KEY", "secret")
    monkeypatch.setenv("LC_MONETARY", "C")
    record = install_from_zoo(site, "tells")

    seen, cwd, mask = in_a_cell(record, paths, "dict(os.environ)", "os.getcwd()", "os.umask(0o77)")

    home = str(paths.plugin_data("tells"))
    assert "CANARY_API_KEY" not in seen
    assert (seen["HOME"], seen["TMPDIR"], seen["LC_MONETARY"]) == (home, str(paths.plugin_tmp("tells")), "C")
    assert (cwd, mask) == (home, 0o77)


LIST_OPEN = """
import os, resource

def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

print([fd for fd in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]) if is_open(fd)])
"""
"""A program that prints which descriptors it was given."""


@pytest.mark.usefixtures("both_walls")
def test_the_wire_is_out_of_reach_of_the_plugin_and_of_what_it_starts(site: Path, paths: Paths) -> None:
    """Descriptor 0 is empty, 1 is the log; programs that the plugin starts inherit no end (anchors 7, 8)."""
    record = install_from_zoo(site, "tells")
    grant(paths, record, "spawn=any")
    descriptors = (
        "{int(fd): os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if int(fd) < 3}"
    )
    inherited = (
        f"__import__('subprocess').check_output([sys.executable, '-c', {LIST_OPEN!r}], close_fds=False)"
    )

    mine, theirs = in_a_cell(record, paths, descriptors, inherited)

    assert mine[0] == "/dev/null"
    assert mine[1] == mine[2] != "/dev/null"
    assert theirs == b"[0, 1, 2]\n"


@pytest.mark.usefixtures("both_walls")
def test_nobody_but_the_plugin_holds_an_end_of_the_wire(site: Path, paths: Paths) -> None:
    """A keeper, or a wrapping, that held one would hide from the host that the plugin has closed it."""
    if os.geteuid() != 0:
        pytest.skip("only root may look at a keeper's descriptors: it is not dumpable")
    record = install_from_zoo(site, "tells")

    async def scene() -> list[str]:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                session = await supervisor.start(record)
                return holders_of_wire(session._child._spawned)

    (holder,) = anyio.run(scene)

    assert BOOTSTRAP in holder


def holders_of_wire(spawned: Spawned) -> list[str]:
    """Return the command lines of those around and in a cell who hold an end of its wire."""
    wire = {Path(f"/proc/self/fd/{fd}").readlink() for fd in (spawned.stdin, spawned.stdout)}
    family = [spawned.pid, *descendants(spawned.pid)]
    return [command_of(pid) for pid in family if wire & held_by(pid)]


def descendants(pid: int) -> list[int]:
    """List the children of a process, and theirs."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(each for child in found for each in descendants(child))]


def held_by(pid: int) -> set[Path]:
    """Return what the descriptors of a process lead to."""
    return {fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()}


def command_of(pid: int) -> str:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_the_search_path_of_a_cell_is_the_hosts(site: Path, paths: Paths, tmp_path: Path) -> None:
    """The distribution that shadows another in the host must do so in the child."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / "more.pth").write_text(f"{tmp_path / 'third'}\n")
    (tmp_path / "third").mkdir()
    record = install_from_zoo(site, "tells")
    first.mkdir()
    folders = (
        ("path", str(first)),
        ("path", str(site)),
        ("site", str(second)),
        ("path", str(tmp_path / "third")),
    )

    (path,) = in_a_cell(msgspec.structs.replace(record, folders=folders), paths, "sys.path")

    wanted = [folder for _, folder in folders]
    assert [entry for entry in path if entry in wanted] == wanted
    assert not [entry for entry in path if entry in {"", str(Path(BOOTSTRAP).parent), str(Path.cwd())}]


@pytest.mark.usefixtures("both_walls")
def test_code_in_a_pth_file_runs_after_the_wire_is_out_of_reach(site: Path, paths: Paths) -> None:
    """Such a file is foreign code; what it prints goes to the log like all else."""
    record = install_from_zoo(site, "tells")
    (site / "noisy.pth").write_text("import os; os.write(1, b'printed by a .pth file')\n")
    record = msgspec.structs.replace(record, folders=(("site", str(site)),))

    assert in_a_cell(record, paths, "1 + 1") == [2]
    assert "printed by a .pth file" in paths.plugin_log("tells").read_text("utf-8")


def test_nothing_in_the_working_folder_is_imported(site: Path, paths: Paths) -> None:
    """The plugin's own folder is its working folder: a file that it left there must not become code."""
    record = install_from_zoo(site, "tells")
    (paths.plugin_data("tells") / "ctypes.py").write_text("raise SystemExit('hijacked')")

    assert in_a_cell(record, paths, "sys.flags.isolated") == [1]


def test_an_environment_without_the_sdk_is_told_in_a_sentence(
    site: Path, paths: Paths, tmp_path: Path
) -> None:
    """[P-5] An environment of its own may lack it; the traceback would help nobody."""
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare" / "bin" / "python")
    record = msgspec.structs.replace(install_from_zoo(site, "tells"), python=python)

    with pytest.raises(
        PluginBroken, match=r"cannot run: .* no usable cellwall-sdk: .*; install cellwall-sdk there"
    ):
        in_a_cell(record, paths)


@pytest.mark.usefixtures("both_walls")
@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        ("os._exit(0)", "exit code 0"),
        ("os._exit(77)", "exit code 77"),
        ("os.abort()", "signal SIGABRT"),
        ("os.kill(os.getpid(), 9)", "signal SIGKILL"),
        ("os.kill(os.getpid(), 15)", "signal SIGTERM"),
    ],
)
def test_the_keeper_ends_exactly_as_the_plugin_did(deed: str, cause: str, site: Path, paths: Paths) -> None:
    """The host sees one process, and its end must tell the truth."""
    record = install_from_zoo(site, "tells")

    with pytest.raises(PluginCrashed) as caught:
        in_a_cell(record, paths, deed)

    assert caught.value.cause == cause
    assert list(paths.plugin_data("tells").glob("core*")) == []


LEAVES_TRACES = """
import atexit, os, threading, time
from cellwall_sdk import Model, hookimpl
from typing_extensions import Self
kept_open = open("kept_open", "w")
kept_open.write("written")
atexit.register(lambda: open("at_exit", "w").write(str(os.path.exists("by_thread"))))
def work():
    threading.main_thread().join()
    open("by_thread", "w").close()
threading.Thread(target=work).start()
print("said", end="")
"""


@pytest.mark.usefixtures("both_walls")
def test_a_plugin_that_leaves_has_its_threads_exit_functions_and_files_seen_to(
    site: Path, paths: Paths
) -> None:
    """The interpreter is not taken apart, but what an author may count on happens, in the usual order."""
    install(site, "llm-traces", {"traces.py": LEAVES_TRACES}, points={"traces": "traces"})
    record = next(record for record in discover(environment_of(site)) if record.name == "traces")

    async def scene() -> Exit | None:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                session = await supervisor.start(record)
                await supervisor.stop(session)
                return session._child.exit

    data = paths.plugin_data("traces")
    assert anyio.run(scene) == Exit(0)
    assert (data / "kept_open").read_text("utf-8") == "written"
    assert (data / "at_exit").read_text("utf-8") == "True"
    assert "said" in paths.plugin_log("traces").read_text("utf-8")


def test_a_plugin_that_cannot_be_found_is_told_by_its_name(site: Path, paths: Paths) -> None:
    """An entry point may name a module that was never packaged."""
    install(site, "llm-gone", {}, points={"gone": "llm_gone:plugin"})
    record = msgspec.structs.replace(install_from_zoo(site, "tells"), name="gone", target="llm_gone:plugin")

    with pytest.raises(PluginBroken, match="No module named 'llm_gone'"):
        in_a_cell(record, paths)


def test_children_are_found_without_the_kernels_list_of_them() -> None:
    """Some kernels have no `/proc/…/children`; reading every status gives the same answer."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in keeper.children_by_scan(os.getpid())
        assert set(keeper.living_children(0)) == set(keeper.children_by_scan(os.getpid()))
    finally:
        child.kill()
        child.communicate(timeout=PATIENCE_S)


WITHOUT_A_SIGNAL = """
import os, signal, sys
from cellwall_kernel.cell.keeper import keep

host = os.getppid()
child = os.fork()
if child == 0:
    os.write(1, b"up\\n")
    while True:  # a plugin whose main thread is busy
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
keep(child, host, [])
"""
"""A keeper that has not asked for a signal at its host's death, as where the system has none."""


def test_a_keeper_that_no_signal_tells_sees_by_itself_that_its_host_is_gone() -> None:
    """Statement 30: the watch over the parent's id holds where PR_SET_PDEATHSIG does not (macOS)."""
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {WITHOUT_A_SIGNAL!r}])"
    read, write = os.pipe()
    host = subprocess.Popen([sys.executable, "-c", code], stdout=write, start_new_session=True)
    os.close(write)
    try:
        with os.fdopen(read, "rb", buffering=0) as held:  # by the plugin alone: the keeper lets go of it
            assert held.read(3) == b"up\n"
            host.kill()
            assert select.select([held], [], [], PATIENCE_S)[0]
            assert held.read(1) == b""
    finally:
        host.kill()
        host.wait(PATIENCE_S)
        with suppress(ProcessLookupError):
            os.killpg(host.pid, signal.SIGKILL)
