"""`llm chat`: many prompts, one conversation, and a plugin that stays while it is used."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import until

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.cli.conftest import CommandLine

BOUND_S = 30
"""How long a test waits for anything (seconds)."""

COUNTS = """
    import os, time
    from cellwall_sdk import Model, host, hookimpl

    class Counts(Model):
        model_id = "counts"
        asked = 0
        def execute(self, prompt, conversation):
            Counts.asked += 1
            yield f"{Counts.asked} in this process, {len(conversation.messages)} before"
            if prompt.prompt == "hold":
                yield f", held for {host.hold('it is warm', 3600):g} s"
            if prompt.prompt == "crash":
                os._exit(7)
            if prompt.prompt == "sleep":
                time.sleep(3600)

    @hookimpl
    def register_models(register):
        register(Counts())
"""


@pytest.fixture
def counts(llm: CommandLine) -> CommandLine:
    """The command line with a plugin that counts what it is asked."""
    llm.plugin("counts", COUNTS)
    assert llm("models").code == 0  # it has been described, so nothing else starts it
    return llm


class Terminal:
    """A command on a terminal, and somebody who types."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid, self.fd = pid, fd
        self.shown = ""
        self.status: int | None = None

    def types(self, text: str) -> None:
        """Type, and press Enter."""
        os.write(self.fd, f"{text}\n".encode())

    def sees(self, pattern: str) -> str:
        """Wait until something is shown, and forget what was shown up to its end; gives what stood there."""
        end = time.monotonic() + BOUND_S
        while (found := re.search(pattern, self.shown)) is None:
            assert select.select([self.fd], [], [], max(0, end - time.monotonic()))[0], self.shown
            try:
                chunk = os.read(self.fd, 65_536)
            except OSError:
                chunk = b""
            assert chunk, f"it has ended: {self.shown}"
            self.shown += chunk.decode()
        self.shown = self.shown[found.end() :]
        return found[0]

    def leaves(self) -> None:
        """Close the terminal, and end what still runs on it."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def ends(self) -> int:
        """Wait for the end; gives the exit code."""
        end = time.monotonic() + BOUND_S
        while self.status is None:
            assert time.monotonic() < end, self.shown
            if select.select([self.fd], [], [], 0.05)[0]:
                with suppress(OSError):
                    self.shown += os.read(self.fd, 65_536).decode()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status


@pytest.fixture
def talking(counts: CommandLine) -> Generator[Terminal]:
    """A chat on a terminal, after its greeting."""
    terminal = Terminal(*counts.on_terminal("chat", "-m", "counts", TERM="dumb"))
    try:
        terminal.sees("Chatting with counts;")
        yield terminal
    finally:
        terminal.leaves()


def test_lines_that_are_piped_in_are_prompts(counts: CommandLine) -> None:
    """One process for all of them, and each knows what was said before."""
    ended = counts("chat", "-m", "counts", piped="one\n\ntwo\n!multi\nthree\nlines\n!end\nfour")

    assert (ended.code, ended.err) == (0, "")
    assert [
        f"{number} in this process, {2 * number - 2} before" for number in range(1, 5)
    ] == ended.out.splitlines()


def test_a_chat_is_one_conversation_in_the_log(counts: CommandLine) -> None:
    """Each prompt is logged before it is sent, the system prompt with the first."""
    counts("chat", "-m", "counts", "-s", "Be brief.", piped="one\ntwo\nexit\nthree\n")
    logged = json.loads(counts("logs", "list", "-n", "0", "--json").out)

    assert [("one", "Be brief."), ("two", None)] == [(row["prompt"], row["system"]) for row in logged]
    assert 1 == len({row["conversation_id"] for row in logged})
    went_on = counts("chat", "-c", piped="three\n")
    assert "1 in this process, 4 before" in went_on.out


def test_what_shall_not_be_kept_is_remembered_all_the_same(counts: CommandLine) -> None:
    """-n is about the log."""
    ended = counts("chat", "-n", "-m", "counts", piped="one\ntwo\n")

    assert "2 in this process, 2 before" in ended.out
    assert json.loads(counts("logs", "list", "-n", "0", "--json").out) == []


def test_a_plugin_that_crashes_ends_a_pipe_with_its_code(counts: CommandLine) -> None:
    """Nobody is there to go on; what had arrived is printed."""
    ended = counts("chat", "-m", "counts", piped="one\ncrash\nthree\n")

    assert ended.code == 5
    assert ended.out == "1 in this process, 0 before\n2 in this process, 2 before\n"
    assert "plugin 'counts' ended with exit code 7" in ended.err or "exit code 7" in ended.err


def test_a_person_goes_on_after_a_crash(talking: Terminal) -> None:
    """[P-54] The next prompt starts the plugin anew; the one that crashed is not repeated."""
    talking.types("crash")
    talking.sees("1 in this process, 0 before")
    talking.sees("Error: .*exit code 7")
    talking.types("again")
    talking.sees("1 in this process, 2 before")
    talking.types("exit")

    assert talking.ends() == 0


def test_ctrl_c_stops_an_answer_and_not_the_chat(talking: Terminal) -> None:
    """[P-46] And ends the chat where no answer is under way."""
    talking.types("sleep")
    talking.sees("1 in this process, 0 before")
    os.write(talking.fd, b"\x03")
    talking.sees("Stopped.")
    talking.types("go on")
    talking.sees("2 in this process, 2 before")
    talking.sees("> ")
    os.write(talking.fd, b"\x03")

    assert talking.ends() == 130


def test_ctrl_d_leaves(talking: Terminal) -> None:
    """As in every program that reads lines."""
    talking.sees("> ")
    os.write(talking.fd, b"\x04")

    assert talking.ends() == 0


def test_a_hangup_ends_it_and_its_plugin(talking: Terminal, counts: CommandLine) -> None:
    """Kernel policy: 128 + the signal's number; nothing is left."""
    talking.types("sleep")
    talking.sees("1 in this process")
    os.kill(talking.pid, signal.SIGHUP)

    assert talking.ends() == 129


