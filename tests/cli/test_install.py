"""`llm install`, `llm upgrade`, `llm uninstall`: the whole way, with real wheels and real installers."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import CommandLine, until
from tests.support.wheels import Shelf, make_plugin, make_wheel, need_installer, stock

if TYPE_CHECKING:
    from collections.abc import Callable

ASKING = """
[permissions]
network = ["api.example.com"]
keys = ["sample"]
[permissions.reason]
network = "calls the API"
"""

ASKING_MORE = ASKING.replace('"api.example.com"', '"api.example.com", "more.example.com"')


@pytest.fixture
def shelf(tmp_path: Path, llm: CommandLine) -> Shelf:
    """All the wheels that the command finds."""
    shelf = stock(tmp_path / "shelf", tmp_path / "scratch")
    llm.variables.update(shelf.variables)
    return shelf


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest, llm: CommandLine) -> str:
    """Each of the two programs, if it is here."""
    llm.variables["CELLWALL_INSTALLER"] = need_installer(request.param)
    return str(request.param)


@pytest.fixture
def pip(llm: CommandLine) -> None:
    """Pip, where it does not matter which program it is."""
    llm.variables["CELLWALL_INSTALLER"] = need_installer("pip")


def folder_of(llm: CommandLine, name: str = "llm-foo") -> Path:
    """Where the plugin's generations are."""
    return llm.home / "environments" / name


def record_of(llm: CommandLine, name: str = "llm-foo") -> dict[str, Any] | None:
    """What is current; None if nothing is."""
    try:
        found: dict[str, Any] = json.loads((folder_of(llm, name) / "environment.json").read_text())
    except FileNotFoundError:
        return None
    return found


def granted(llm: CommandLine) -> dict[str, dict[str, Any]]:
    """What was granted to whom."""
    try:
        grants: dict[str, dict[str, Any]] = json.loads((llm.home / "grants.json").read_text())["plugins"]
    except FileNotFoundError:
        return {}
    return grants


