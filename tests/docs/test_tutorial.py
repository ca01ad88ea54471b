"""The tutorial is true: its files are written, its commands run in order, and they print what it says.

It runs in an environment of its own that sees the packages of this one, so nothing is fetched and nothing of
what is installed here changes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
COMMAND_BOUND_S = 30

LAUNCHER = """#!{python}
import sys
from cellwall_kernel.cli import main
sys.exit(main())
"""

# pip's own settings: no network, and the build tool that is here already (a 0 switches the isolation off).
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
}


class Reader:
    """Somebody who follows the tutorial: an environment, a folder to work in, a user folder.

    Args:
        home: an empty folder for all three.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "work"
        self.folder.mkdir()
        environment = home / "venv"
        venv.create(environment)
        scripts = environment / "bin"
        python = scripts / "python"
        site_packages = next(environment.glob("lib/python3*/site-packages"))
        here = sysconfig.get_path("purelib")
        (site_packages / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        (scripts / "llm").write_text(LAUNCHER.format(python=python))
        (scripts / "llm").chmod(0o755)
        foreign = ("PIP_", "PYTHON", "LLM_", "CELLWALL_")
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            **OFFLINE,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "CELLWALL_HOME": str(home / "cellwall"),
        }

    def runs(self, command: str) -> tuple[int, str]:
        """Run a command as typed; gives its exit code, and what a terminal would show."""
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ")).resolve(strict=True)
            return 0, ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_BOUND_S,
            check=False,
        )
        return done.returncode, done.stdout


def blocks() -> list[tuple[str, str]]:
    """List the blocks of the tutorial in order: what stands after the fence, and the text."""
    fenced = re.compile(r"^```(console|python \S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(block[1], block[2]) for block in fenced.finditer(TUTORIAL.read_text("utf-8"))]


def commands(block: str) -> list[tuple[str, str]]:
    """Take a console block apart: each command with the output that the page shows."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def fits(shown: str, printed: str) -> bool:
    """Whether an output is that of the page, in which `…` stands for any text and blanks for any blanks."""
    pieces = (r"\s+".join(re.escape(word) for word in piece.split()) for piece in shown.split("…"))
    return re.fullmatch(r"\s*" + r"\s*.*?\s*".join(pieces) + r"\s*", printed, re.DOTALL) is not None


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """A page of commands that nobody runs is wrong within a month."""
    reader = Reader(tmp_path)
    count = 0
    for kind, text in blocks():
        if kind.startswith("python "):
            (reader.folder / kind.removeprefix("python ")).write_text(text)
            continue
        for command, shown in commands(text):
            code, printed = reader.runs(command)
            count += 1

            assert fits(shown, printed), f"$ {command}\n{printed}"
            assert (code == 0) is not shown.startswith("Error:"), f"$ {command} ended with {code}"
    assert count > 15


def test_an_output_that_differs_is_noticed() -> None:
    """The comparison above would be worthless if it let everything through."""
    assert fits("A pipe is awesome!\n", "A pipe is awesome!\n")
    assert fits("…\n2 passed in …\n", "..   [100%]\n2 passed in 0.01s\n")
    assert not fits("A pipe is awesome!\n", "A pipe is awesome!!\n")
    assert not fits("2 passed in …\n", "1 failed, 2 passed in 0.01s\n")
