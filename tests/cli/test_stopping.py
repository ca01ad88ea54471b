"""Ends of an answer: signals, a reader that goes away, a plugin that crashes, a host that is killed."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from tests.children.zoo import ZOO, install_specimen, processes_below
from tests.cli.conftest import HOLDS_LOCK, until

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SLOTH = """
    import os, signal, sys, time

    from cellwall_sdk import Model, hookimpl

    class Sloth(Model):
        model_id = "sloth"

        class Options(Model.Options):
            deed: str = "wait"

        def execute(self, prompt, response):
            yield "one\\n"
            deed = prompt.options.deed
            while deed == "wait":
                time.sleep(60)
            while deed == "stay":  # whatever happens
                try:
                    time.sleep(60)
                except BaseException:
                    pass
            for number in range(10**9 if deed == "chatter" else 0):
                yield f"word {number}\\n"
            if deed == "crash":
                print("last \\x1b[31mwords", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGSEGV)
            if deed == "exit":
                os._exit(7)
            if deed == "raise":
                raise ValueError("the sloth fell\\x1b[2J")

    @hookimpl
    def register_models(register):
        register(Sloth())
"""

DOZER = """
    import time
    time.sleep(60)
"""


@pytest.fixture
def sloth(llm: CommandLine) -> CommandLine:
    """A command line with a model that says one word and then does something else."""
    llm.plugin("sloth", HOLDS_LOCK + SLOTH)
    assert llm("models").code == 0  # so that the tests are about prompts
    return llm


def last_logged(llm: CommandLine) -> tuple[object, object]:
    """Status and text of the newest answer in the log."""
    (row,) = json.loads(llm("logs", "list", "-n", "1", "--json").out)
    return row["status"], row["response"]


def plugin_is_gone(llm: CommandLine) -> bool:
    """Whether the plugin's process has ended."""
    return not llm.is_alive("sloth")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_answer_and_keeps_what_arrived(
    sloth: CommandLine, number: signal.Signals, code: int
) -> None:
    """Statement 31: once cancels; the exit code is the shell's for that signal, the log says cancelled."""
    running = sloth.start("-m", "sloth", "hi")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    assert last_logged(sloth) == ("cancelled", "one\n")
    assert plugin_is_gone(sloth)


def test_a_second_signal_kills_a_plugin_that_will_not_stop(sloth: CommandLine) -> None:
    """Statement 31: twice kills; what had arrived is kept all the same."""
    running = sloth.start("-m", "sloth", "-o", "deed", "stay", "hi")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert last_logged(sloth) == ("cancelled", "one\n")
    assert plugin_is_gone(sloth)


def test_ctrl_c_on_a_terminal_stops_the_answer(sloth: CommandLine) -> None:
    """The terminal signals the foreground group; the plugin, in a session of its own, hears of a cancel."""
    pid, terminal = sloth.on_terminal("-m", "sloth", "hi")
    seen = b""
    while b"one" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert last_logged(sloth) == ("cancelled", "one\n")
    assert plugin_is_gone(sloth)


def test_a_terminal_that_is_closed_ends_the_answer_and_keeps_what_arrived(sloth: CommandLine) -> None:
    """Issue 3, 4: SIGHUP as it comes in life, with every standard stream gone at the same moment."""
    pid, terminal = sloth.on_terminal("-m", "sloth", "hi")
    seen = b""
    while b"one" not in seen:
        seen += os.read(terminal, 1024)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert last_logged(sloth) == ("cancelled", "one\n")
    assert plugin_is_gone(sloth)


def test_a_signal_while_a_plugin_is_being_asked_what_it_offers(llm: CommandLine) -> None:
    """Ctrl-C works before there is any answer: the plugin that sleeps while it is imported is gone, too."""
    llm.plugin("dozer", HOLDS_LOCK + DOZER)
    for arguments in (["-m", "dozer", "hi"], ["models"], ["plugins"]):
        running = llm.start(*arguments)
        until(lambda: llm.is_alive("dozer"), "the plugin is imported")
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=20)
        assert (running.returncode, out) == (130, b"")
        assert not llm.is_alive("dozer")


def test_an_answer_whose_reader_goes_ends_quietly(sloth: CommandLine) -> None:
    """`llm … | head -1`: exit code 141, nothing on stderr, and the log says cancelled."""
    running = sloth.start("-m", "sloth", "-o", "deed", "chatter", "hi")
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == b"one\n"
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait(timeout=20) == 141
    running.stderr.close()
    status, text = last_logged(sloth)
    assert status == "cancelled"
    assert str(text).startswith("one\nword 0\n")
    assert plugin_is_gone(sloth)