def in_terminal(
    llm: CommandLine, *arguments: str, answer: str = "", until_text: str = "[y/N"
) -> tuple[int, str]:
    """Run the command on a terminal and answer its question; gives the exit code and all it showed."""
    pid, terminal = llm.on_terminal(*arguments, TERM="xterm")
    shown, answered, give_up = "", False, time.monotonic() + 45
    while time.monotonic() < give_up and select.select([terminal], [], [], 45)[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break  # the other side is closed
        if not chunk:
            break
        shown += chunk.decode("utf-8", "replace")
        if answer and not answered and until_text in shown:
            answered = True
            os.write(terminal, answer.encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


# -- installing ----------------------------------------------------------------------------------------------


def test_an_installed_plugin_answers(installer: str, llm: CommandLine, shelf: Shelf) -> None:
    """One that asks for nothing needs no question, also where nobody could answer one."""
    make_plugin(shelf.folder, "foo")

    ended = llm("install", "llm-foo")

    assert (ended.code, ended.out) == (0, "Installed llm-foo 1.0 (plugin 'foo').\n"), ended.err
    assert llm("-m", "foo-model", "hi").out == "an answer\n"
    assert "foo\t1.0\tready" in llm("plugins", "list").out


def test_two_plugins_may_pin_one_library_differently(installer: str, llm: CommandLine, shelf: Shelf) -> None:
    """Issue 4, 5: in one environment, one of them would break."""
    for version in ("8.1.7", "8.1.8"):
        make_wheel(shelf.folder, "click", version, {"click/__init__.py": f"__version__ = '{version}'"})
    body = "import click; yield click.__version__"
    make_plugin(shelf.folder, "seven", body=body, requires=["click==8.1.7"])
    make_plugin(shelf.folder, "eight", body=body, requires=["click==8.1.8"])

    assert llm("install", "llm-seven", "llm-eight").code == 0

    assert [llm("-m", f"{name}-model", "x").out for name in ("seven", "eight")] == ["8.1.7\n", "8.1.8\n"]


def test_the_environment_of_the_host_is_not_touched(installer: str, llm: CommandLine, shelf: Shelf) -> None:
    """Neither its packages nor its scripts (issue 4, 5)."""
    prefix = Path(sys.prefix)

    def names() -> set[str]:
        return {str(path) for part in ("bin", "lib") for path in (prefix / part).glob("**/*foo*")}

    before = names()
    make_plugin(shelf.folder, "foo", requires=["msgspec"])

    assert llm("install", "llm-foo").code == 0
    assert names() == before


@pytest.mark.usefixtures("pip")
def test_one_failure_among_several_keeps_none_of_the_others_out(llm: CommandLine, shelf: Shelf) -> None:
    """Each has an environment of its own, so each stands for itself."""
    make_plugin(shelf.folder, "foo")

    ended = llm("install", "llm-missing", "llm-foo")

    assert (ended.code, ended.out) == (9, "Installed llm-foo 1.0 (plugin 'foo').\n")
    assert "llm-missing: the package index has no wheel of 'llm-missing'" in ended.err


@pytest.mark.usefixtures("pip")
def test_sources_are_built_only_when_that_is_said(llm: CommandLine, shelf: Shelf, tmp_path: Path) -> None:
    """Building runs what is in them; the sentence says how it is done behind the wall."""
    (tmp_path / "project").mkdir()

    ended = llm("install", str(tmp_path / "project"))

    assert ended.code == 2
    assert "'llm install --build" in ended.err


def test_an_installed_plugin_survives_an_upgrade_of_the_host(
    llm: CommandLine, shelf: Shelf, pip: None
) -> None:
    """Its environment and its SDK are its own: the host's may vanish."""
    make_plugin(shelf.folder, "foo", body="import cellwall_sdk; yield cellwall_sdk.__file__")
    assert llm("install", "llm-foo").code == 0

    assert llm("-m", "foo-model", "x").out.startswith(str(folder_of(llm)))


# -- what it may do ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pip")
def test_what_nobody_can_be_asked_about_is_refused(llm: CommandLine, shelf: Shelf) -> None:
    """Default No; the sentence names the ways to say Yes (sandbox.md §12)."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)

    ended = llm("install", "llm-foo")

    assert ended.code == 2
    assert "--yes-as-asked" in ended.err
    assert (record_of(llm), granted(llm), folder_of(llm).exists()) == (None, {}, False)


@pytest.mark.usefixtures("pip")
def test_a_no_on_the_terminal_changes_nothing(llm: CommandLine, shelf: Shelf) -> None:
    """So does an answer that is none; the question shows the author's reason."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)

    code, shown = in_terminal(llm, "install", "llm-foo", answer="\n")

    assert code == 1
    assert '"calls the API"' in shown
    assert "nothing was changed" in shown
    assert (record_of(llm), granted(llm)) == (None, {})


@pytest.mark.usefixtures("pip")
def test_a_yes_on_the_terminal_grants_and_pins(llm: CommandLine, shelf: Shelf) -> None:
    """The pin holds the hashes of all wheels."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)

    code, shown = in_terminal(llm, "install", "llm-foo", answer="y\n")

    assert code == 0, shown
    grant = granted(llm)["llm-foo/foo"]
    assert [file.partition("-")[0] for file, _ in grant["pin"]["wheels"]] == [
        "cellwall_sdk",
        "llm_foo",
        "msgspec",
    ]
    assert grant["permissions"]["keys"] == ["sample"]


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize(
    ("options", "network", "keys"),
    [
        (["--yes-as-asked"], ["api.example.com"], ["sample"]),
        (["--grant", "key=sample"], None, ["sample"]),
        (["--yes-as-asked", "--deny", "key"], ["api.example.com"], None),
        (["--deny", "key", "--deny", "network"], None, None),
    ],
)
def test_permissions_can_be_given_on_the_command_line(
    options: list[str], network: list[str] | None, keys: list[str] | None, llm: CommandLine, shelf: Shelf
) -> None:
    """For scripts (sandbox.md §12)."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)

    ended = llm("install", "llm-foo", *options)

    assert ended.code == 0, ended.err
    permissions = granted(llm)["llm-foo/foo"].get("permissions", {})
    assert (permissions.get("network"), permissions.get("keys")) == (network, keys)


@pytest.mark.usefixtures("pip")
def test_a_wrong_permission_is_said_before_anything_is_installed(llm: CommandLine, shelf: Shelf) -> None:
    """A slip of the hand must not cost a minute."""
    make_plugin(shelf.folder, "foo")

    for option in (["--grant", "colour=red"], ["--deny", "colour"]):
        ended = llm("install", "llm-foo", *option)
        assert ended.code == 2
        assert "colour" in ended.err
    assert not (llm.home / "environments" / "llm-foo.log").exists()


# -- upgrading -----------------------------------------------------------------------------------------------


def test_an_upgrade_with_the_same_permissions_asks_nothing(
    installer: str, llm: CommandLine, shelf: Shelf
) -> None:
    """One line: from which version to which."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)
    assert llm("install", "llm-foo", "--yes-as-asked").code == 0
    make_plugin(shelf.folder, "foo", "1.1", manifest=ASKING, body="yield 'a newer answer'")

    ended = llm("upgrade", "foo")

    assert (ended.code, ended.out) == (0, "Upgraded llm-foo 1.0 -> 1.1.\n"), ended.err
    assert "foo 1.0 -> 1.1, same permissions." in ended.err
    assert llm("-m", "foo-model", "x").out == "a newer answer\n"
    assert llm("upgrade", "--all").out == "llm-foo 1.1 is the newest, and so is what it needs.\n"


@pytest.mark.usefixtures("pip")
def test_an_upgrade_that_wants_more_keeps_the_old_version_unless_allowed(
    llm: CommandLine, shelf: Shelf
) -> None:
    """Only the difference is shown; default No, the old version stays and works."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)
    assert llm("install", "llm-foo", "--yes-as-asked").code == 0
    before = (record_of(llm), granted(llm))
    make_plugin(shelf.folder, "foo", "1.1", manifest=ASKING_MORE)

    code, shown = in_terminal(llm, "upgrade", "llm-foo", answer="n\n")

    assert code == 1
    assert "more.example.com" in shown
    assert "key" not in shown.partition("also wants")[2].partition("Allow?")[0]
    assert (record_of(llm), granted(llm)) == before
    assert llm("-m", "foo-model", "x").code == 0


@pytest.mark.usefixtures("pip")
def test_an_upgrade_asks_again_for_what_was_asked_at_first(llm: CommandLine, shelf: Shelf) -> None:
    """Version, --with and --constraint are remembered."""
    for version in ("1.0", "2.0"):
        make_wheel(shelf.folder, "dep-x", version, {"dep_x.py": ""})
    make_plugin(shelf.folder, "foo")
    assert llm("install", "llm-foo<2", "--with", "dep-x", "--constraint", "dep-x<2").code == 0
    make_plugin(shelf.folder, "foo", "2.0")
    make_wheel(shelf.folder, "dep-x", "1.5", {"dep_x.py": ""})

    ended = llm("upgrade", "foo")

    assert ended.out == "Upgraded what llm-foo 1.0 needs: dep-x 1.0 -> 1.5.\n"
    assert llm("upgrade", "foo").out.startswith("llm-foo 1.0 is the newest that 'llm-foo<2' allows")


def test_an_upgrade_needs_a_name_or_all(llm: CommandLine) -> None:
    """Nothing is upgraded by accident."""
    assert llm("upgrade").code == 2
    assert llm("upgrade", "--all").code == 0


@pytest.mark.usefixtures("pip")
def test_an_upgrade_mends_an_environment_whose_interpreter_has_gone(llm: CommandLine, shelf: Shelf) -> None:
    """`llm plugins` says so; the same wheels, for the Python that is there."""
    make_plugin(shelf.folder, "foo")
    assert llm("install", "llm-foo").code == 0
    python = folder_of(llm) / "g1" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")

    listed, mended = llm("plugins", "list"), llm("upgrade", "--all")

    assert "'llm upgrade llm-foo' makes it again" in listed.out
    assert mended.out.startswith("Made the environment of llm-foo 1.0 again, with /")
    assert llm("-m", "foo-model", "x").out == "an answer\n"


# -- removing ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pip")
def test_a_removed_plugin_leaves_its_data_and_nothing_else(llm: CommandLine, shelf: Shelf) -> None:
    """By its own name or its distribution's; grants go, so that nobody inherits them."""
    for name in ("foo", "bar"):
        make_plugin(shelf.folder, name, manifest=ASKING)
        assert llm("install", f"llm-{name}", "--yes-as-asked").code == 0
    data = llm.home / "plugins" / "foo" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "kept").touch()

    ended = llm("uninstall", "foo", "LLM_Bar")

    assert ended.code == 0, ended.err
    assert f"still in {data}" in ended.err
    assert (record_of(llm), folder_of(llm).exists(), granted(llm)) == (None, False, {})
    assert (data / "kept").exists()


@pytest.mark.usefixtures("pip")
def test_a_purged_plugin_leaves_nothing(llm: CommandLine, shelf: Shelf) -> None:
    """Its data go only when that was said."""
    make_plugin(shelf.folder, "foo")
    assert llm("install", "llm-foo").code == 0
    data = llm.home / "plugins" / "foo" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "gone").touch()

    assert llm("uninstall", "foo", "--purge").code == 0
    assert not data.parent.exists()


