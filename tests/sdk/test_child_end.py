"""A real child: the ways in which it ends, and its size."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import cellwall_wire as wire
from cellwall_wire import Response
from tests.sdk.hosting import BOUND_S, Child, write_plugin

PLUGIN = """
import atexit, sys, threading, time
from cellwall_sdk import Model, hookimpl

class Says(Model):
    model_id = "m"
    def execute(self, prompt): return prompt.prompt

class Sleeps(Model):
    model_id = "sleeps"
    def execute(self, prompt):
        yield "begun"
        time.sleep(3600)

class Deaf(Model):
    model_id = "deaf"
    def execute(self, prompt):
        yield "begun"
        while True:
            try: time.sleep(3600)
            except BaseException: pass

class Floods(Model):
    model_id = "floods"
    def execute(self, prompt):
        while True: yield "x" * 1000

@hookimpl
def register_models(register):
    for cls in (Says, Sleeps, Deaf, Floods): register(cls())

atexit.register(lambda: print("said goodbye"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold the plugin's module."""
    write_plugin(tmp_path, PLUGIN)
    return tmp_path


def test_an_idle_plugin_ends_cleanly_when_the_host_closes_its_input(folder: Path) -> None:
    """[P-4] [P-5] As any Python program, its clean-up included."""
    with Child(folder) as child:
        child.start()
        child.close_input()
        code = child.wait_exit()

    assert code == 0
    assert "said goodbye" in child.stderr


def test_a_plugin_that_was_never_spoken_to_ends_cleanly(folder: Path) -> None:
    """The host may die before it says hello."""
    with Child(folder) as child:
        child.close_input()

        assert child.wait_exit() == 0


def test_shutdown_is_answered_and_nothing_new_is_begun_after_it(folder: Path) -> None:
    """[P-36] Then the host closes our input."""
    with Child(folder) as child:
        child.start()
        assert isinstance(child.call("shutdown", wire.ShutdownParams(reason="done")), Response)
        child.close_input()

        assert child.wait_exit() == 0


@pytest.mark.parametrize("model", ["sleeps", "floods"])
def test_a_busy_plugin_is_interrupted_when_the_host_goes(folder: Path, model: str) -> None:
    """[P-4] The call is cancelled, and the process ends within its second."""
    with Child(folder) as child:
        child.start()
        call = child.open(model=model)
        child.wait_items(call, 2)
        child.close_output()
        child.close_input()

        assert child.process.wait(BOUND_S) == 0
    assert "said goodbye" in child.stderr


def test_a_plugin_that_listens_to_nobody_is_ended_all_the_same(folder: Path) -> None:
    """[P-4] A second after the host has gone the reader ends the process."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="deaf")
        child.wait_items(call, 2)
        child.close_input()

        assert child.wait_exit() == 1


def test_threads_of_the_author_do_not_keep_the_process(tmp_path: Path) -> None:
    """Not even those that are no daemons."""
    write_plugin(
        tmp_path, "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n"
    )

    with Child(tmp_path) as child:
        child.start()
        child.close_input()

        assert child.wait_exit() == 0


def test_a_host_that_stops_reading_ends_the_answer(folder: Path) -> None:
    """A broken pipe is a cancel; the plugin lives until its input ends, too."""
    with Child(folder) as child:
        child.start()
        call = child.open(model="floods", credit=1 << 30)
        child.wait_items(call, 2)
        child.close_output()
        child.close_input()

        assert child.process.wait(BOUND_S) == 0


def test_a_host_that_breaks_the_protocol_is_left(folder: Path) -> None:
    """An endless line costs a bounded amount and the process."""
    with Child(folder) as child:
        child.put_raw(b"x" * 100_000)

        assert child.wait_exit() == 76
    assert "cellwall: the host sent a line longer than 65536 bytes" in child.stderr


def test_stray_lines_of_the_host_are_logged_and_skipped(folder: Path) -> None:
    """[P-15] They harm nobody."""
    with Child(folder) as child:
        child.put_raw(b"hello?\n")
        child.start()

        assert child.prompt("still here")[0] == "still here"
    assert "the host sent something that is not a message: b'hello?'" in child.stderr


def test_a_plugin_can_be_spoken_to_with_a_text_editor(folder: Path) -> None:
    """Requests in, answers out, one object a line; unknown members and methods do no harm."""
    hello = {
        "protocols": [1, 99],
        "host": {"name": "a text editor"},
        "plugin": {"name": "plugin"},
        "limits": {"line": 100_000, "data_line": 10_000},
        "dirs": {"data": str(folder), "scratch": str(folder)},
        "colour": "blue",
    }
    prompt = {
        "model": "m",
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "hi"}]}],
        "meta": {"credit": 10_000},
    }
    calls: list[tuple[str, object]] = [("initialize", hello), ("model/dance", {}), ("model/prompt", prompt)]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": f"h{number}", "method": method, "params": params})
        for number, (method, params) in enumerate(calls, 1)
    ]
    # All of it at once would be impolite: nothing may come before `initialize` is answered.
    with subprocess.Popen(
        [sys.executable, "-m", "cellwall_sdk", "plugin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines[0] + "\r\n\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline())]
        process.stdin.write("\n".join(lines[1:]) + "\n")
        process.stdin.flush()
        while "h3" not in [answer.get("id") for answer in answers]:
            answers.append(json.loads(process.stdout.readline()))

    assert answers[0]["result"]["protocol"] == 1
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["params"]["items"][1] == {"t": "delta", "part": 0, "text": "hi"}
    assert answers[-1]["id"] == "h3"


def test_an_empty_plugin_fits_into_twenty_mebibytes(folder: Path) -> None:
    """DESIGN 9: a cell's own memory, after a prompt."""
    with Child(folder) as child:
        child.start()
        child.describe()
        child.prompt()
        status = Path(f"/proc/{child.process.pid}/status").read_text()
    (resident,) = [line for line in status.splitlines() if line.startswith("VmRSS")]

    assert int(resident.split()[1]) <= 20 * 1024


def test_started_on_a_terminal_it_says_what_it_is() -> None:
    """A person who tries gets a sentence, not silence."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cellwall_sdk", "my_plugin"],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("my_plugin is a plugin for Cellwall, which starts it")


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["a", "b"], 2), (["--frob"], 2)])
def test_wrong_arguments_give_the_usage(arguments: list[str], code: int) -> None:
    """On standard error, unless it was asked for."""
    done = subprocess.run(
        [sys.executable, "-m", "cellwall_sdk", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )

    assert done.returncode == code
    assert (done.stderr if code else done.stdout).startswith("usage: python -m cellwall_sdk MODULE")
