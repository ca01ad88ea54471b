"""What `llm plugins new` writes installs, answers and passes its test, offline."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

BOUND_S = 120


def run(*argv: str, home: Path) -> str:
    """Run a program that must succeed; returns its stdout."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "CELLWALL_HOME": str(home / "cellwall")}
    ended = subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert ended.returncode == 0, f"{argv}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture
def python(tmp_path: Path) -> str:
    """The interpreter of a throw-away environment that borrows the packages of this one."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True, with_pip=False)
    python = str(folder / "bin" / "python")
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"  # Debian has several site folders
    packages = run(python, "-c", purelib, home=tmp_path).strip()
    borrowed = "; ".join(f"site.addsitedir({path!r})" for path in site.getsitepackages())
    (tmp_path / packages / "borrowed.pth").write_text(f"import site; {borrowed}\n")
    return python


@pytest.mark.skipif(find_spec("hatchling") is None, reason="the build backend is not installed here")
@pytest.mark.skipif(find_spec("pip") is None, reason="pip is not installed here")
def test_a_new_plugin_installs_answers_and_passes_its_test(
    llm: CommandLine, python: str, tmp_path: Path
) -> None:
    """The three steps that the command prints, without the network."""
    assert llm("plugins", "new", "awesome-model", "--in", str(tmp_path)).code == 0
    project = str(tmp_path / "llm-awesome-model")
    offline = ["--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    run(python, "-m", "pip", "install", *offline, "-e", f"{project}[test]", home=tmp_path)
    asked = [python, "-m", "cellwall_kernel", "-m", "awesome-model", "Tell me something"]
    assert run(*asked, home=tmp_path) == "AwesomeModel says: Tell me something\n"
    assert "2 passed" in run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", project, home=tmp_path)

    module = tmp_path / "llm-awesome-model" / "llm_awesome_model.py"
    module.write_text(module.read_text().replace("says:", "shouts:"))
    assert run(*asked, home=tmp_path) == "AwesomeModel shouts: Tell me something\n"
    assert sys.prefix not in python