@pytest.mark.usefixtures("pip")
def test_plugins_that_share_a_name_keep_their_own_data(llm: CommandLine, shelf: Shelf) -> None:
    """The bundled echo and a stranger's: removing the one leaves the other alone."""
    make_plugin(shelf.folder, "echo")
    precious = llm.home / "plugins" / "echo" / "data" / "precious"
    precious.parent.mkdir(parents=True)
    precious.touch()

    installed = llm("install", "llm-echo")
    removed = llm("uninstall", "echo@llm-echo", "--purge")

    assert installed.out == "Installed llm-echo 1.0 (plugin 'echo@llm-echo').\n"
    assert "Another distribution has a plugin 'echo' too" in installed.err
    assert removed.code == 0, removed.err
    assert precious.exists()


def test_what_was_not_installed_here_is_explained(llm: CommandLine) -> None:
    """A plugin beside the host belongs to pip; another may be a slip of the hand."""
    bundled, unknown = llm("uninstall", "echo"), llm("uninstall", "llm-nothing")

    assert (bundled.code, unknown.code) == (3, 3)
    assert "-m pip uninstall cellwall-echo" in bundled.err
    assert "no plugin 'llm-nothing' is installed" in unknown.err


# -- interruptions -------------------------------------------------------------------------------------------

