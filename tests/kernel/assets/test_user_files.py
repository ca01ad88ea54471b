"""Files that a user adds to a plugin."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.assets.spec import FileKind
from cellwall_kernel.assets.user_files import (
    add_file,
    files_digest,
    is_unchanged,
    name_for,
    remove_file,
    user_files,
)
from cellwall_kernel.errors import NotFound, StoreProblem, UsageProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

KIND = FileKind(suffixes=[".gguf"], magic="GGUF", title="GGUF model")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that looks like a model."""
    file = tmp_path / "My Model (q4).GGUF"
    file.write_bytes(b"GGUF and more")
    return file


def test_an_added_file_stays_where_it_is(paths: Paths, model: Path) -> None:
    """Only its place, size and hash are recorded; the name is made from the file's."""
    name, file = add_file("local", model, None, kind=KIND, paths=paths)

    assert name == "My-Model--q4"
    assert file.path == str(model)
    assert file.size == model.stat().st_size
    assert file.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert user_files("local", paths) == {name: file}
    assert user_files("other", paths) == {}
    assert is_unchanged(file)


def test_a_copy_lives_in_the_user_folder_and_goes_with_its_name(paths: Paths, model: Path) -> None:
    """A copy is ours to delete, an original is not."""
    _, original = add_file("local", model, "one", kind=KIND, paths=paths)
    _, copied = add_file("local", model, "two", kind=KIND, paths=paths, copy=True)

    assert copied.path == str(paths.assets / copied.sha256 / model.name)
    remove_file("local", "two", paths=paths)
    remove_file("local", "one", paths=paths)

    assert not (paths.assets / copied.sha256).exists()
    assert model.read_bytes() == b"GGUF and more"
    assert original.path == str(model)
    assert user_files("local", paths) == {}


def test_a_copy_that_two_names_share_stays_until_the_last_is_gone(paths: Paths, model: Path) -> None:
    """The store is addressed by content."""
    _, first = add_file("local", model, "one", kind=KIND, paths=paths, copy=True)
    add_file("local", model, "two", kind=KIND, paths=paths, copy=True)

    remove_file("local", "one", paths=paths)
    assert is_unchanged(first)

    remove_file("local", "two", paths=paths)
    assert not is_unchanged(first)


def test_adding_a_file_again_updates_it(paths: Paths, model: Path) -> None:
    """After an edit the new hash is recorded."""
    add_file("local", model, "m", kind=KIND, paths=paths)
    model.write_bytes(b"GGUF, another version")
    _, file = add_file("local", model, "m", kind=KIND, paths=paths)

    assert user_files("local", paths) == {"m": file}
    assert is_unchanged(file)


def test_the_digest_follows_the_files(paths: Paths, model: Path) -> None:
    """The catalogue describes a plugin again when it changes."""
    assert files_digest("local", paths) == ""
    assert not paths.root.exists()

    add_file("local", model, "m", kind=KIND, paths=paths)
    with_one = files_digest("local", paths)
    add_file("local", model, "n", kind=KIND, paths=paths)
    with_two = files_digest("local", paths)
    remove_file("local", "n", paths=paths)

    assert len({"", with_one, with_two}) == 3
    assert files_digest("local", paths) == with_one
    assert files_digest("other", paths) == ""


def test_a_file_of_another_kind_is_refused(paths: Paths, tmp_path: Path, model: Path) -> None:
    """By its name, by its first bytes, by what it is."""
    text = tmp_path / "notes.txt"
    text.write_text("GGUF")
    fake = tmp_path / "fake.gguf"
    fake.write_text("hello")
    folder = tmp_path / "folder.gguf"
    folder.mkdir()

    with pytest.raises(
        UsageProblem, match=r"notes\.txt is not a GGUF model: its name does not end in \.gguf"
    ):
        add_file("local", text, None, kind=KIND, paths=paths)
    with pytest.raises(UsageProblem, match=r"fake\.gguf is not a GGUF model: it does not begin with 'GGUF'"):
        add_file("local", fake, None, kind=KIND, paths=paths)
    with pytest.raises(UsageProblem, match="is not a file"):
        add_file("local", folder, None, kind=KIND, paths=paths)
    with pytest.raises(NotFound, match="there is no file"):
        add_file("local", tmp_path / "gone.gguf", None, kind=KIND, paths=paths)


def test_a_name_that_is_taken_is_refused(paths: Paths, tmp_path: Path, model: Path) -> None:
    """By a file that the plugin brings along, by another file, by its characters."""
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF, other")
    add_file("local", model, "m", kind=KIND, paths=paths)

    with pytest.raises(UsageProblem, match="brings along"):
        add_file("local", other, "smollm2", kind=KIND, paths=paths, reserved=["smollm2"])
    with pytest.raises(UsageProblem, match="already the name of"):
        add_file("local", other, "m", kind=KIND, paths=paths)
    with pytest.raises(UsageProblem, match="cannot be a name"):
        add_file("local", other, "../m", kind=KIND, paths=paths)


def test_an_unknown_name_is_not_removed(paths: Paths) -> None:
    """The sentence says how to see the names."""
    with pytest.raises(NotFound, match="`llm local models`"):
        remove_file("local", "m", paths=paths)


def test_a_record_that_cannot_be_read_is_named(paths: Paths) -> None:
    """A broken user.json is not overwritten silently."""
    (paths.assets / "user.json").write_text("{")

    with pytest.raises(StoreProblem, match=r"user\.json cannot be read"):
        user_files("local", paths)


def test_many_programs_add_files_at_once(paths: Paths, tmp_path: Path) -> None:
    """None of the records is lost."""
    code = """
import sys
from pathlib import Path
from cellwall_kernel.assets.spec import FileKind
from cellwall_kernel.assets.user_files import add_file
from cellwall_kernel.paths import Paths
add_file("local", Path(sys.argv[2]), None, kind=FileKind(suffixes=[".gguf"]), paths=Paths(Path(sys.argv[1])))
"""
    children: list[subprocess.Popen[bytes]] = []
    for number in range(6):
        file = tmp_path / f"m{number}.gguf"
        file.write_text(str(number))
        children.append(subprocess.Popen([sys.executable, "-c", code, str(paths.root), str(file)]))

    assert [child.wait(30) for child in children] == [0] * 6
    assert sorted(user_files("local", paths)) == [f"m{number}" for number in range(6)]


def test_a_name_is_made_of_any_file_name(tmp_path: Path) -> None:
    """Even of one without a usable character."""
    assert name_for(tmp_path / "Llama-3.2-1B.Q4_K_M.gguf") == "Llama-3.2-1B.Q4_K_M"
    assert name_for(tmp_path / "模型.gguf") == "file"
