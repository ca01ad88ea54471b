"""The bootstrap from inside a real cell: what a plugin finds, and what the keeper holds and passes on."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from cellwall_kernel.discovery import discover
from cellwall_kernel.errors import PluginBroken, PluginCrashed
from cellwall_kernel.launch import BOOTSTRAP
from cellwall_kernel.process import Exit
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Delta
from tests.children.kit import PATIENCE_S, environment_of, install, install_from_zoo, prompt

if TYPE_CHECKING:
    from cellwall_kernel.discovery import Environment, PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.session import Session


def in_a_cell(record: PluginRecord, paths: Paths, environment: Environment, *questions: str) -> list[Any]:
    """Start the plugin and return the values of Python expressions inside it."""

    async def scene() -> list[Any]:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths, environment=environment) as supervisor:
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


def test_a_plugin_sees_an_environment_built_from_a_list_of_names(
    site: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of the host, such as a key, is not visible unless the list has it (anchor 45)."""
    monkeypatch.setenv("CANARY_API_KEY", "secret")
    monkeypatch.setenv("LC_MONETARY", "C")
    record = install_from_zoo(site, "tells")

    seen, cwd, mask = in_a_cell(
        record, paths, environment_of(site), "dict(os.environ)", "os.getcwd()", "os.umask(0o77)"
    )

    home = str(paths.plugin_data("tells"))
    assert "CANARY_API_KEY" not in seen
    assert (seen["HOME"], seen["TMPDIR"], seen["LC_MONETARY"]) == (home, str(paths.plugin_tmp("tells")), "C")
    assert (cwd, mask) == (home, 0o77)


def test_the_wire_is_out_of_reach_of_the_plugin_and_of_what_it_starts(site: Path, paths: Paths) -> None:
    """Descriptor 0 is empty, 1 is the log; programs that the plugin starts inherit no end (anchors 7, 8)."""
    record = install_from_zoo(site, "tells")
    descriptors = (
        "{int(fd): os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if int(fd) < 3}"
    )
    inherited = "__import__('subprocess').check_output(['/bin/ls', '/proc/self/fd'], close_fds=False).split()"

    mine, theirs = in_a_cell(record, paths, environment_of(site), descriptors, inherited)

    assert mine[0] == "/dev/null"
    assert mine[1] == mine[2] != "/dev/null"
    assert set(theirs) == {b"0", b"1", b"2", b"3"}  # 3 is the folder that ls reads


def test_the_keeper_holds_no_end_of_the_wire(site: Path, paths: Paths) -> None:
    """A keeper that held one would hide from the host that the plugin has closed it."""
    record = install_from_zoo(site, "tells")
    of_keeper = (
        "[os.readlink(f'/proc/{os.getppid()}/fd/{fd}') for fd in os.listdir(f'/proc/{os.getppid()}/fd')]"
    )

    if os.geteuid() != 0:
        pytest.skip("only root may look at a keeper's descriptors: it is not dumpable")
    (held,) = in_a_cell(record, paths, environment_of(site), of_keeper)

    assert sorted(held)[:2] == ["/dev/null", "/dev/null"]
    assert len([name for name in held if name.startswith("pipe:")]) == 1  # stderr, for its own last words


def test_the_search_path_of_a_cell_is_the_hosts(site: Path, paths: Paths, tmp_path: Path) -> None:
    """The distribution that shadows another in the host must do so in the child."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / "more.pth").write_text(f"{tmp_path / 'third'}\n")
    (tmp_path / "third").mkdir()
    record = install_from_zoo(site, "tells")
    first.mkdir()
    base = environment_of(site)
    folders = (
        ("path", str(first)),
        ("path", str(site)),
        ("site", str(second)),
        ("path", str(tmp_path / "third")),
    )
    environment = msgspec.structs.replace(base, folders=folders)

    (path,) = in_a_cell(record, paths, environment, "sys.path")

    wanted = [folder for _, folder in folders]
    assert [entry for entry in path if entry in wanted] == wanted
    assert not [entry for entry in path if entry in {"", str(Path(BOOTSTRAP).parent), str(Path.cwd())}]


def test_code_in_a_pth_file_runs_after_the_wire_is_out_of_reach(site: Path, paths: Paths) -> None:
    """Such a file is foreign code; what it prints goes to the log like all else."""
    record = install_from_zoo(site, "tells")
    (site / "noisy.pth").write_text("import os; os.write(1, b'printed by a .pth file')\n")
    environment = msgspec.structs.replace(environment_of(site), folders=(("site", str(site)),))

    assert in_a_cell(record, paths, environment, "1 + 1") == [2]
    assert "printed by a .pth file" in paths.plugin_log("tells").read_text("utf-8")


def test_nothing_in_the_working_folder_is_imported(site: Path, paths: Paths) -> None:
    """The plugin's own folder is its working folder: a file that it left there must not become code."""
    record = install_from_zoo(site, "tells")
    (paths.plugin_data("tells") / "ctypes.py").write_text("raise SystemExit('hijacked')")

    assert in_a_cell(record, paths, environment_of(site), "sys.flags.isolated") == [1]


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
        in_a_cell(record, paths, environment_of(site))


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
        in_a_cell(record, paths, environment_of(site), deed)

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


def test_a_plugin_that_leaves_has_its_threads_exit_functions_and_files_seen_to(
    site: Path, paths: Paths
) -> None:
    """The interpreter is not taken apart, but what an author may count on happens, in the usual order."""
    install(site, "llm-traces", {"traces.py": LEAVES_TRACES}, points={"traces": "traces"})
    record = next(record for record in discover(environment_of(site)) if record.name == "traces")

    async def scene() -> Exit | None:
        with anyio.fail_after(PATIENCE_S):
            async with Supervisor(paths, environment=environment_of(site)) as supervisor:
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
        in_a_cell(record, paths, environment_of(site))


def test_children_are_found_without_the_kernels_list_of_them() -> None:
    """Some kernels have no `/proc/…/children`; reading every status gives the same answer."""
    spec = importlib.util.spec_from_file_location("bootstrap", BOOTSTRAP)
    assert spec is not None
    assert spec.loader is not None
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in bootstrap.children_by_scan(os.getpid())
        assert set(bootstrap.living_children(0)) == set(bootstrap.children_by_scan(os.getpid()))
    finally:
        child.kill()
        child.communicate(timeout=PATIENCE_S)
