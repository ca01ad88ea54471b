"""The root command: its default command, its help, and what becomes of mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.cli._lazy import similar
from cellwall_kernel.cli._root import COMMANDS
from cellwall_kernel.version import VERSION

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

HEAVY = (
    "anyio",
    "asyncio",
    "importlib.metadata",
    "msgspec",
    "sqlite3",
    "ssl",
    "subprocess",
    "urllib.request",
)


def test_version_is_one_line_on_stdout(llm: CommandLine) -> None:
    """`--version` names program and version, with and without other flags before it."""
    for arguments in (["--version"], ["--debug", "--version"]):
        ended = llm(*arguments)
        assert (ended.code, ended.out, ended.err) == (0, f"llm, version {VERSION} (Cellwall)\n", "")


def test_help_lists_every_command_with_its_line(llm: CommandLine) -> None:
    """`-h` and `--help` show the table; the default command is marked."""
    long = llm("--help")
    assert llm("-h") == long
    assert long.code == 0
    assert "prompt (default)" in long.out
    for name, command in COMMANDS.items():
        assert name in long.out
        assert command.help in long.out


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(flag: str) -> None:
    """No event loop, no database, no network, no subprocess is loaded to say who we are."""
    program = (
        "import sys; sys.argv[1:] = [sys.argv[1]]; from cellwall_kernel.cli import main; main();"
        f"sys.stderr.write(repr([name for name in {HEAVY} if name in sys.modules]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, flag], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stderr == "[]"


def test_help_of_the_root_imports_no_command(llm: CommandLine) -> None:
    """The one-line helps stand in the table."""
    program = (
        "import sys; sys.argv[1:] = ['--help']; from cellwall_kernel.cli import main; main();"
        "sys.stderr.write(repr(sorted(m for m in sys.modules if m.startswith('cellwall_kernel'))))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = ended.stderr
    assert "cellwall_kernel.cli._root" in loaded
    assert not [command for command in COMMANDS if f"'cellwall_kernel.cli.{command}'" in loaded]


def test_a_wrong_option_is_a_usage_error(llm: CommandLine) -> None:
    """The sentence names the option; the exit code is 2; stdout stays empty."""
    ended = llm("--no-such-option", "hi")
    assert ended.code == 2
    assert ended.out == ""
    assert "--no-such-option" in ended.err
    assert "Traceback" not in ended.err


def test_a_wrong_subcommand_of_a_group_is_named_with_the_likely_one(llm: CommandLine) -> None:
    """In a group a word that is no command is a mistake, not an argument of the default command."""
    ended = llm("plugins", "lsit")
    assert ended.code == 2
    assert "there is no command 'llm plugins lsit'. Did you mean 'list'?" in ended.err


def test_several_words_are_no_prompt(llm: CommandLine) -> None:
    """What may be a mistyped command is not sent to a model; the sentence says what was probably meant."""
    ended = llm("plugin", "list")
    assert ended.code == 2
    assert "did you mean 'llm plugins'?" in ended.err
    ended = llm("Explain", "this")
    assert ended.code == 2
    assert 'put the prompt in quotes: llm "Explain this …"' in ended.err


def test_no_prompt_at_all_is_a_usage_error(llm: CommandLine) -> None:
    """An empty stdin and no argument: one sentence, exit code 2."""
    ended = llm()
    assert ended.code == 2
    assert "there is no prompt" in ended.err
    assert ended.out == ""


def test_the_three_standard_streams_may_be_closed(llm: CommandLine) -> None:
    """No file of ours ever gets the number of a closed stdout, so nothing is written into it."""
    shell = 'exec 0<&- 1>&- 2>&-; "$@"; exit $?'
    ended = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *llm.argv("models", "default")],
        env=llm.environment,
        timeout=45,
        check=False,
    )
    assert ended.returncode == 0


def test_a_disk_that_is_full_is_one_sentence(llm: CommandLine) -> None:
    """What cannot be written is an error, never silence and never a traceback."""
    for arguments in (["plugins"], ["--help"]):
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(
                llm.argv(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                env=llm.environment,
                timeout=45,
                check=False,
            )
        assert ended.returncode == 1
        assert ended.stderr == b"Error: No space left on device.\n"


def test_a_list_whose_reader_goes_ends_quietly(llm: CommandLine) -> None:
    """`llm plugins | true`: exit code 141 and no word about it."""
    shell = 'set -o pipefail; "$@" | true'
    for _ in range(3):  # sometimes the pipe takes the little there is before its reader has gone
        ended = subprocess.run(
            ["bash", "-c", shell, "bash", *llm.argv("plugins")],
            capture_output=True,
            env=llm.environment,
            timeout=45,
            check=False,
        )
        assert ended.returncode in {0, 141}
        assert ended.stderr == b""


def test_bytes_that_are_no_text_are_refused(llm: CommandLine) -> None:
    """A prompt in another encoding is named, not sent in pieces."""
    ended = subprocess.run(
        [*map(os.fsencode, llm.argv()), b"caf\xe9"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=llm.environment,
        timeout=45,
        check=False,
    )
    assert ended.returncode == 2
    assert b"the prompt is not UTF-8 text" in ended.stderr


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("modles", "models"),
        ("model", "models"),
        ("lgos", "logs"),
        ("plugin", "plugins"),
        ("kyes", "keys"),
        ("hello", None),
        ("hi", None),
        ("why", None),
        ("summarise", None),
        ("log", "logs"),
    ],
)
def test_a_slip_of_the_fingers_is_seen_through(word: str, meant: str | None) -> None:
    """One slip for three letters is near; other words are just words."""
    assert similar(word, COMMANDS) == meant