@pytest.mark.parametrize(("deed", "cause"), [("crash", "signal SIGSEGV"), ("exit", "exit code 7")])
def test_a_crash_is_one_sentence_with_its_cause_and_the_last_words(
    sloth: CommandLine, deed: str, cause: str
) -> None:
    """Statement 28: what had arrived stays; the plugin's last lines cannot drive the terminal."""
    ended = sloth("-m", "sloth", "-o", "deed", deed, "hi")
    assert (ended.code, ended.out) == (5, "one\n")
    sentence, *last_words = ended.err.splitlines()
    assert sentence == f"Error: plugin 'sloth' crashed ({cause}) and its answer ends here."
    assert "\x1b" not in ended.err
    assert [words.startswith("    last ") for words in last_words][:1] == ([True] if deed == "crash" else [])
    assert all(words.startswith("    ") for words in last_words)
    assert last_logged(sloth) == ("error", "one\n")


def test_an_exception_of_the_plugin_is_one_sentence_and_a_traceback_only_with_debug(
    sloth: CommandLine,
) -> None:
    """Statement 37: no stack reaches the user unless it was asked for."""
    ended = sloth("-m", "sloth", "-o", "deed", "raise", "hi")
    assert (ended.code, ended.out) == (5, "one\n")
    assert "the sloth fell␛[2J" in ended.err
    assert "Traceback" not in ended.err
    assert "in execute" in sloth("--debug", "-m", "sloth", "-o", "deed", "raise", "hi").err


def test_an_answer_that_takes_too_long_is_given_up(sloth: CommandLine) -> None:
    """`--timeout` ends the answer with exit code 6 and keeps what had arrived."""
    ended = sloth("-m", "sloth", "--timeout", "0.5", "hi")
    assert (ended.code, ended.out) == (6, "one\n")
    assert "within 0.5 s" in ended.err
    assert last_logged(sloth) == ("error", "one\n")
    assert plugin_is_gone(sloth)


def test_a_killed_host_leaves_no_process_and_loses_nothing(sloth: CommandLine) -> None:
    """Statement 30: after SIGKILL of the host the plugin is gone; the log says interrupted."""
    running = sloth.start("-m", "sloth", "-o", "deed", "stay", "hi")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    running.kill()
    running.communicate(timeout=20)
    until(lambda: plugin_is_gone(sloth), "the plugin is gone")
    assert last_logged(sloth) == ("interrupted", "one\n")


@pytest.mark.parametrize(
    ("signals", "was_told"), [([signal.SIGINT], True), ([signal.SIGINT, signal.SIGTERM], False)]
)
def test_signals_while_a_plugin_that_has_answered_is_being_stopped(
    llm: CommandLine, signals: list[signal.Signals], was_told: bool
) -> None:
    """Statement 31: the first leaves the ladder its steps, the second kills at once; the answer is kept.

    Two different signals, because two of one kind may arrive as one.
    """
    install_specimen(llm.site, next(specimen for specimen in ZOO if specimen.name == "outstays"))
    running = llm.start("-m", "outstays", "hi")
    until((llm.data_of("outstays") / "asked").exists, "the plugin's input is closed")
    cells = processes_below(llm.home)
    for number in signals:
        running.send_signal(number)
    out, err = running.communicate(timeout=20)
    assert cells
    assert (running.returncode, out, err) == (130, b"fine\n", b"Stopped.\n")
    assert processes_below(llm.home) == []
    assert (llm.data_of("outstays") / "told").exists() == was_told
    assert last_logged(llm) == ("done", "fine")


def test_a_stalled_reader_does_not_keep_the_user_from_stopping(sloth: CommandLine) -> None:
    """Nobody reads stdout, the pipe is full, and Ctrl-C still ends the command at once."""
    running = sloth.start("-m", "sloth", "-o", "deed", "chatter", "hi")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    pipe, seen = running.stdout.fileno(), [0]
    until(lambda: has_stopped_growing(pipe, seen), "the command waits for its reader")
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) == 130
    running.communicate(timeout=20)
    assert last_logged(sloth)[0] == "cancelled"


def has_stopped_growing(pipe: int, seen: list[int]) -> bool:
    """Whether as much has waited in a pipe for the last 30 looks: what is full depends on how it was filled.

    Args:
        pipe: the end that is read.
        seen: how much waited at each look; this one is added.
    """
    seen.append(int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder))
    return seen[-1] > select.PIPE_BUF and len(seen) > 30 and len(set(seen[-30:])) == 1