STAGES: dict[str, Callable[[Path, Path], bool]] = {
    "the folder is there": lambda new, _: new.exists(),
    "the interpreter is there": lambda new, _: (new / "bin" / "python").exists(),
    "the installer has begun": lambda _, log: log.exists() and b"$ " in log.read_bytes(),
    "wheels are unpacked": lambda new, _: bool(list(new.glob("lib/*/site-packages/*.dist-info"))),
    "notes are removed": lambda new, _: (
        (new / "bin" / "foo-tool").exists() and not (new / ".install").exists()
    ),
}
"""How far an installation has come, by what shows of it from outside."""


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_installation_changes_nothing(
    stage: str, llm: CommandLine, shelf: Shelf, tmp_path: Path
) -> None:
    """At every point; the installer dies with it, and the next installation removes what is left."""
    llm.variables["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    make_plugin(shelf.folder, "foo")
    assert llm("install", "llm-foo").code == 0
    before = record_of(llm)
    make_plugin(shelf.folder, "foo", "2.0", files={f"llm_foo/m{n}.py": "x = 1\n" * 500 for n in range(300)})
    new, log = folder_of(llm) / "g2", llm.home / "environments" / "llm-foo.log"
    log.unlink()

    running = llm.start("install", "llm-foo")
    until(lambda: STAGES[stage](new, log), stage)
    running.kill()
    running.communicate(timeout=20)

    assert record_of(llm) == before
    assert llm("-m", "foo-model", "x").out == "an answer\n"
    until(lambda: not processes_in(llm.home), "the installer has ended")
    assert [] == [*(tmp_path / "tmp").iterdir()]  # what it was working with lies where it is found
    assert llm("install", "llm-foo").code == 0
    current = record_of(llm)
    assert current is not None
    assert current["version"] == "2.0"
    assert sorted(path.name for path in folder_of(llm).iterdir()) == ["environment.json", "g1", "g2"]


def processes_in(folder: Path) -> list[str]:
    """The programs that run for an installation below a folder, by their command lines."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"{folder}/environments" in line:
                found.append(line)
    return found


@pytest.mark.usefixtures("pip")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_installation_cleans_up_at_once(
    number: signal.Signals, code: int, llm: CommandLine, shelf: Shelf
) -> None:
    """Ctrl-C: everything is removed, and the exit code is the one that a shell expects."""
    make_plugin(shelf.folder, "foo", files={f"llm_foo/m{n}.py": "x = 1\n" * 500 for n in range(300)})
    running = llm.start("install", "llm-foo")
    until(lambda: bool(list(folder_of(llm).glob("g1/bin/python"))), "it has begun")

    running.send_signal(number)
    running.communicate(timeout=20)

    assert running.returncode == code
    assert not folder_of(llm).exists()
    assert processes_in(llm.home) == []


@pytest.mark.usefixtures("pip")
def test_a_question_that_is_never_answered_changes_nothing(llm: CommandLine, shelf: Shelf) -> None:
    """The terminal is closed, or Ctrl-C pressed."""
    make_plugin(shelf.folder, "foo", manifest=ASKING)

    code, shown = in_terminal(llm, "install", "llm-foo", answer="\x03")

    assert (code, record_of(llm), folder_of(llm).exists()) == (130, None, False), shown


def test_installations_of_one_plugin_at_the_same_time_take_turns(
    installer: str, llm: CommandLine, shelf: Shelf
) -> None:
    """Both succeed, and what is there is whole."""
    make_plugin(shelf.folder, "foo")
    running = [llm.start("install", "llm-foo") for _ in range(3)]
    ended = [(process.communicate(timeout=45), process.returncode) for process in running]

    assert [code for _, code in ended] == [0, 0, 0], ended
    assert llm("-m", "foo-model", "x").out == "an answer\n"
    assert sorted(path.name for path in folder_of(llm).iterdir()) == ["environment.json", "g2", "g3"]


def test_progress_is_shown_on_a_terminal_only(installer: str, llm: CommandLine, shelf: Shelf) -> None:
    """One line that vanishes; a log or a pipe gets none of it."""
    make_plugin(shelf.folder, "foo")

    piped = llm("install", "llm-foo")
    _, shown = in_terminal(llm, "install", "llm-foo")

    assert piped.err == "foo 1.0, asks for nothing beyond the default.\n"
    assert "fetching llm-foo" in shown
    assert "\x1b[K" in shown


def test_every_command_still_starts_without_installers(llm: CommandLine, tmp_path: Path) -> None:
    """Neither uv nor pip is needed until something is installed."""
    code = (
        "import sys, cellwall_kernel.environments as e; print(sorted(m for m in sys.modules if 'ven' in m))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert "cellwall_kernel.environments._make" not in ran.stdout
    assert "'venv'" not in ran.stdout
