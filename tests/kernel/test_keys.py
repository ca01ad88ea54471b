"""API keys: the file, its mode, the order in which a key is looked for, and silence about values."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.errors import NotFound, StoreProblem, UsageProblem
from cellwall_kernel.keys import key_names, missing_key, resolve_key, store_key, stored_key

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

SECRET = "sk-0123456789"


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_stored_key_is_found_and_named(paths: Paths) -> None:
    """Spaces around it come from copying and are dropped; a second value takes the place of the first."""
    store_key(paths, "openai", "old")
    store_key(paths, "openai", f" {SECRET}\n")
    store_key(paths, "anthropic", "other")
    assert key_names(paths) == ["anthropic", "openai"]
    assert stored_key(paths, "openai") == SECRET


def test_the_file_is_the_one_of_llm(paths: Paths) -> None:
    """A note comes first, then names and values; a file written by `llm` is read."""
    store_key(paths, "openai", SECRET)
    assert list(json.loads(paths.keys.read_text()).items()) == [
        ("// Note", "This file stores secret API credentials. Do not share!"),
        ("openai", SECRET),
    ]


def test_before_the_first_key_there_is_nothing(paths: Paths) -> None:
    """Reading makes no folder."""
    assert key_names(paths) == []
    assert resolve_key(paths, alias="openai") is None
    assert not paths.root.exists()


def test_the_file_is_private_whatever_the_umask(paths: Paths) -> None:
    """0600 from its first moment, and again after somebody widened it."""
    before = os.umask(0)
    try:
        store_key(paths, "openai", SECRET)
    finally:
        os.umask(before)
    assert mode(paths.keys) == 0o600
    paths.keys.chmod(0o644)
    assert stored_key(paths, "openai") == SECRET
    assert mode(paths.keys) == 0o600


@pytest.mark.parametrize(
    ("explicit", "alias", "env_var", "found"),
    [
        ("other", "openai", "OPENAI_API_KEY", "of other"),
        ("sk-literal", "openai", "OPENAI_API_KEY", "sk-literal"),
        ("// Note", None, None, "// Note"),
        (None, "openai", "OPENAI_API_KEY", "of openai"),
        (None, "mistral", "OPENAI_API_KEY", "of the environment"),
        (None, None, "OPENAI_API_KEY", "of the environment"),
        (None, "mistral", "MISTRAL_API_KEY", None),
        (None, "mistral", "EMPTY_API_KEY", None),
        (None, "// Note", None, None),
        (None, None, None, None),
    ],
)
def test_the_order_is_option_then_file_then_environment(
    paths: Paths, explicit: str | None, alias: str | None, env_var: str | None, found: str | None
) -> None:
    """`--key` is a stored name or else the key itself; an empty variable is none (the order of `llm`)."""
    store_key(paths, "openai", "of openai")
    store_key(paths, "other", "of other")
    environ = {"OPENAI_API_KEY": "of the environment", "EMPTY_API_KEY": ""}
    assert resolve_key(paths, explicit=explicit, alias=alias, env_var=env_var, environ=environ) == found


@pytest.mark.parametrize("name", ["", "  ", "// Note", "//x", "a\nb", "a\0"])
def test_a_name_that_cannot_be_one_is_refused(paths: Paths, name: str) -> None:
    """Names that begin with // are remarks in the file."""
    with pytest.raises(UsageProblem, match="a key needs a name"):
        store_key(paths, name, SECRET)
    assert not paths.keys.exists()


def test_an_empty_value_is_refused_and_keeps_the_old_one(paths: Paths) -> None:
    """An empty pipe must not destroy a key."""
    store_key(paths, "openai", SECRET)
    with pytest.raises(UsageProblem, match="'openai' is empty"):
        store_key(paths, "openai", " \n")
    assert stored_key(paths, "openai") == SECRET


def test_a_name_that_is_not_stored_says_how_to_store_it(paths: Paths) -> None:
    """Both sentences name the command."""
    with pytest.raises(NotFound, match=r"'openai'.*llm keys set openai"):
        stored_key(paths, "openai")
    assert "llm keys set x, set the variable X_KEY or pass --key" in missing_key(
        "x", "X_KEY"
    ).message.replace("'", "")


@pytest.mark.parametrize(
    "content",
    [
        f'{{"openai": "{SECRET}"',
        f'{{"openai": ["{SECRET}"]}}',
        f'["{SECRET}"]',
        f'{{"openai": "{SECRET}\udcff"}}',
        "[" * 100_000 + SECRET,
    ],
)
def test_a_wrong_file_is_one_sentence_that_holds_no_key(paths: Paths, content: str) -> None:
    """Neither the sentence nor the traceback with its causes shows what is in the file, which stays."""
    paths.folder()
    paths.keys.write_bytes(content.encode("utf-8", "surrogateescape"))
    for call in (
        lambda: key_names(paths),
        lambda: store_key(paths, "b", "x"),
        lambda: resolve_key(paths, alias="a"),
    ):
        with pytest.raises(StoreProblem, match=r"move it away\.$") as raised:
            call()
        assert str(paths.keys) in raised.value.message
        assert SECRET not in "".join(traceback.format_exception(raised.value, chain=True))
    assert paths.keys.read_bytes() == content.encode("utf-8", "surrogateescape")


def test_a_linked_file_stays_where_it_is(paths: Paths, tmp_path: Path) -> None:
    """Whoever keeps keys.json elsewhere and links it keeps the link."""
    real = tmp_path / "vault.json"
    real.write_text('{"a": "1"}')
    paths.folder()
    paths.keys.symlink_to(real)
    store_key(paths, "b", "2")
    assert paths.keys.is_symlink()
    assert set(json.loads(real.read_text())) == {"// Note", "a", "b"}


def test_what_a_dead_writer_left_is_not_in_the_way(paths: Paths) -> None:
    """A half-written new file of a process that was killed is replaced, and none pile up."""
    paths.folder()
    paths.keys.with_name("keys.json.new").write_text('{"half')
    store_key(paths, "a", "1")
    assert stored_key(paths, "a") == "1"
    assert sorted(entry.name for entry in paths.root.iterdir()) == ["keys.json", "keys.json.lock"]


def test_parallel_writers_lose_nothing(paths: Paths) -> None:
    """Eight processes that store ten keys each leave eighty keys; a reader in between sees a whole file."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cellwall_kernel.keys import key_names, store_key\n"
        "from cellwall_kernel.paths import Paths\n"
        "paths, number = Paths(Path(sys.argv[1])), sys.argv[2]\n"
        "for index in range(10):\n"
        "    store_key(paths, f'{number}-{index}', 'x' * 5000)\n"
        "    assert f'{number}-{index}' in key_names(paths)\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(paths.root), str(number)]) for number in range(8)
    ]
    assert [child.wait(timeout=30) for child in children] == [0] * 8
    assert len(key_names(paths)) == 80
