"""The place of one plugin's environments: who may change it, and what is left behind."""

from __future__ import annotations

import multiprocessing
import os
import stat
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.environments import EnvironmentFile, Wanted, installed
from cellwall_kernel.environments.making import slot
from cellwall_kernel.errors import InstallProblem, StoreProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.environments.making import Slot
    from cellwall_kernel.paths import Paths


def content(generation: str, version: str = "1.0") -> EnvironmentFile:
    """What an installation would write."""
    return EnvironmentFile(
        generation=generation,
        dist="llm-foo",
        version=version,
        plugins=("foo",),
        wanted=Wanted(name="llm-foo", requirement="llm-foo"),
        lock=(),
        site="lib",
        base="/usr/bin/python3",
        tag="t",
        installer="pip 1",
        date="2026-01-01T00:00:00Z",
    )


def folders(paths: Paths) -> list[str]:
    """What lies in the plugin's folder."""
    folder = paths.root / "environments" / "llm-foo"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def install(place: Slot, version: str = "1.0") -> None:
    """Make a generation and switch to it."""
    place.switch(content(place.new_generation().name, version))


def fail(paths: Paths) -> None:
    """Begin an installation that comes to nothing."""
    with slot(paths, "llm-foo") as place:
        place.new_generation()
        raise InstallProblem("no network")


def test_a_generation_counts_from_the_moment_of_the_switch(paths: Paths) -> None:
    """Before it there is nothing, after it everything."""
    with slot(paths, "llm-foo") as place:
        place.new_generation()
        before = installed(paths)
        place.switch(content("g1"))
        after = installed(paths)

    assert (before, [found.version for found in after]) == ([], ["1.0"])
    mode = stat.S_IMODE((paths.root / "environments" / "llm-foo" / "environment.json").stat().st_mode)
    assert mode == 0o600


def test_a_first_installation_that_fails_leaves_no_folder(paths: Paths) -> None:
    """Issue 4, 5: it changes nothing."""
    with pytest.raises(InstallProblem):
        fail(paths)

    assert folders(paths) == []


def test_an_upgrade_that_fails_leaves_what_was(paths: Paths) -> None:
    """Likewise."""
    with slot(paths, "llm-foo") as place:
        install(place)
    with pytest.raises(InstallProblem):
        fail(paths)

    assert folders(paths) == ["environment.json", "g1"]
    assert [found.version for found in installed(paths)] == ["1.0"]


def test_what_was_left_by_a_killed_process_goes_with_the_next_change(paths: Paths) -> None:
    """Nobody else would ever remove it; links in it are not followed."""
    with slot(paths, "llm-foo") as place:
        install(place)
    outside = paths.root / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    left = paths.root / "environments" / "llm-foo"
    for name in ("g2", "g7"):
        (left / name / "lib").mkdir(parents=True)
    (left / "g2" / "lib" / "link").symlink_to(outside)
    (left / "link").symlink_to(outside)
    (left / "environment.json.new").touch()

    with slot(paths, "llm-foo") as place:
        install(place, "2.0")

    assert folders(paths) == ["environment.json", "g1", "g2"]
    assert (outside / "precious").exists()


def test_a_damaged_record_counts_as_none(paths: Paths) -> None:
    """Installing again mends it."""
    folder = paths.folder("environments", "llm-foo")
    (folder / "environment.json").write_text("{")

    with slot(paths, "llm-foo") as place:
        assert place.current is None
        install(place)

    assert [found.version for found in installed(paths)] == ["1.0"]


def test_forgetting_removes_everything(paths: Paths) -> None:
    """`llm uninstall`."""
    with slot(paths, "llm-foo") as place:
        install(place)
    with slot(paths, "llm-foo") as place:
        place.forget()

    assert (folders(paths), installed(paths)) == ([], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_what_cannot_be_removed_is_named(paths: Paths) -> None:
    """The way out is by hand."""
    with slot(paths, "llm-foo") as place:
        install(place)
    generation = paths.root / "environments" / "llm-foo" / "g1"
    (generation / "locked").mkdir()
    (generation / "locked" / "file").touch()
    (generation / "locked").chmod(0o500)
    try:
        with pytest.raises(InstallProblem, match="cannot be removed"), slot(paths, "llm-foo") as place:
            place.forget()
    finally:
        (generation / "locked").chmod(0o700)


def take_turns(root: Path, number: int) -> None:
    """Install a version of one's own, in a process of one's own."""
    from cellwall_kernel.paths import Paths

    with slot(Paths(root), "llm-foo") as place:
        install(place, f"{number}.0")
        assert [found.version for found in installed(Paths(root))] == [f"{number}.0"]


def test_processes_that_change_one_plugin_take_turns(paths: Paths) -> None:
    """Each finds the state that the one before has left."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=take_turns, args=(paths.root, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(45)

    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert len(folders(paths)) == 3
    assert "g4" in folders(paths)


def test_a_user_folder_that_cannot_be_written_is_said_to_be_so(paths: Paths) -> None:
    """Nothing can be installed then."""
    paths.root.parent.mkdir(exist_ok=True)
    paths.root.write_text("a file")

    with pytest.raises(StoreProblem), slot(paths, "llm-foo"):
        pass
