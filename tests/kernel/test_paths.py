"""The user folder: where it is, and what asking for a place in it does."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.paths import Paths


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_variable_chooses_the_folder(tmp_path: Path) -> None:
    """`$CELLWALL_HOME` is the user folder, and asking makes nothing (kernel policy)."""
    paths = Paths.from_environment({"CELLWALL_HOME": str(tmp_path / "home")})
    assert paths.root == tmp_path / "home"
    assert (paths.keys, paths.config, paths.logs_db) == (
        paths.root / "keys.json",
        paths.root / "config.json",
        paths.root / "logs.db",
    )
    assert not paths.root.exists()


@pytest.mark.parametrize("unset", [{}, {"CELLWALL_HOME": ""}])
def test_without_the_variable_it_is_the_platforms_folder(unset: dict[str, str]) -> None:
    """An empty variable counts as none."""
    root = Paths.from_environment(unset).root
    assert root.is_absolute()
    assert root.name in ("cellwall", "Cellwall")


def test_a_relative_variable_is_made_absolute() -> None:
    """A child with another working folder must find the same files."""
    assert Paths.from_environment({"CELLWALL_HOME": "here"}).root == Path.cwd() / "here"


def test_a_tilde_in_the_variable_is_the_home_folder() -> None:
    """Variables of a service file are not expanded by a shell."""
    assert "~" not in str(Paths.from_environment({"CELLWALL_HOME": "~/cells"}).root)


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """Asking for a folder makes it with mode 0700, parents included, whatever the umask allows."""
    before = os.umask(0)
    try:
        paths = Paths(tmp_path / "a" / "home")
        folders = [paths.catalogue_dir, paths.assets, paths.plugin_data("echo"), paths.plugin_tmp("echo")]
        log = paths.plugin_log("other")
    finally:
        os.umask(before)
    assert all(mode(folder) == 0o700 for folder in folders)
    assert mode(paths.root) == mode(paths.root / "plugins") == mode(paths.root / "plugins" / "echo") == 0o700
    assert (log.parent.is_dir(), log.exists(), log.name) == (True, False, "stderr.log")


def test_a_folder_that_the_user_made_keeps_its_mode(tmp_path: Path) -> None:
    """It may be shared on purpose."""
    (tmp_path / "home").mkdir(mode=0o755)
    assert mode(Paths(tmp_path / "home").folder()) == 0o755


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """The sentence says which folder cannot be made and what to do."""
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StoreProblem, match=r"the folder .*home.* cannot be made: .*CELLWALL_HOME"):
        Paths(tmp_path / "home").plugin_data("echo")


@pytest.mark.parametrize(
    "name", ["..", ".", "../../etc", "a/b", "", "Echo", "ECHO", "ä", "a\0b", "x" * 300, "~"]
)
def test_no_plugin_name_leaves_its_folder(tmp_path: Path, name: str) -> None:
    """A name from packaging metadata is a stranger's text."""
    paths = Paths(tmp_path)
    data = paths.plugin_data(name)
    assert data.is_dir()
    assert data.parent.parent == tmp_path / "plugins"
    assert data.parent.name not in (".", "..", "echo")


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_plugins_never_share_a_folder(first: str, second: str) -> None:
    """Different names have different folders, also where the file system ignores case."""
    from cellwall_kernel.paths import _folder_name  # pyright: ignore[reportPrivateUsage]

    assert (first == second) == (_folder_name(first).casefold() == _folder_name(second).casefold())


def test_a_name_cannot_imitate_the_hash_of_another(tmp_path: Path) -> None:
    """The folder of "Echo" holds a hash; a plugin that calls itself that gets a different one."""
    paths = Paths(tmp_path)
    theirs = paths.plugin_data("Echo").parent.name
    assert paths.plugin_data(theirs).parent.name != theirs
