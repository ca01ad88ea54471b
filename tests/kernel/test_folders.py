"""How much a plugin keeps is counted with bounded work, whatever it does to its folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.process._folders import folder_excess, full_look, measure
from cellwall_kernel.wall import DEFAULT_LIMITS, Policy

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024
PLENTY = 1 << 40


def test_files_in_all_folders_below_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    """A file with a hole takes what is written, not what its size says."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "full").write_bytes(os.urandom(64 * KIB))
    with (folder / "hole").open("wb") as file:
        file.truncate(1 << 30)

    found = measure([str(tmp_path)], most_bytes=PLENTY, most_entries=100)

    assert 64 * KIB <= found.size_bytes < 1024 * KIB
    assert (found.entries, found.is_complete) == (4, True)


def test_symbolic_links_lead_nowhere(tmp_path: Path) -> None:
    """One to the root of the file system must not make the host count the whole disk."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "root").symlink_to("/")
    (own / "me").symlink_to(own)

    found = measure([str(own)], most_bytes=PLENTY, most_entries=100)

    assert (found.entries, found.is_complete) == (2, True)


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    """Caches of packages link files instead of copying them."""
    (tmp_path / "one").write_bytes(os.urandom(64 * KIB))
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    found = measure([str(tmp_path)], most_bytes=PLENTY, most_entries=100)

    assert found.size_bytes < 128 * KIB


@pytest.mark.parametrize(("most_bytes", "most_entries"), [(200 * KIB, 1000), (PLENTY, 20)])
def test_the_counting_stops_at_a_limit(most_bytes: int, most_entries: int, tmp_path: Path) -> None:
    """Nobody needs to know by how much a limit was passed."""
    for number in range(100):
        (tmp_path / f"{number}").write_bytes(os.urandom(10 * KIB))

    found = measure([str(tmp_path)], most_bytes=most_bytes, most_entries=most_entries)

    assert not found.is_complete
    assert found.entries <= 21


def test_what_is_missing_holds_nothing(tmp_path: Path) -> None:
    """Folders go while they are counted."""
    found = measure([str(tmp_path / "gone")], most_bytes=1, most_entries=1)

    assert (found.size_bytes, found.is_complete) == (0, True)


def test_a_folder_that_lies_too_deep_to_be_counted_is_too_much(tmp_path: Path) -> None:
    """Step by step, folders can be made below any path that can be named from outside."""
    policy = Policy(cwd=str(tmp_path), own=(str(tmp_path / "data"),), resources=DEFAULT_LIMITS)
    (tmp_path / "data").mkdir()
    here = os.open(tmp_path / "data", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=here)
        deeper = os.open("x" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)

    excess = folder_excess(policy, full_look(policy))

    assert excess is not None
    assert "cannot be counted" in excess.sentence("zoo", policy.resources)
    assert len(excess.sentence("zoo", policy.resources)) < 500


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_that_hides_what_is_in_it_is_too_much(tmp_path: Path) -> None:
    """Inside a namespace a plugin may change the mode of its folders."""
    policy = Policy(cwd=str(tmp_path), own=(str(tmp_path / "data"),), resources=DEFAULT_LIMITS)
    hidden = tmp_path / "data" / "hidden"
    hidden.mkdir(parents=True)
    hidden.chmod(0)

    excess = folder_excess(policy, full_look(policy))
    hidden.chmod(0o700)

    assert excess is not None
    assert f"what is in {hidden} cannot be counted" in excess.what
