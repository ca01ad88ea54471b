"""What does not cross from the host into a cell, nor from one plugin into another, as users meet it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import HOLDS_LOCK, PARROT, until

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

MUTE = """
    import sys, time
    print("password for the vault:", file=sys.stderr, flush=True)
    time.sleep(300)
"""

HALF_BROKEN = """
    from cellwall_sdk import Model, hookimpl

    class Sound(Model):
        model_id = "sound"
        def execute(self, prompt):
            return "well"

    @hookimpl(specname="register_models", tryfirst=True)
    def fails(register):
        raise LookupError("no such shelf")

    @hookimpl(specname="register_models")
    def works(register):
        register(Sound())
"""

NOSY = """
    import os
    from cellwall_sdk import Model, hookimpl

    class Nosy(Model):
        model_id = "nosy"
        def execute(self, prompt):
            return " ".join(sorted(name for name in os.environ if "CANARY" in os.environ[name]))

    @hookimpl
    def register_models(register):
        register(Nosy())
"""

GRANDCHILD = """
import os, signal, sys

def hear(number, frame):
    with open("heard", "a") as heard:
        heard.write(signal.Signals(number).name + chr(10))
    if number == signal.SIGTERM:
        os._exit(0)

for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, hear)
open("ready", "w").close()
while True:
    signal.pause()
"""

PARENT = f"""
    import os, signal, subprocess, sys, time
    from pathlib import Path
    from cellwall_sdk import Model, hookimpl

    def note_term(number, frame):
        Path("termed").touch()

    class Parent(Model):
        model_id = "parent"
        class Options(Model.Options):
            deaf: bool = False
        def execute(self, prompt, response):
            if prompt.options.deaf:
                signal.signal(signal.SIGTERM, note_term)
            child = subprocess.Popen([sys.executable, "-S", "-c", {GRANDCHILD!r}])
            while not Path("ready").exists():
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)  # to see that it hears
            while not Path("heard").exists():
                time.sleep(0.01)
            yield "one\\n"
            while True:
                try:
                    time.sleep(300)
                except BaseException:
                    Path("cancelled").touch()
                    if not prompt.options.deaf:
                        raise

    @hookimpl
    def register_models(register):
        register(Parent())
"""


def test_what_a_mute_plugin_said_last_stands_in_the_error(llm: CommandLine) -> None:
    """Issue 3, anchor 2: its user reads what it waits for; other plugins answer."""
    llm.plugin("mute", MUTE)
    llm.plugin("parrot", PARROT)
    assert llm("plugins", "timeouts", "mute", "start=3s").code == 0

    ended = llm("-m", "of-the-mute-one", "hi")
    other = llm("-m", "parrot", "hi")

    assert (ended.code, ended.out) == (6, "")
    sentence, *last_words = ended.err.splitlines()
    assert "plugin 'mute' did not finish loading within 3 s" in sentence
    assert last_words == ["    password for the vault:"]
    assert (other.code, other.out, other.err) == (0, "hi\n", "")


def test_a_hook_that_fails_costs_neither_its_plugins_others_nor_other_plugins(llm: CommandLine) -> None:
    """Issue 3, anchor 36: each implementation has an outcome of its own, told where the plugin is shown."""
    module = llm.plugin("half", HALF_BROKEN)
    llm.plugin("parrot", PARROT)

    listed = {row.split("\t")[0] for row in llm("models", "list").out.splitlines()}
    shown = json.loads(llm("plugins", "show", "half", "--json").out)

    assert {"sound", "parrot", "miser"} <= listed
    assert (shown["state"], llm("-m", "sound", "hi").out) == ("ready", "well\n")
    (note,) = shown["notes"]
    assert note.startswith("fails() failed: LookupError: no such shelf")
    assert f"({module}, line 11)" in note


def test_a_variable_is_seen_only_where_it_was_granted(llm: CommandLine) -> None:
    """Issue 3, anchor 45: a canary in the host's environment, by name and by grant."""
    llm.plugin("nosy", NOSY)
    llm.variables = {"FIRST_API_KEY": "CANARY", "SECOND_SETTING": "CANARY", "AWS_PROFILE": "CANARY"}

    before = llm("-m", "nosy", "hi")
    llm.grant("nosy", "env=SECOND_SETTING")
    after = llm("-m", "nosy", "hi")

    assert (before.code, before.out) == (0, "")
    assert (after.code, after.out) == (0, "SECOND_SETTING\n")


@pytest.fixture
def parent(llm: CommandLine) -> CommandLine:
    """A command line with a model that starts a program, which notes every signal that reaches it."""
    llm.plugin("parent", HOLDS_LOCK + PARENT)
    llm.grant("parent", "spawn=any")
    assert llm("models").code == 0
    return llm


def signals_heard(llm: CommandLine) -> list[str]:
    """What the program that the plugin started has heard."""
    heard = llm.data_of("parent") / "heard"
    return heard.read_text().split() if heard.exists() else []


def test_ctrl_c_reaches_no_program_that_a_plugin_has_started(parent: CommandLine) -> None:
    """Issue 3, anchor 31: the terminal signals its foreground group, in which no cell is."""
    pid, terminal = parent.on_terminal("-m", "parent", "hi")
    seen = b""
    while b"one" not in seen:
        seen += os.read(terminal, 1024)

    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 130
    assert (parent.data_of("parent") / "cancelled").exists()
    assert signals_heard(parent) in (["SIGINT"], ["SIGINT", "SIGTERM"])  # its own plugin's; the ladder's
    until(lambda: not parent.is_alive("parent"), "the plugin is gone")


def test_a_second_ctrl_c_kills_without_another_word(parent: CommandLine) -> None:
    """Issue 3, anchor 31: in the grace of the first; no SIGTERM comes before the end."""
    running = parent.start("-m", "parent", "-o", "deaf", "true", "hi")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    running.send_signal(signal.SIGINT)
    until((parent.data_of("parent") / "cancelled").exists, "the plugin has heard of the first")

    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)

    assert running.returncode == 130
    assert not (parent.data_of("parent") / "termed").exists()
    assert signals_heard(parent) == ["SIGINT"]  # its own plugin's
    assert not parent.is_alive("parent")
    (row,) = json.loads(parent("logs", "list", "-n", "1", "--json").out)
    assert (row["status"], row["response"]) == ("cancelled", "one\n")
