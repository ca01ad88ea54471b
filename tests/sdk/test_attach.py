"""`python -m cellwall_sdk --attach`: what an author is told, where the socket is, and what Ctrl-C does."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support.author import PATIENCE_S, Author, end, hear

if TYPE_CHECKING:
    from collections.abc import Generator

TAME = """
    import sys, time
    from cellwall_sdk import Model, hookimpl

    class Tame(Model):
        model_id = "tame"

        def execute(self, prompt, response):
            print("at work", file=sys.stderr, flush=True)
            {work}
            yield input() if prompt.prompt == "input" else prompt.prompt

    @hookimpl
    def register_models(register):
        register(Tame())
"""


@pytest.fixture
def author(tmp_path: Path) -> Generator[Author]:
    """An author with a project of one plugin, 'tame'."""
    with tempfile.TemporaryDirectory(prefix="cw-") as runtime, Author(tmp_path, Path(runtime)) as author:
        author.write("tame", TAME.format(work=""))
        yield author


class Visitor:
    """A host that attaches: JSON lines over the plugin's socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._count = 0
        self.text = ""

    def __enter__(self) -> Self:
        params = {
            "protocols": [1],
            "host": {"name": "test", "version": "1"},
            "plugin": {"name": "tame", "dist": "llm-tame"},
            "dirs": {"data": ".", "scratch": "."},
            "limits": {"line": 8388608, "data_line": 65536},
        }
        self.ask("initialize", params)
        self.answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, method: str, params: dict[str, Any]) -> None:
        """Send a request."""
        self._count += 1
        line = {"jsonrpc": "2.0", "id": f"h{self._count}", "method": method, "params": params}
        self._socket.sendall(json.dumps(line).encode() + b"\n")

    def prompt(self, text: str) -> None:
        """Send a prompt."""
        messages = [{"role": "user", "parts": [{"type": "text", "text": text}]}]
        meta = {"credit": 65536}
        self.ask("model/prompt", {"meta": meta, "model": "tame", "messages": messages, "options": {}})

    def answer(self) -> dict[str, Any]:
        """Return the next response."""
        for line in self._lines:
            message: dict[str, Any] = json.loads(line)
            if "method" not in message:
                return message
            for item in message["params"].get("items", ()):
                self.text += item.get("text", "")
        return {"error": "it hung up"}


def test_the_socket_is_its_owners_alone(author: Author) -> None:
    """Issue 3, anchor 43: whoever connects reads what the plugin is told."""
    author.attachable()

    folder = author.socket("tame").parent

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_standard_input_stays_the_authors(author: Author) -> None:
    """Issue 3, anchor 43: the model reads what is typed, which a debugger does as well."""
    author.attachable(piped="typed by the author\n")

    with Visitor(author.socket("tame")) as visitor:
        visitor.prompt("input")
        answer = visitor.answer()

    assert (visitor.text, "result" in answer) == ("typed by the author", True)


def test_a_folder_that_others_can_read_is_not_used(author: Author) -> None:
    """Issue 3, anchor 43: somebody else may have made it."""
    author.socket("tame").parent.mkdir(mode=0o755)
    author.socket("tame").parent.chmod(0o755)

    refused = author.start("-m", "cellwall_sdk", "--attach")

    assert "is not a folder for you alone" in hear(refused, "Error: ")
    assert refused.wait(PATIENCE_S) == 2


def test_one_plugin_does_not_wait_twice(author: Author) -> None:
    """Issue 3, anchor 43: the second says where the first is, and the first notices nothing."""
    first = author.attachable()

    second = author.start("-m", "cellwall_sdk", "--attach")

    assert "waits already" in hear(second, "Error: ")
    assert second.wait(PATIENCE_S) == 2
    with Visitor(author.socket("tame")) as visitor:
        visitor.prompt("hello")
        assert "result" in visitor.answer()
    assert end(first) == 0


def test_ctrl_c_ends_a_call_and_then_the_program(author: Author) -> None:
    """Issue 3, anchor 43: a call that hangs is answered with an error; between calls all ends."""
    os.mkfifo(author.project / "never")
    author.write("tame", TAME.format(work='open("never").read()'))
    running = author.attachable()

    with Visitor(author.socket("tame")) as visitor:
        visitor.prompt("hello")
        hear(running, "at work")
        running.send_signal(2)
        broken = visitor.answer()
        visitor.ask("plugin/describe", {})
        described = visitor.answer()

    assert "KeyboardInterrupt" in broken["error"]["message"]
    assert "result" in described
    assert end(running) == 0
    assert not author.socket("tame").exists()


@pytest.mark.parametrize(
    ("project", "words"),
    [
        (None, "has no pyproject.toml"),
        ("[project]\nname = 'x'\n", "has no pyproject.toml with an entry point"),
        ("[project.entry-points.llm]\na = 'a'\nb = 'b'\n", "has 2 entry points"),
        ("[project\n", "pyproject.toml cannot be read"),
        ("project = 3\n", "has no pyproject.toml with an entry point"),
        ("[project]\nentry-points = 3\n", "has no pyproject.toml with an entry point"),
    ],
)
def test_an_author_without_one_plugin_is_asked_for_its_module(
    author: Author, project: str | None, words: str
) -> None:
    """Issue 3, anchor 43: one sentence, exit code 2."""
    (author.project / "pyproject.toml").unlink()
    if project is not None:
        (author.project / "pyproject.toml").write_text(project)

    refused = author.start("-m", "cellwall_sdk", "--attach")

    assert words in hear(refused, "Error: ")
    assert refused.wait(PATIENCE_S) == 2


def test_a_module_can_be_named_and_its_project_gives_the_plugins_name(author: Author) -> None:
    """Issue 3, anchor 43: NAME=SOCKET is needed only where nothing tells the name."""
    (author.project / "other.py").write_text("")

    author.attachable()
    named = author.start("-m", "cellwall_sdk", "--attach", "other")

    assert f"{author.socket('other')}" in hear(named, "llm --attach")
