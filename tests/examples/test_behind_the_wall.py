"""Both examples as people use them: `llm install --build FOLDER`, then prompts, behind the wall."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import requires
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.paths import Paths
from cellwall_kernel.wall import Mechanisms
from tests.cli.conftest import CommandLine
from tests.examples.conftest import ROOT
from tests.support.wheels import repack, stock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("hatchling") is None, reason="the build backend is not installed here"),
]


def needed_by(name: str) -> set[str]:
    """List a distribution that is installed here, and all that it needs."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [name]
    while waiting:
        found.add(each := waiting.pop())
        needs = [Requirement(line) for line in requires(each) or ()]
        wanted = [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
        waiting += [need for need in wanted if need not in found]
    return found


def installed(folder: Path, name: str) -> CommandLine:
    """Install an example from its folder, as its page says, with nothing but a shelf of wheels at hand."""
    if not Mechanisms.detect(Paths(folder / "probe")).confines:
        pytest.skip("this machine has no wall, and sources are only built behind one")
    shelf = stock(folder / "shelf", folder / "scratch")
    for tool in needed_by("hatchling"):
        repack(tool, shelf.folder)
    (folder / "site").mkdir()
    llm = CommandLine(home=folder / "home", site=folder / "site", variables=dict(shelf.variables))
    ended = llm("install", "--build", "--yes-as-asked", str(ROOT / "examples" / name))
    log = folder / "home" / "environments" / ".builds.log"
    assert ended.code == 0, ended.err + (log.read_text() if log.exists() else "")
    return llm


@pytest.fixture(scope="module")
def with_javascript(node: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A command line with the example in JavaScript installed."""
    return installed(tmp_path_factory.mktemp("javascript"), "javascript")


@pytest.fixture(scope="module")
def with_c(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A command line with the example in C installed: compiled behind the wall."""
    return installed(tmp_path_factory.mktemp("c"), "c")


@pytest.fixture
def node_on_path(node: str, both_walls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js is on the search path, also where the folder that it shares with bubblewrap is not."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").symlink_to(node)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("node") == str(tmp_path / "bin" / "node")


@pytest.mark.usefixtures("node_on_path")
def test_the_example_in_javascript_answers(with_javascript: CommandLine) -> None:
    """Issue 3, 7: a wheel whose plugin is a script for Node.js."""
    ended = with_javascript("-m", "js-clerk", "-s", "Be brief.", "Hello there, 🦉")

    assert (ended.code, ended.out) == (0, "Hello there, 🦉\n"), ended.err


@pytest.mark.usefixtures("node_on_path")
def test_the_options_of_the_example_in_javascript_are_its_own(with_javascript: CommandLine) -> None:
    """[P-64] What they are is listed, and what is wrong with one is said by the plugin."""
    listed = with_javascript("models", "list", "--options")
    good = with_javascript("-m", "js-clerk", "-o", "times", "3", "ho")
    bad = with_javascript("-m", "js-clerk", "-o", "times", "none", "ho")

    assert "How often it says it." in listed.out
    assert (good.code, good.out) == (0, "ho ho ho\n"), good.err
    assert bad.code != 0
    assert "times" in bad.err


@pytest.mark.usefixtures("node_on_path")
def test_the_example_in_javascript_gets_the_key_that_was_granted(with_javascript: CommandLine) -> None:
    """[P-67] It was granted with --yes-as-asked, and comes over the protocol."""
    missing = with_javascript("-m", "js-courier", "two words")
    with_javascript.variables["EXAMPLE_JS_KEY"] = "sesame"
    try:
        given = with_javascript("-m", "js-courier", "two words")
    finally:
        del with_javascript.variables["EXAMPLE_JS_KEY"]

    assert missing.code != 0
    assert "llm keys set example-js" in missing.err
    assert (given.code, given.out) == (
        0,
        "I would deliver your 2 words with a key of 6 characters.\n",
    ), given.err


@pytest.mark.usefixtures("both_walls")
def test_the_example_in_c_answers(with_c: CommandLine) -> None:
    """Issue 3, 7: a wheel with a binary, which was compiled behind the wall."""
    short = with_c("-m", "c-mirror", "Hello there, 🦉")
    long = with_c("-m", "c-mirror", "-o", "times", "20000", "0123456789")
    bad = with_c("-m", "c-mirror", "-o", "times", "none", "x")

    assert (short.code, short.out) == (0, "🦉 ,ereht olleH\n"), short.err
    assert (long.code, long.out) == (0, "9876543210" * 20_000 + "\n")
    assert "times" in bad.err


@pytest.mark.usefixtures("node_on_path")
def test_the_example_in_javascript_passes_the_check(with_javascript: CommandLine) -> None:
    """Issue 3, 7: what any author can run finds nothing against it."""
    ended = with_javascript("plugins", "check", "example-js")

    assert (ended.code, "FAILED" in ended.out) == (0, False), ended.out + ended.err


@pytest.mark.usefixtures("both_walls")
def test_the_example_in_c_passes_the_check(with_c: CommandLine) -> None:
    """Issue 3, 7: likewise."""
    ended = with_c("plugins", "check", "example-c")

    assert (ended.code, "FAILED" in ended.out) == (0, False), ended.out + ended.err


def test_what_was_built_is_nowhere_in_the_checkout(with_c: CommandLine) -> None:
    """The build works on a copy; the sources stay as they were."""
    package = ROOT / "examples" / "c" / "llm_example_c"

    assert not (package / "model").exists()
    assert list((with_c.home / "environments").glob("**/llm_example_c/model"))
