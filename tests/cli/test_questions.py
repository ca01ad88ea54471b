"""Questions of plugins at the terminal of the user, and the values that plugins keep with the host."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import TIMEOUT_S

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

CANARY = "correct-horse-battery-4711"

CURIOUS = """
    from cellwall_sdk import Model, hookimpl, host

    class Curious(Model):
        model_id = "curious"

        def execute(self, prompt, stream, response, conversation):
            yield "before "
            kind, _, rest = prompt.prompt.partition(" ")
            if kind == "text":
                answer = host.ask("Your \\x1b[31mname?", default="nobody")
            elif kind == "confirm":
                answer = host.confirm("Really?", default=False)
            elif kind == "select":
                answer = host.select("Which?", ["red", "blue"])
            elif kind == "secret":
                answer = len(host.secret("Password?") or "")
            elif kind == "keep":
                host.store.set("kept", rest)
                answer = host.store.get("kept")
            yield f"answer {answer}"

    @hookimpl
    def register_models(register):
        register(Curious())
"""


@pytest.fixture
def curious(llm: CommandLine) -> CommandLine:
    """A command line with a plugin that asks, and may."""
    llm.plugin("curious", CURIOUS)
    llm.grant("curious", "host=ask")
    return llm


class Terminal:
    """The user's side of a terminal: types once it sees what it waits for."""

    def __init__(self, llm: CommandLine, *arguments: str) -> None:
        self.pid, self.fd = llm.on_terminal(*arguments)
        self.seen = ""
        self._at = 0

    def wait_for(self, words: str) -> None:
        """Read until the words stand there, after those that were waited for before."""
        limit = time.monotonic() + TIMEOUT_S
        while words not in self.seen[self._at :]:
            assert self._read(limit), f"never came: {words!r} in {self.seen!r}"
        self._at = self.seen.index(words, self._at) + len(words)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())

    def code(self) -> int:
        """Read to the end and return the exit code."""
        limit = time.monotonic() + TIMEOUT_S
        while self._read(limit):
            continue
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self, limit: float) -> bool:
        if not select.select([self.fd], [], [], max(0.0, limit - time.monotonic()))[0]:
            return False
        try:
            chunk = os.read(self.fd, 4096)
        except OSError:
            return False
        self.seen += chunk.decode("utf-8", "replace")
        return bool(chunk)


def test_a_question_is_shown_with_the_plugins_name_and_its_answer_goes_back(curious: CommandLine) -> None:
    """[P-73] [P-91] Control characters do not reach the terminal; the streamed answer waits."""
    user = Terminal(curious, "-m", "curious", "text")
    user.wait_for("before ")
    user.wait_for("Plugin 'curious' asks: Your [31mname?")
    user.wait_for("Answer [nobody]: ")
    user.type("Ada\n")
    user.wait_for("answer Ada")

    assert user.code() == 0
    assert "\x1b[31m" not in user.seen


@pytest.mark.parametrize(
    ("kind", "invitation", "typed", "answer"),
    [
        ("text", "[nobody]", "\n", "answer nobody"),
        ("confirm", "[y/N]", "y\n", "answer True"),
        ("confirm", "[y/N]", "\n", "answer False"),
        ("select", "1) red", "2\n", "answer blue"),
        ("select", "2) blue", "red\n", "answer red"),
    ],
)
def test_each_kind_of_question_has_its_answers(
    curious: CommandLine, kind: str, invitation: str, typed: str, answer: str
) -> None:
    """[P-73] A number or the text selects; an empty line is the default."""
    user = Terminal(curious, "-m", "curious", kind)
    user.wait_for(invitation)
    user.wait_for("Number or text: " if kind == "select" else " ")
    user.type(typed)
    user.wait_for(answer)

    assert user.code() == 0


def test_a_secret_is_not_shown_and_stands_in_no_log_and_no_trace(curious: CommandLine) -> None:
    """[P-73] [P-90] The canary is typed, arrives, and is nowhere: not on the terminal, log, trace."""
    trace = curious.home.parent / "trace.jsonl"
    user = Terminal(curious, "-m", "curious", "secret", "--trace-plugins", str(trace))
    user.wait_for("is not shown) ")
    user.type(f"{CANARY}\n")
    user.wait_for(f"answer {len(CANARY)}")

    assert user.code() == 0
    assert CANARY not in user.seen
    assert "user/ask" in trace.read_text()
    files = [file for file in [trace, *curious.home.rglob("*")] if file.is_file()]
    found = [file for file in files if CANARY.encode() in file.read_bytes()]
    assert found == []


def test_ctrl_d_answers_cancel_and_ctrl_c_ends_the_prompt(curious: CommandLine) -> None:
    """[P-73] The one is an answer to the question; the other stops what runs, as everywhere."""
    user = Terminal(curious, "-m", "curious", "text")
    user.wait_for("Answer [nobody]: ")
    user.type("\x04")
    assert user.code() in (0, 5)

    user = Terminal(curious, "-m", "curious", "secret")
    user.wait_for("is not shown) ")
    user.type("\x03")
    assert user.code() == 130


def test_without_a_terminal_a_question_is_unavailable_at_once(curious: CommandLine) -> None:
    """[P-73] Piped input is no person, even if it says yes."""
    ended = curious("-m", "curious", "confirm", piped="y\n")

    assert "asks:" not in ended.err
    assert "answer True" not in ended.out


def test_a_question_that_was_not_granted_is_told_with_what_allows_it(llm: CommandLine) -> None:
    """[P-69] One line for the user, with the command; the plugin gets an error."""
    llm.plugin("curious", CURIOUS)
    ended = llm("-m", "curious", "text")

    assert ended.code == 5
    assert "tried to ask you a question" in ended.err
    assert "'llm plugins grant curious host=ask' allows it" in ended.err


def test_a_plugin_keeps_values_without_a_grant(llm: CommandLine) -> None:
    """[P-69] [P-72] They stand outside of the plugin's own folders, and go with `uninstall --purge`."""
    llm.plugin("curious", CURIOUS)
    ended = llm("-m", "curious", "keep treasure")

    assert ended.out == "before answer treasure\n"
    assert (llm.home / "plugins" / "curious" / "store.db").is_file()


def test_the_grant_of_a_service_is_shown_with_what_it_comes_to(llm: CommandLine) -> None:
    """[P-69] `ask` may be used to phish, `prompt` costs money: both are said before somebody agrees."""
    llm.plugin("curious", CURIOUS)
    llm.grant("curious", "host=ask", "host=prompt")
    shown = llm("plugins", "show", "curious").out
    revoked = llm("plugins", "revoke", "curious", "host=prompt")
    refused = llm("plugins", "grant", "curious", "host=root")

    assert "questions to you, shown with its name" in shown
    assert "may cost money" in shown
    assert revoked.code == 0
    assert "host=prompt" not in llm("plugins", "show", "curious", "--json").out
    assert refused.code == 2
    assert "possible are prompt and ask" in refused.err
