"""`llm plugins new`: the names, the files, and what it refuses. That they work: test_scaffold_works."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.errors import UsageProblem
from cellwall_kernel.scaffold import Names, names_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("awesome-model", Names("awesome-model", "llm-awesome-model", "llm_awesome_model", "AwesomeModel")),
        ("llm-awesome", Names("awesome", "llm-awesome", "llm_awesome", "Awesome")),
        ("gpt4all", Names("gpt4all", "llm-gpt4all", "llm_gpt4all", "Gpt4all")),
        ("model", Names("model", "llm-model", "llm_model", "ModelModel")),
        ("none", Names("none", "llm-none", "llm_none", "NoneModel")),
    ],
)
def test_everything_is_named_after_one_name(given: str, names: Names) -> None:
    """Distribution, module, class and model follow from the name; no class hides one that is imported."""
    assert names_for(given) == names


@pytest.mark.parametrize(
    "name", ["", "Big", "a_b", "9lives", "a--b", "-a", "a-", "a.b", "a/b", "ä", "llm-", "x" * 61]
)
def test_a_name_that_would_not_do_is_refused(name: str) -> None:
    """What is no distribution name, no module name or no folder name is refused with an example."""
    with pytest.raises(UsageProblem, match="for instance 'awesome-model'"):
        names_for(name)


def test_the_project_is_written_with_its_next_steps(llm: CommandLine, tmp_path: Path) -> None:
    """Four files, the entry point, and the three commands to type next."""
    ended = llm("plugins", "new", "awesome-model", "--in", str(tmp_path))
    folder = tmp_path / "llm-awesome-model"
    assert ended.code == 0, ended.err
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "README.md",
        "llm_awesome_model.py",
        "pyproject.toml",
        "tests/test_llm_awesome_model.py",
    }
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"llm": {"awesome-model": "llm_awesome_model"}}
    assert f"-e '{folder}[test]'" in ended.out
    assert 'llm -m awesome-model "Tell me something"' in ended.out
    compile((folder / "llm_awesome_model.py").read_text(), "module", "exec")


def test_an_existing_folder_is_left_alone(llm: CommandLine, tmp_path: Path) -> None:
    """Nothing is overwritten, not even a file of the same name."""
    folder = tmp_path / "llm-mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    ended = llm("plugins", "new", "mine", "--in", str(tmp_path))
    assert ended.code == 2
    assert "exists already" in ended.err
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert (folder / "README.md").read_text() == "mine"
