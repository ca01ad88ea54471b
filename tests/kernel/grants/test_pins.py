"""Pins: which files count, what is noticed, and that a change can be named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellwall_kernel.discovery import PluginRecord, discover
from cellwall_kernel.grants import Change, accept, changes_since, check, pin_of
from cellwall_kernel.grants._contents import contents_of
from cellwall_kernel.permissions import Permissions
from tests.children.kit import environment_of, install

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

FILES = {"llm_foo/__init__.py": "one = 1\n", "llm_foo/sub/part.py": "", "llm_foo/plugin.toml": ""}


@pytest.fixture
def record(site: Path) -> PluginRecord:
    """A plugin in the environment of `llm`."""
    install(site, "LLM.Foo", FILES, points={"foo": "llm_foo"}, version="1.0")
    (found,) = discover(environment_of(site))
    return found


@pytest.fixture
def own(record: PluginRecord, site: Path) -> PluginRecord:
    """The same plugin, alone in an environment of its own."""
    (site / "llm_foo/__pycache__").mkdir()
    (site / "llm_foo/__pycache__/__init__.pyc").write_bytes(b"code")
    (site / "bin").mkdir()
    (site / "bin/python").symlink_to("/usr/bin/env")
    (site / "lib64").symlink_to(".")
    return msgspec.structs.replace(record, environment=str(site))


def test_in_a_shared_environment_the_recorded_files_count(record: PluginRecord, site: Path) -> None:
    """What others installed beside it, bytecode and an installer's notes do not."""
    info = next(site.glob("*.dist-info"))
    (info / "INSTALLER").write_text("pip")
    (info / "RECORD").write_text((info / "RECORD").read_text() + "llm_foo/__pycache__/__init__.pyc,,\n")
    (site / "other.py").touch()

    assert sorted(contents_of(record)) == sorted(
        [*FILES, f"{info.name}/METADATA", f"{info.name}/entry_points.txt"]
    )


def test_names_with_commas_and_quotes_are_read(record: PluginRecord, site: Path) -> None:
    """RECORD is a CSV file, and wheels may hold any name."""
    info = next(site.glob("*.dist-info"))
    (site / 'a,"b".txt').write_text("x")
    (info / "RECORD").write_text('"a,""b"".txt",sha256=x,1\n')

    assert list(contents_of(record)) == ['a,"b".txt']


def test_without_a_record_the_module_counts(record: PluginRecord, site: Path) -> None:
    """Packages of some Linux distributions have none."""
    next(site.glob("*.dist-info/RECORD")).unlink()
    (site / "llm_foo/__pycache__").mkdir()
    (site / "llm_foo/__pycache__/part.pyc").touch()

    assert sorted(contents_of(record)) == sorted(FILES)


def test_in_its_own_environment_everything_counts(own: PluginRecord, site: Path) -> None:
    """Bytecode too; of the interpreter only where it is, because the system updates it."""
    contents = contents_of(own)

    assert {*FILES, "llm_foo/__pycache__/__init__.pyc", "bin/python", "lib64"} <= contents.keys()
    assert contents["bin/python"] == "-> /usr/bin/env"
    assert contents["lib64"] == "-> ."


@pytest.mark.parametrize("change", ["edit", "grow", "add", "remove", "link", "bytecode"])
def test_every_kind_of_change_is_noticed(change: str, own: PluginRecord, site: Path) -> None:
    """Content, names, links; bytecode by reading all, since looks need not tell of it."""
    pin = pin_of(own)
    module, cached = site / "llm_foo/__init__.py", site / "llm_foo/__pycache__/__init__.pyc"
    if change == "edit":
        module.write_text("two = 2\n")
        os.utime(module, (1, 1))
    elif change == "grow":
        times = module.stat()
        module.write_text("one = 1 + 1\n")
        os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "add":
        (site / "llm_foo/more.py").touch()
    elif change == "remove":
        (site / "llm_foo/sub/part.py").unlink()
    elif change == "link":
        (site / "bin/python").unlink()
        (site / "bin/python").symlink_to("/bin/sh")
    else:
        cached.write_bytes(b"evil")

    verdict = check(own, pin, thorough=change == "bytecode")

    assert verdict.state == "changed"
    assert verdict.cause == "its files are others"


def test_untouched_files_are_not_read(own: PluginRecord, site: Path) -> None:
    """A launch compares looks only; whoever keeps size and time is found by `verify`, which reads all."""
    pin = pin_of(own)
    module = site / "llm_foo/__init__.py"
    times = module.stat()
    module.write_text("two = 2\n")
    os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert check(own, pin).state == "same"
    assert check(own, pin, thorough=True).state == "changed"


def test_the_place_of_an_environment_does_not_count(own: PluginRecord, site: Path, tmp_path: Path) -> None:
    """The same files elsewhere have the same digest."""
    pin = pin_of(own)
    site.rename(tmp_path / "elsewhere")

    moved = msgspec.structs.replace(own, environment=str(tmp_path / "elsewhere"))

    assert pin_of(moved).tree == pin.tree


def test_what_is_no_file_is_not_read(record: PluginRecord, site: Path) -> None:
    """A pipe in a package would hold up every launch for ever."""
    (site / "llm_foo/sub/part.py").unlink()
    os.mkfifo(site / "llm_foo/sub/part.py")

    assert contents_of(record)["llm_foo/sub/part.py"] == "no file"


def test_changed_files_are_named(own: PluginRecord, site: Path, paths: Paths) -> None:
    """`llm plugins verify` says what is different, not only that something is."""
    pin = accept(paths, own, Permissions(keys=("a",))).pin
    assert pin is not None
    (site / "llm_foo/__init__.py").write_text("two = 2\n")
    (site / "llm_foo/more.py").touch()
    (site / "llm_foo/sub/part.py").unlink()

    assert changes_since(paths, pin, check(own, pin).listing) == [
        Change("changed", "llm_foo/__init__.py"),
        Change("new", "llm_foo/more.py"),
        Change("gone", "llm_foo/sub/part.py"),
    ]


def test_a_list_of_files_that_was_tampered_with_is_not_believed(own: PluginRecord, paths: Paths) -> None:
    """Its name is the digest of its content; without it, a change is noticed all the same."""
    pin = accept(paths, own, Permissions(keys=("a",))).pin
    assert pin is not None
    (listing,) = paths.folder("pins").glob("*.json")
    listing.write_text('{"llm_foo/__init__.py": "0"}')

    assert changes_since(paths, pin, contents_of(own)) is None
    listing.unlink()
    assert changes_since(paths, pin, contents_of(own)) is None


def test_lists_of_files_do_not_pile_up(own: PluginRecord, site: Path, paths: Paths) -> None:
    """Each pin takes the place of the one before."""
    for number in range(3):
        (site / "llm_foo/__init__.py").write_text(f"number = {number}\n")
        accept(paths, own, Permissions(keys=("a",)))

    assert len(list(paths.folder("pins").glob("*.json"))) == 1
