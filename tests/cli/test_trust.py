"""The trust prompt on a real terminal: what it shows, and what counts as a Yes."""

from __future__ import annotations

import json
import os
import select
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cli.conftest import CommandLine

PATIENCE_S = 30.0
"""How long to wait for a question on a busy machine."""

MANIFEST = """
[permissions]
network = ["api.example.com"]
read = ["~/no-such-models"]
keys = ["foo"]
[permissions.reason]
network = "calls the Example API\\u001b[2J"
"""


@pytest.fixture
def foo(llm: CommandLine) -> CommandLine:
    """A command line with a plugin that asks for three things."""
    llm.plugin("foo", "VALUE = 1\n")
    (llm.site / "foo.plugin.toml").write_text(MANIFEST)
    return llm


def converse(llm: CommandLine, words: Sequence[str], *turns: tuple[str, str]) -> tuple[int, str]:
    """Run a command on a terminal, answer each question when it is asked.

    Args:
        llm: the command line.
        words: the command's arguments.
        turns: the end of a question, and what is typed then.

    Returns:
        the exit code, and all that the terminal showed.
    """
    pid, terminal = llm.on_terminal(*words)
    shown, left, limit = "", list(turns), time.monotonic() + PATIENCE_S
    asked_at = 0
    while True:
        if left and left[0][0] in shown[asked_at:]:
            asked_at = len(shown)
            os.write(terminal, left.pop(0)[1].encode())
        ready, _, _ = select.select([terminal], [], [], max(0.0, limit - time.monotonic()))
        assert ready, f"nothing more after: {shown}"
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            break
        shown += chunk.decode()
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.replace("\r\n", "\n")


def granted(llm: CommandLine) -> list[str]:
    """Return what the plugin may do."""
    shown = json.loads(llm("plugins", "show", "foo", "--json").out)
    return list(shown["permissions"])


def test_the_table_is_shown_and_a_yes_grants_it_all(foo: CommandLine) -> None:
    """§12: name, version, hash, "first seen", each permission with reason and enforcement, default No."""
    code, shown = converse(foo, ["plugins", "grant", "foo"], ("Allow? [y/N/edit] ", "y\n"))

    assert code == 0
    lines = shown.splitlines()
    assert lines[0].startswith("foo 1.0  sha256 ")
    assert lines[0].endswith("unsigned, first seen  wants (in quotes: its author's words):")
    assert [line.split()[0] for line in lines[1:4]] == ["network", "read", "key"]
    assert lines[1].split(maxsplit=1)[1].startswith('api.example.com:443  "calls the Example API [2J"')
    assert "not there now" in lines[2]
    assert all(line.endswith("enforced") for line in lines[1:4])
    assert lines[4] == "Nothing else: no variables, no programs, no devices, no sockets."
    assert lines[5] == "Could send anything it can read to api.example.com."
    assert "\x1b[2J" not in shown
    assert granted(foo) == ["network=api.example.com", "read=~/no-such-models", "key=foo"]


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "\x04", "what\nYs\n1\n"])
def test_everything_else_is_a_no(foo: CommandLine, answer: str) -> None:
    """Default No: an empty line, the end of input, and nonsense three times."""
    turns = [("Allow? [y/N/edit] " if at == 0 else "Please answer", f"{line}\n") for at, line in
             enumerate(answer.split("\n")[:-1])] or [("Allow? [y/N/edit] ", answer)]  # fmt: skip
    code, shown = converse(foo, ["plugins", "grant", "foo"], *turns)

    assert code == 1
    assert "Nothing was granted" in shown
    assert granted(foo) == []


def test_what_was_typed_before_the_question_is_no_answer(foo: CommandLine) -> None:
    """Somebody who pasted several lines has not read the table."""
    pid, terminal = foo.on_terminal("plugins", "grant", "foo")
    os.write(terminal, b"y\n")
    shown = b""
    while b"Allow?" not in shown:
        assert select.select([terminal], [], [], PATIENCE_S)[0]
        shown += os.read(terminal, 65536)
    os.write(terminal, b"\n")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 1


def test_each_line_can_be_cut(foo: CommandLine) -> None:
    """`edit` asks for each permission by itself; later the rest is asked for alone."""
    code, _ = converse(
        foo,
        ["plugins", "grant", "foo"],
        ("Allow? [y/N/edit] ", "edit\n"),
        ("network api.example.com:443? [y/N] ", "y\n"),
        ("read ~/no-such-models? [y/N] ", "\n"),
        ("key foo? [y/N] ", "yes\n"),
    )

    assert code == 0
    assert granted(foo) == ["network=api.example.com", "key=foo"]
    _, shown = converse(foo, ["plugins", "grant", "foo"], ("Allow? [y/N/edit] ", "n\n"))
    assert "also wants" in shown
    assert "  read  ~/no-such-models" in shown
    assert "  key " not in shown


def test_an_interrupted_question_grants_nothing(foo: CommandLine) -> None:
    """Ctrl-C ends the command as everywhere, with 130."""
    code, shown = converse(foo, ["plugins", "grant", "foo"], ("Allow? [y/N/edit] ", "\x03"))

    assert code == 130
    assert "Stopped." in shown
    assert granted(foo) == []


def test_a_new_version_with_the_same_wishes_is_one_line(foo: CommandLine) -> None:
    """§12: "1.2 -> 1.3, same permissions", after the change itself was confirmed."""
    foo("plugins", "grant", "foo", "--yes-as-asked")
    for file in (foo.site / "foo-1.0.dist-info").iterdir():
        file.unlink()
    (foo.site / "foo-1.0.dist-info").rmdir()
    foo.plugin("foo", "VALUE = 2\n", version="1.1")

    code, shown = converse(foo, ["plugins", "grant", "foo"], ("Let it do the same as before", "y\n"))

    assert code == 0
    assert "has changed: it is foo 1.1 now and was foo 1.0." in shown
    assert "foo 1.0 -> 1.1, same permissions." in shown
    assert foo("plugins", "verify").out == "foo\tsame\t\n"


def test_the_worst_is_red_only_where_there_are_colours(foo: CommandLine) -> None:
    """One red line, "as good as unsandboxed"; NO_COLOR is heeded."""
    words = ["plugins", "grant", "foo", "socket=docker"]

    assert "\x1b[31m" in converse(foo, words)[1]
    foo.variables["NO_COLOR"] = "1"
    assert "\x1b[" not in converse(foo, words)[1]
