"""The files that a plugin is told about when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.assets.launching import resolve_for_launch
from cellwall_kernel.assets.spec import AssetSpec, FileKind
from cellwall_kernel.assets.user_files import add_file
from cellwall_kernel.errors import AssetProblem, NotFound
from cellwall_kernel.manifest import Manifest
from cellwall_wire import AssetFile
from tests.kernel.assets.site import CONTENT, spec_for

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

KIND = FileKind(suffixes=[".gguf"])


def manifest(*sources: str) -> Manifest:
    """A plugin with one declared file, that also takes files of the user."""
    return Manifest(assets=[spec_for(*sources)], files=KIND)


def test_a_needed_file_is_fetched_and_handed_over(paths: Paths, tmp_path: Path) -> None:
    """The plugin gets a path, a hash, and the word that it is not the user's."""
    tmp_path.joinpath("here.gguf").write_bytes(CONTENT)
    plugin = manifest(f"{tmp_path}/here.gguf")
    spec = plugin.assets[0]

    files = resolve_for_launch(plugin, ["model"], "local", paths)

    path = paths.assets / spec.sha256 / "model.gguf"
    assert files == {"model": AssetFile(str(path), spec.sha256, None, user=False)}
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_not_needed_is_not_fetched(paths: Paths) -> None:
    """Describing a plugin never downloads anything, and makes no folder."""
    assert resolve_for_launch(manifest("/nowhere"), [], "local", paths) == {}
    assert resolve_for_launch(None, [], "local", paths) == {}
    assert not paths.root.exists()


def test_a_file_that_cannot_be_had_is_a_problem(paths: Paths) -> None:
    """The advice names the way for files of one's own."""
    with pytest.raises(AssetProblem, match="`llm local add PATH`"):
        resolve_for_launch(manifest("/nowhere"), ["model"], "local", paths)


def test_files_of_the_user_are_handed_over(paths: Paths, tmp_path: Path) -> None:
    """All of them, without being needed; the hash only while it is still true."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"one")
    _, added = add_file("local", file, None, kind=KIND, paths=paths)
    expected = AssetFile(str(file), added.sha256, "mine", user=True)

    assert resolve_for_launch(manifest("/nowhere"), ["mine"], "local", paths) == {"mine": expected}

    file.write_bytes(b"another")
    changed = AssetFile(str(file), None, "mine", user=True)
    assert resolve_for_launch(manifest("/nowhere"), [], "local", paths) == {"mine": changed}


def test_a_file_of_the_user_that_is_gone_is_a_problem_only_when_needed(paths: Paths, tmp_path: Path) -> None:
    """Other models of the plugin go on working."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"one")
    add_file("local", file, None, kind=KIND, paths=paths)
    file.unlink()

    assert list(resolve_for_launch(None, [], "local", paths)) == ["mine"]
    with pytest.raises(AssetProblem, match=r"mine\.gguf of 'mine' is gone; .*`llm local remove mine`"):
        resolve_for_launch(None, ["mine"], "local", paths)


def test_a_declared_file_wins_over_one_of_the_user(paths: Paths, tmp_path: Path) -> None:
    """A new version of the plugin may declare a name that the user had chosen before."""
    file = tmp_path / "model.gguf"
    file.write_bytes(CONTENT)
    add_file("local", file, None, kind=KIND, paths=paths)

    files = resolve_for_launch(manifest(str(file)), ["model"], "local", paths)

    assert not files["model"].user


def test_a_name_that_nobody_declared_is_named(paths: Paths) -> None:
    """The plugin's models and its manifest do not fit together."""
    with pytest.raises(NotFound, match="plugin 'local' asks for the data file 'other'"):
        resolve_for_launch(manifest("/nowhere"), ["other"], "local", paths)


def test_two_declared_files_are_kept_apart(paths: Paths, tmp_path: Path) -> None:
    """Each has its own folder, named by content."""
    specs: list[AssetSpec] = []
    for name in ("one", "two"):
        file = tmp_path / f"{name}.gguf"
        file.write_text(name)
        spec = spec_for(str(file), content=name.encode(), size=None)
        specs.append(AssetSpec(name=name, file="m.gguf", sha256=spec.sha256, sources=spec.sources))

    files = resolve_for_launch(Manifest(assets=specs), ["one", "two"], "local", paths)

    assert {name: Path(file.path).read_text() for name, file in files.items()} == {"one": "one", "two": "two"}
