"""The zoo on the command line: what the user of each plugin sees, and that nobody else is hurt."""

from __future__ import annotations

import json
import os
import re
import select
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children.kit import HERE
from tests.children.zoo import ESCAPES, SHARED, ZOO, Specimen, file_of, install_specimen, processes_below
from tests.cli.conftest import PARROT, TIMEOUT_S, CommandLine, Finished, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),  # all of them are started by whichever test comes first
    pytest.mark.skipif(
        sys.platform != "linux", reason="some are held by parts of the wall that only Linux has"
    ),
]

AT_ONCE = 5
"""How many specimens are prompted at once beside one neighbour, by either of two."""


@dataclass
class Visit:
    """What came of it.

    Args:
        llm: the command line in whose environment all are installed.
        missing: specimen -> why it could not be installed.
        listed: plugin -> what `llm plugins list --json` said of it.
        ends: specimen -> how its prompt ended.
        neighbours: specimen -> how another plugin's prompt beside it ended.
    """

    llm: CommandLine
    missing: dict[str, str] = field(default_factory=dict[str, str])
    listed: dict[str, Any] = field(default_factory=dict[str, Any])
    ends: dict[str, Finished] = field(default_factory=dict[str, Finished])
    neighbours: dict[str, Finished] = field(default_factory=dict[str, Finished])

    def move_in(self, specimen: Specimen) -> None:
        """Install a specimen, and set for it what its row says."""
        try:
            install_specimen(self.llm.site, specimen)
        except LookupError as problem:
            self.missing[specimen.name] = str(problem)
        else:
            if specimen.grants:
                self.llm.grant(specimen.name, *specimen.grants)
            if specimen.deadlines:
                assert self.llm("plugins", "timeouts", specimen.name, *specimen.deadlines).code == 0

    def ask_for_all(self) -> None:
        """Have every plugin asked what it offers, as the first command does."""
        ended = self.llm("plugins", "list", "--json")
        assert ended.code == 0, ended.err
        self.listed = {entry["name"]: entry for entry in json.loads(ended.out)}

    def provoke(self, *crowd: Specimen) -> None:
        """Prompt some specimens at once, and their neighbour when all of them are at it."""
        running = [
            (specimen, self.llm.start(*specimen.options, "-m", specimen.model, "hi"))
            for specimen in crowd
            if specimen.name not in self.missing
        ]
        neighbour = self.llm("-m", "parrot", "hello")
        for specimen, command in running:
            out, err = command.communicate(timeout=specimen.bound_s)
            self.ends[specimen.name] = Finished(command.returncode, out.decode(), err.decode())
            self.neighbours[specimen.name] = neighbour


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """All specimens, prompted once, several at a time."""
    folder = tmp_path_factory.mktemp("zoo")
    for name in ("site", "bin"):
        (folder / name).mkdir()
    (folder / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    llm = CommandLine(home=folder / "home", site=folder / "site", variables={"PATH": path})
    llm.plugin("parrot", PARROT)
    found = Visit(llm)
    try:
        for specimen in ZOO:
            found.move_in(specimen)
        found.ask_for_all()
        slow_first = sorted(ZOO, key=lambda specimen: -specimen.code)
        with ThreadPoolExecutor(2) as visitors:
            crowds = [slow_first[start : start + AT_ONCE] for start in range(0, len(ZOO), AT_ONCE)]
            for done in [visitors.submit(found.provoke, *crowd) for crowd in crowds]:
                done.result()
        yield found
    finally:
        llm.end_all()


@pytest.mark.parametrize("specimen", ZOO, ids=lambda specimen: specimen.name)
def test_the_user_reads_what_happened_and_nobody_else_is_hurt(specimen: Specimen, visit: Visit) -> None:
    """Issue 3, 5: message, exit code and bound stand in the table; another plugin's prompt works beside."""
    if specimen.name in visit.missing:
        pytest.skip(visit.missing[specimen.name])
    ended, neighbour = visit.ends[specimen.name], visit.neighbours[specimen.name]

    assert (0, "hello\n", "") == (neighbour.code, neighbour.out, neighbour.err)
    assert (specimen.code, specimen.out) == (ended.code, ended.out), ended.err
    assert "\x1b" not in ended.err
    if specimen.offers_a_model:
        assert re.fullmatch(specimen.reads, ended.err), ended.err
    else:
        assert ended.err.startswith(f"Error: there is no model '{specimen.model}'; ")
        assert f"'{specimen.name}'" in ended.err.partition("Not asked: ")[2]
        assert re.fullmatch(specimen.reads, visit.listed[specimen.name]["cause"], re.DOTALL)


def test_nothing_is_left_of_them(visit: Visit) -> None:
    """Statement 33: no process lives on, whatever it ignored, started or left behind."""
    until(lambda: not processes_below(visit.llm.home), "all have ended")


def test_no_command_is_broken_by_all_of_them_together(visit: Visit) -> None:
    """Anchor 44: whoever is installed beside them does not notice."""
    for arguments in (
        ["--help"],
        ["models", "list"],
        ["plugins", "list"],
        ["logs", "list"],
        ["keys", "list"],
    ):
        ended = visit.llm(*arguments)
        assert ended.code == 0, ended.err
        assert [] == re.findall(r"^(?:Error|Warning|Traceback).*", ended.err, re.MULTILINE)


def test_what_a_plugin_calls_itself_never_steers_a_terminal(visit: Visit) -> None:
    """[P-91] Names, titles, notes and answers, in every place that shows them."""
    name = "steers_the_terminal"
    for arguments in (
        ["models", "list"],
        ["models", "list", "--options"],
        ["plugins", "list"],
        ["plugins", "show", name],
        ["-m", name, "hi"],
        ["logs", "list", "-n", "0"],
        ["-m", ESCAPES, "hi"],
    ):
        seen = shown_on_terminal(visit.llm, *arguments)

        for sequence in (b"\x1b]", b"\x1b[2J", b"\x07", b"\x08", "\x9b".encode()):
            assert sequence not in seen, (arguments, seen)
        if arguments[0] != "plugins":
            assert b"hijacked" in seen, (arguments, seen)


def test_the_zoo_is_complete() -> None:
    """Issue 3, 5: at least forty, some in C and some in shell; no program stands in the folders unnoticed."""
    files = {file_of(specimen) for specimen in ZOO}
    there = {path for name in ("plugins", "programs") for path in (HERE / name).iterdir() if path.is_file()}
    tests = "".join(path.read_text("utf-8") for path in HERE.parent.rglob("test_*.py"))
    others = {path for path in there - files if path.name not in SHARED}

    assert len(ZOO) == len(files) >= 40
    assert {"Python", "shell", "C"} == {specimen.language for specimen in ZOO}
    assert files <= there
    assert [] == [path.name for path in others if f'"{path.stem}"' not in tests]  # driven by another test


def shown_on_terminal(llm: CommandLine, *arguments: str) -> bytes:
    """Run a command on a terminal and return all that it wrote there."""
    pid, terminal = llm.on_terminal(*arguments)
    seen, end = b"", time.monotonic() + TIMEOUT_S
    while select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
    os.close(terminal)
    os.waitpid(pid, 0)
    return seen
