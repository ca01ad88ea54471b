"""`llm --attach`: the real command, and plugins that their author has started in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.author import Author, end, hear

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.cli.conftest import CommandLine

NOTE = "attached: no wall around plugin 'tame', and no deadline.\n"

TAME = """
    import os
    import sys
    import time
    from cellwall_sdk import KeyModel, Model, hookimpl

    class Tame(Model):
        model_id = "tame-model"

        def execute(self, prompt, stream, response, conversation):
            response.on_cancel(lambda: print("the host has cancelled", file=sys.stderr, flush=True))
            text = prompt.prompt
            if text == "slow":
                time.sleep(0.5)
            if text == "die":
                yield "the beginning"
                os._exit(3)
            if text == "block":
                yield "blocked"
                open("gate").read()
            if text == "linger":
                try:
                    yield "lingers"
                    open("gate").read()
                    yield "this is not wanted any more"
                finally:
                    time.sleep(2.5)  # longer than the grace that a plugin has otherwise
                    open("cleaned up", "w").close()
            yield text if text != "pid" else str(os.getpid())

    class Keyed(KeyModel):
        model_id = "keyed"
        needs_key = "keyed"

        def execute(self, prompt, stream, response, conversation, key):
            yield f"key {key}"

    @hookimpl
    def register_models(register):
        register(Tame())
        register(Keyed())
"""
LINE_OF_TEXT = 12  # of `if text == "slow"`, where `text` is known


@pytest.fixture
def author(llm: CommandLine, tmp_path: Path) -> Generator[Author]:
    """An author with a plugin 'tame' that is not installed; the command line looks into the same folder."""
    project = tmp_path / "project"
    project.mkdir()
    with tempfile.TemporaryDirectory(prefix="cw-") as runtime:
        llm.variables["XDG_RUNTIME_DIR"] = runtime
        with Author(project, Path(runtime)) as author:
            author.write("tame", TAME)
            yield author


def logged(llm: CommandLine) -> dict[str, Any]:
    """Return the newest record of the log."""
    record: dict[str, Any] = json.loads(llm("logs", "list", "-n", "1", "--json").out)[0]
    return record


def test_a_plugin_that_its_author_has_started_answers_again_and_again(
    llm: CommandLine, author: Author
) -> None:
    """Issue 3, anchor 43: one flag, no child of ours, no wall, and each time a line that says so."""
    running = author.attachable()

    first = llm("--attach", "tame", "pid")
    again = llm("--attach", str(author.socket("tame")), "-m", "tame-model", "pid")
    named = llm("pid", "--attach", f"other={author.socket('tame')}")

    assert (first.code, first.out, first.err) == (0, f"{running.pid}\n", NOTE)
    assert (again.code, again.out, again.err) == (0, f"{running.pid}\n", NOTE)
    assert (named.code, named.out) == (0, f"{running.pid}\n")
    assert "plugin 'other'" in named.err
    assert running.poll() is None


def test_its_answer_is_logged_as_one_without_a_sandbox_and_the_catalogue_learns_nothing(
    llm: CommandLine, author: Author
) -> None:
    """Issue 3, anchor 43: a model that the catalogue does not know is asked anew each time."""
    author.attachable()

    answered = llm("--attach", "tame", "hello")
    listed = llm("--attach", "tame", "models", "list")
    unknown = llm("-m", "tame-model", "hello")

    assert (answered.code, logged(llm)["sandbox"], logged(llm)["plugin"]) == (0, "NONE", "tame")
    assert "tame-model" in listed.out
    assert unknown.code == 3
    assert "tame" not in llm("models", "list").out


def test_ctrl_c_ends_the_authors_program_and_removes_its_socket(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: nothing is left behind, and the next command says what to do."""
    running = author.attachable()
    assert author.socket("tame").exists()

    code = end(running)
    refused = llm("--attach", "tame", "hello")

    assert code == 0
    assert not author.socket("tame").exists()
    assert refused.code == 3
    assert "python -m cellwall_sdk --attach" in refused.err