@pytest.fixture
def brief(counts: CommandLine) -> Generator[Terminal]:
    """A chat whose idle plugins are stopped after half a second."""
    (counts.home / "config.json").write_text('{"idle_stop_s": 0.5}')
    terminal = Terminal(*counts.on_terminal("chat", "-m", "counts", TERM="dumb"))
    try:
        terminal.sees("Chatting with counts;")
        yield terminal
    finally:
        terminal.leaves()


def test_an_idle_plugin_is_stopped_and_started_again(brief: Terminal) -> None:
    """[P-74] Ten seconds by default; here half of one."""
    brief.types("one")
    brief.sees("1 in this process, 0 before")
    wait_until_nothing_runs(brief.pid)
    brief.types("two")
    brief.sees("1 in this process, 2 before")
    brief.types("exit")

    assert brief.ends() == 0


def test_a_held_plugin_stays_until_its_user_releases_it(brief: Terminal, counts: CommandLine) -> None:
    """[P-74] The reason is shown by another command, which can end the hold."""
    brief.types("hold")
    brief.sees(r"held for \d+ s")
    listed = counts("plugins", "list")
    shown = json.loads(counts("plugins", "list", "--json").out)
    brief.types("once more")
    brief.sees("2 in this process")
    released = counts("plugins", "release", "counts")
    wait_until_nothing_runs(brief.pid)
    brief.types("exit")

    assert "it is warm" in listed.out + listed.err
    assert "it is warm" in json.dumps(shown)
    assert (released.code, brief.ends()) == (0, 0)


def wait_until_nothing_runs(pid: int) -> None:
    """Wait until a process has no child left."""
    until(lambda: not children(pid), "the plugin is stopped", BOUND_S)


def children(pid: int) -> list[str]:
    """List the children of all threads of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [word for thread in threads for word in (thread / "children").read_text().split()]
