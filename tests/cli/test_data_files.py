"""`llm PLUGIN models|pull|add|remove`, for a plugin whose models show their files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine

CONTENT = b"DATA and so on"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

PLUGIN = """
    from cellwall_sdk import Model, assets, hookimpl

    class Shelf(Model):
        def __init__(self, name):
            super().__init__(name)
            self.needs_assets = (name,)

        def execute(self, prompt):
            return assets()[self.model_id].path.read_text()

    @hookimpl
    def register_models(register):
        register(Shelf("table"), aliases=("desk",))
        for name, file in assets().items():
            if file.user:
                register(Shelf(name))
"""

MANIFEST = """
    [[assets]]
    name = "table"
    file = "table.data"
    title = "A table"
    license = "CC0-1.0"
    size = {size}
    sha256 = "{sha256}"
    sources = ["{source}"]

    [files]
    suffixes = [".data"]
    magic = "DATA"
    title = "data file"
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The file that the plugin declares, where its source says."""
    file = tmp_path / "source.data"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def shelf(llm: CommandLine, source: Path) -> CommandLine:
    """The command line with the plugin `shelf`."""
    module = llm.plugin("shelf", PLUGIN)
    text = MANIFEST.format(size=len(CONTENT), sha256=SHA256, source=source)
    module.with_name("shelf.plugin.toml").write_text("\n".join(line.strip() for line in text.splitlines()))
    return llm


def test_the_group_explains_itself(shelf: CommandLine) -> None:
    """Without a command there is help."""
    done = shelf("shelf", "--help")

    assert done.code == 0, done.err
    assert "The data files of the plugin 'shelf'." in done.out
    assert [line.split()[0] for line in done.out.partition("Commands:")[2].split("\n")[1:] if line] == [
        "add",
        "models",
        "pull",
        "remove",
    ]


def test_files_are_listed_with_their_state(shelf: CommandLine, tmp_path: Path) -> None:
    """One line each, in a form that other programs can read; paths are in the JSON."""
    mine, gone = tmp_path / "mine.data", tmp_path / "gone.data"
    for file in (mine, gone):
        file.write_bytes(b"DATA" + file.name.encode())
        assert shelf("shelf", "add", str(file)).code == 0
    gone.unlink()
    assert shelf("shelf", "models").out == (
        "table\tA table\t14 B\tnot downloaded\n"
        "gone\tgone.data\t13 B\tmissing\n"
        "mine\tmine.data\t13 B\tuser file\n"
    )

    mine.write_bytes(b"DATA, changed")
    pulled = shelf("shelf", "pull")
    rows = json.loads(shelf("shelf", "models", "--json").out)

    assert [row["state"] for row in rows] == ["present", "missing", "changed"]
    assert rows[0]["path"] == pulled.out.strip()
    assert rows[0]["license"] == "CC0-1.0"
    assert rows[2]["path"] == str(mine)


def test_pull_fetches_and_then_checks(shelf: CommandLine, source: Path) -> None:
    """stdout has the path, stderr what happened; a damaged file is fetched again."""
    first = shelf("shelf", "pull")
    assert (first.code, first.err) == (0, "Fetching A table (14 B)\n")
    path = shelf.home / "assets" / SHA256 / "table.data"
    assert first.out == f"{path}\n"

    second = shelf("shelf", "pull", "table")
    assert (second.code, second.err) == (0, "'table' is here and its SHA-256 is right.\n")

    path.chmod(0o600)
    path.write_bytes(CONTENT[::-1])
    third = shelf("shelf", "pull")
    assert third.err.startswith("The file of 'table' was damaged; it is fetched again.\n")
    assert path.read_bytes() == CONTENT


def test_a_prompt_fetches_what_it_needs(shelf: CommandLine) -> None:
    """The plugin reads the file by the path that it was given."""
    done = shelf("-m", "desk", "hi")

    assert (done.code, done.out) == (0, CONTENT.decode() + "\n"), done.err
    assert "Fetching A table" in done.err


def test_a_file_that_cannot_be_had_is_one_sentence_and_an_exit_code(shelf: CommandLine, source: Path) -> None:
    """7, as of every problem with a data file."""
    source.unlink()

    for arguments in (("shelf", "pull"), ("-m", "table", "hi")):
        done = shelf(*arguments)
        assert (done.code, done.out) == (7, "")
        assert "could not be fetched" in done.err
        assert f"{source} does not exist" in done.err
        assert "`llm shelf add PATH`" in done.err
        assert "Traceback" not in done.err


def test_a_wrong_file_is_refused(shelf: CommandLine, source: Path) -> None:
    """Nothing is left of it."""
    source.write_bytes(CONTENT[::-1])

    done = shelf("shelf", "pull")

    assert done.code == 7
    assert SHA256 in done.err
    assert not (shelf.home / "assets" / SHA256).exists()


def test_an_added_file_is_a_model_until_it_is_removed(shelf: CommandLine, tmp_path: Path) -> None:
    """The catalogue notices both without being told."""
    file = tmp_path / "mine.data"
    file.write_bytes(b"DATA of mine")
    assert shelf("-m", "m2", "hi").code == 3

    added = shelf("shelf", "add", str(file), "--name", "m2")
    assert (added.code, added.out) == (0, "m2\n"), added.err
    answer = shelf("-m", "m2", "hi")
    assert (answer.code, answer.out) == (0, "DATA of mine\n"), answer.err

    removed = shelf("shelf", "remove", "m2")
    assert (removed.code, removed.err) == (0, f"'m2' is forgotten; the file {file} stays.\n")
    assert shelf("-m", "m2", "hi").code == 3
    assert file.exists()


def test_a_file_that_has_gone_is_named(shelf: CommandLine, tmp_path: Path) -> None:
    """When its model is asked; others are not touched."""
    file = tmp_path / "mine.data"
    file.write_bytes(b"DATA")
    shelf("shelf", "add", str(file))
    file.unlink()

    done = shelf("-m", "mine", "hi")

    assert done.code == 7
    assert f"the file {file} of 'mine' is gone" in done.err
    assert shelf("-m", "table", "hi").code == 0


def test_a_copy_outlives_the_original(shelf: CommandLine, tmp_path: Path) -> None:
    """And is deleted with its name."""
    file = tmp_path / "mine.data"
    file.write_bytes(b"DATA of mine")
    assert shelf("shelf", "add", "--copy", str(file)).code == 0
    file.unlink()
    assert shelf("-m", "mine", "hi").out == "DATA of mine\n"

    assert shelf("shelf", "remove", "mine").err == "'mine' is forgotten.\n"
    assert json.loads(shelf("shelf", "models", "--json").out)[1:] == []
    assert list((shelf.home / "assets").rglob("mine.data")) == []


def test_a_downloaded_file_can_be_deleted(shelf: CommandLine) -> None:
    """It comes back when it is needed."""
    shelf("shelf", "pull")

    assert shelf("shelf", "remove", "table").code == 0
    assert shelf("shelf", "models").out.rstrip().endswith("not downloaded")
    again = shelf("shelf", "remove", "table")
    assert (again.code, again.err) == (3, "Error: the file of 'table' is not downloaded.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "{folder}/text.txt"], "its name does not end in .data"),
        (["add", "{folder}/fake.data"], "it does not begin with 'DATA'"),
        (["add", "{folder}/real.data", "--name", "table"], "brings along"),
        (["add", "{folder}/real.data", "--name", "desk"], "brings along"),
        (["add", "{folder}/real.data", "--name", "a b"], "cannot be a name"),
        (["add", "{folder}/gone.data"], "there is no file"),
        (["pull", "chair"], "it knows table"),
        (["remove", "chair"], "no file named 'chair'"),
    ],
)
def test_a_mistake_is_one_sentence(
    shelf: CommandLine, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """2 for what cannot be, 3 for what is not there."""
    tmp_path.joinpath("text.txt").write_text("DATA")
    tmp_path.joinpath("fake.data").write_text("other")
    tmp_path.joinpath("real.data").write_text("DATA")
    assert shelf("models", "list").code == 0  # now it is known what the plugin's models are called

    done = shelf("shelf", *(argument.format(folder=tmp_path) for argument in arguments))

    assert done.code in (2, 3)
    assert done.out == ""
    assert words in done.err.splitlines()[-1]


def test_a_plugin_without_data_files_has_no_commands(llm: CommandLine) -> None:
    """Its name is then a word like any other, and begins a prompt."""
    llm.plugin("plain", "from cellwall_sdk import hookimpl")

    done = llm("plain", "-m", "no-such-model")

    assert done.code == 3
    assert "no-such-model" in done.err
