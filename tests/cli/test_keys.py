"""`llm keys`: names in lists, values only when asked for, and nothing on the screen while a key is typed."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SECRET = "sk-0123456789"
WAIT_S = 30


def test_a_piped_key_is_stored_and_listed_by_name(llm: CommandLine) -> None:
    """Without the newline of the pipe; `list` is the default command and shows no value."""
    assert llm("keys", "set", "openai", piped=f"{SECRET}\n").code == 0
    assert llm("keys", "set", "anthropic", "--value", "other").code == 0
    for arguments in (["keys"], ["keys", "list"]):
        ended = llm(*arguments)
        assert (ended.code, ended.out, ended.err) == (0, "anthropic\nopenai\n", "")
    assert llm("keys", "get", "openai").out == f"{SECRET}\n"
    assert stat.S_IMODE((llm.home / "keys.json").stat().st_mode) == 0o600


def test_without_keys_stdout_is_empty(llm: CommandLine) -> None:
    """The hint goes to stderr, and no folder is made."""
    ended = llm("keys")
    assert (ended.code, ended.out) == (0, "")
    assert "llm keys set NAME" in ended.err
    assert not llm.home.exists()


def test_the_path_is_one_line(llm: CommandLine) -> None:
    """For scripts; the file need not exist."""
    assert llm("keys", "path").out == f"{llm.home}/keys.json\n"


def test_a_key_that_is_not_stored_is_exit_code_3(llm: CommandLine) -> None:
    """One sentence says how to store it."""
    ended = llm("keys", "get", "openai")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == "Error: no key is stored under 'openai'; store one with 'llm keys set openai'.\n"


@pytest.mark.parametrize(
    ("arguments", "piped", "sentence"),
    [
        (["openai"], b"", "Error: the value for 'openai' is empty; nothing was stored.\n"),
        (["openai"], b"\xff\n", "not UTF-8 text"),
        (["// Note"], b"x", "a key needs a name"),
        (["openai", "--value", ""], b"x", "is empty"),
    ],
)
def test_what_cannot_be_a_key_is_exit_code_2(
    llm: CommandLine, arguments: list[str], piped: bytes, sentence: str
) -> None:
    """Nothing is stored, and a wrong name is found before a key is read."""
    ended = llm("keys", "set", *arguments, piped=piped)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert not (llm.home / "keys.json").exists()


def test_a_wrong_file_is_exit_code_8(llm: CommandLine) -> None:
    """The sentence names the file and holds none of it, with --debug neither."""
    llm.home.mkdir()
    (llm.home / "keys.json").write_text(f'{{"openai": "{SECRET}"')
    for arguments in (["keys"], ["--debug", "keys", "set", "x", "--value", "y"]):
        ended = llm(*arguments)
        assert (ended.code, ended.out) == (8, "")
        assert f"Error: the keys {llm.home}/keys.json are not JSON text" in ended.err
        assert SECRET not in ended.err


def test_a_typed_key_is_not_shown(llm: CommandLine) -> None:
    """On a terminal the key is asked for, and what is typed is not echoed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        llm.argv("keys", "set", "openai"), stdin=theirs, stdout=theirs, stderr=theirs, env=llm.environment
    )
    os.close(theirs)
    screen = read_until(ours, b"Key for 'openai': ")
    os.write(ours, f"{SECRET}\n".encode())
    screen += read_until(ours, None)
    os.close(ours)
    assert child.wait(timeout=WAIT_S) == 0
    assert SECRET not in screen.decode()
    assert llm("keys", "get", "openai").out == f"{SECRET}\n"


def read_until(descriptor: int, wanted: bytes | None) -> bytes:
    """What a terminal shows, until the words appear, or the last program leaves it."""
    seen = b""
    while wanted is None or wanted not in seen:
        try:
            piece = os.read(descriptor, 1024)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not piece:
            break
        seen += piece
    return seen