def test_a_debugger_stops_in_the_model_and_changes_what_it_answers(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: standard input and output are the debugger's."""
    breakpoint_ = f"b llm_tame.py:{LINE_OF_TEXT + 1}\n"
    running = author.attachable("-m", "pdb", piped=f"{breakpoint_}c\n!text = 'from the debugger'\nc\n")

    answered = llm("--attach", "tame", "hello")

    assert (answered.code, answered.out) == (0, "from the debugger\n")
    assert running.poll() is None


def test_no_deadline_counts(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: deadlines are off, also the one on the command line; started by us it has one."""
    author.attachable()
    llm.plugin("tame", TAME)

    started = llm("--timeout", "0.05", "-m", "tame-model", "slow")
    attached = llm("--attach", "tame", "--timeout", "0.05", "slow")

    assert started.code == 6
    assert (attached.code, attached.out) == (0, "slow\n")


def test_a_plugin_that_hangs_up_is_one_sentence_and_not_a_crash_that_counts(
    llm: CommandLine, author: Author
) -> None:
    """Issue 3, anchor 43: what had arrived is kept; the breaker hears nothing of it."""
    author.attachable()

    broken = llm("--attach", "tame", "die")

    assert (broken.code, broken.out) == (5, "the beginning\n")
    assert broken.err == (
        f"{NOTE}Error: plugin 'tame' hung up before it had answered; "
        "the terminal where it was started shows why.\n"
    )
    assert (logged(llm)["error_kind"], logged(llm)["response"]) == ("HungUp", "the beginning")
    assert not (llm.home / "crashes.json").exists()


def test_a_socket_that_a_dead_program_has_left_is_no_obstacle(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: a stale socket is one sentence, and the author's next start replaces it."""
    dead = author.attachable()
    dead.kill()
    dead.wait()

    stale = llm("--attach", "tame", "hello")
    author.attachable()
    answered = llm("--attach", "tame", "hello")

    assert stale.code == 3
    assert "no program listens there any more" in stale.err
    assert (answered.code, answered.out) == (0, "hello\n")


def test_the_first_ctrl_c_waits_for_the_plugin_and_the_second_hangs_up(
    llm: CommandLine, author: Author
) -> None:
    """Issue 3, anchor 43: no grace runs out under a debugger, and nobody is killed."""
    os.mkfifo(author.project / "gate")
    running = author.attachable()
    command = llm.start("--attach", "tame", "block")
    assert command.stdout is not None
    assert command.stdout.read(7) == b"blocked"

    command.send_signal(signal.SIGINT)
    hear(running, "the host has cancelled")
    is_waiting = command.poll() is None
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=30)
    (author.project / "gate").write_text("open")
    answered = llm("--attach", "tame", "pid")

    assert (is_waiting, command.returncode) == (True, 130)
    assert (answered.code, answered.out) == (0, f"{running.pid}\n")


def test_a_cancelled_call_may_take_as_long_as_it_likes_to_end(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: the author can step through how it ends; the command waits for that."""
    os.mkfifo(author.project / "gate")
    running = author.attachable()
    command = llm.start("--attach", "tame", "linger")
    assert command.stdout is not None
    assert command.stdout.read(7) == b"lingers"

    command.send_signal(signal.SIGINT)
    hear(running, "the host has cancelled")
    (author.project / "gate").write_text("open")
    command.communicate(timeout=30)

    assert command.returncode == 130
    assert (author.project / "cleaned up").exists()


def test_a_key_is_handed_over_only_if_it_was_granted(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: keys as usual; what is not installed was granted nothing."""
    author.attachable()
    llm("keys", "set", "keyed", piped="secret-5f3a")

    stranger = llm("--attach", "tame", "-m", "keyed", "hello")
    once = llm("--attach", "tame", "-m", "keyed", "--key", "keyed", "hello")
    llm.plugin("tame", TAME)
    llm.grant("tame", "key=keyed")
    granted = llm("--attach", "tame", "-m", "keyed", "hello")

    assert (stranger.code, stranger.out) == (4, "")
    assert (once.code, once.out) == (0, "key secret-5f3a\n")
    assert (granted.code, granted.out) == (0, "key secret-5f3a\n")


def test_a_trace_holds_what_was_said_to_an_attached_plugin(
    llm: CommandLine, author: Author, tmp_path: Path
) -> None:
    """Issue 3, anchors 42 and 43: the two flags work together, and the key is not in it."""
    author.attachable()
    llm("keys", "set", "keyed", piped="secret-5f3a")
    trace = tmp_path / "trace"
    words = ("--trace-plugins", str(trace), "--attach", "tame", "-m", "keyed", "--key", "keyed")

    answered = llm(*words, "hello")

    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    events = [line["event"] for line in lines if line["from"] == "event" and "process" in line]
    assert answered.out == "key secret-5f3a\n"
    assert ["attached", "ready", "disconnected", "ended"] * 2 == events
    assert {"initialize", "plugin/describe", "model/prompt"} <= {
        line["line"].get("method") for line in lines if line["from"] == "host"
    }
    assert "secret-5f3a" not in trace.read_text()


BRIDGE = """
    import socket, subprocess, sys

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("bridge.sock")
    listener.listen()
    print("listening", file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            words = [sys.executable, "-m", "cellwall_sdk", "llm_tame"]
            subprocess.run(words, stdin=connection, stdout=connection)
"""


def test_any_program_that_listens_on_a_socket_can_be_attached(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: as `socat UNIX-LISTEN:… EXEC:…` does with a plugin in any language."""
    (author.runtime / "p").symlink_to(author.project)  # a short path
    bridge = author.start("-c", "import textwrap; exec(textwrap.dedent('''" + BRIDGE + "'''))")
    hear(bridge, "listening")

    answered = llm("--attach", f"tame={author.runtime}/p/bridge.sock", "hello")

    assert (answered.code, answered.out, answered.err) == (0, "hello\n", NOTE)


def test_one_that_cannot_be_imported_says_so_with_file_and_line(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchors 43 and 44: an attached plugin's mistakes read like any other's; it goes on waiting."""
    author.write("tame", "import sys\n\nimport nowhere_at_all\n")
    running = author.attachable()

    broken = [llm("--attach", "tame", "hello") for _ in range(2)]

    for each in broken:
        assert each.code == 5
        assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in each.err
        assert "llm_tame.py, line 3" in each.err
    assert running.poll() is None


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("nobody", 3, "does not wait at"),
        ("file", 2, "is not a socket"),
        ("no name!", 2, "cannot be a plugin's name"),
        ("tame=", 2, "names no socket"),
        ("tame=/" + "x" * 120, 2, "bytes"),
    ],
)
def test_what_cannot_be_attached_to_is_one_sentence(
    llm: CommandLine, author: Author, given: str, code: int, words: str
) -> None:
    """Issue 3, anchor 43: it names the thing, the cause and what to do."""
    (author.runtime / "file").touch()
    given = f"tame={author.runtime}/file" if given == "file" else given

    refused = llm("--attach", given, "hello")

    assert (refused.code, refused.out) == (code, "")
    assert words in refused.err
    assert refused.err.count("Error: ") == 1
    assert "Traceback" not in refused.err


def test_a_socket_of_another_user_is_not_connected_to(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: prompts and keys are not for somebody else's program."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a socket away")
    author.attachable()
    os.chown(author.socket("tame"), 12345, 12345)

    refused = llm("--attach", "tame", "hello")

    assert refused.code == 2
    assert "is another user's" in refused.err


def test_a_command_that_asks_no_plugin_says_that_none_was_attached(llm: CommandLine, author: Author) -> None:
    """Issue 3, anchor 43: a flag that has no effect is not silent."""
    author.attachable()

    ended = llm("--attach", "tame", "keys", "list")

    assert ended.code == 0
    assert "plugin 'tame' was not attached to" in ended.err
