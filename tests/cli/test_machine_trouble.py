"""What the machine does to a command: it stops it for a while, has no room left, or lets nothing be written.

A file system that is read-only or full is made in a name space of mounts that ends with the command.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import TIMEOUT_S, Finished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cli.conftest import CommandLine

IN_OWN_MOUNTS = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]

READ_ONLY = """
    set -e
    mount --bind "$CELLWALL_HOME" "$CELLWALL_HOME"
    mount -o remount,bind,ro "$CELLWALL_HOME"
    exec "$@"
"""

FULL = """
    set -e
    mkdir -p "$CELLWALL_HOME.small"
    mount -t tmpfs -o size=4m tmpfs "$CELLWALL_HOME.small"
    cp -a "$CELLWALL_HOME/." "$CELLWALL_HOME.small"
    kept="$CELLWALL_HOME"
    export CELLWALL_HOME="$CELLWALL_HOME.small"
    head -c 8m /dev/zero > "$CELLWALL_HOME/filler" 2> /dev/null || true
    code=0
    "$@" || code=$?
    rm "$CELLWALL_HOME/filler"
    cp -a "$CELLWALL_HOME/." "$kept"
    exit "$code"
"""

FILLS_MEANWHILE = """
    set -e
    mkdir -p "$CELLWALL_HOME.small"
    mount -t tmpfs -o size=4m tmpfs "$CELLWALL_HOME.small"
    cp -a "$CELLWALL_HOME/." "$CELLWALL_HOME.small"
    kept="$CELLWALL_HOME"
    export CELLWALL_HOME="$CELLWALL_HOME.small"
    "$@" &
    until [ -e "$CELLWALL_HOME/plugins/pauses/data/begun" ]; do kill -0 $!; sleep 0.02; done
    head -c 8m /dev/zero > "$CELLWALL_HOME/filler" 2> /dev/null || true
    rm "$CELLWALL_HOME/plugins/pauses/data/begun"
    code=0
    wait $! || code=$?
    rm "$CELLWALL_HOME/filler"
    cp -a "$CELLWALL_HOME/." "$kept"
    exit "$code"
"""

PAUSES = """
    import os, time

    from cellwall_sdk import Model, hookimpl

    class Pauses(Model):
        model_id = "pauses"

        def execute(self, prompt, response):
            yield "one\\n"
            open("begun", "w").close()
            while os.path.exists("begun"):
                time.sleep(0.02)
            for number in range(100):
                yield f"{number} {'x' * 10000}\\n"

    @hookimpl
    def register_models(register):
        register(Pauses())
"""

COUNTER = """
    from cellwall_sdk import Model, hookimpl

    class Counter(Model):
        model_id = "counter"

        def execute(self, prompt, response):
            for number in range(int(prompt.prompt)):
                yield f"{number}\\n"

    @hookimpl
    def register_models(register):
        register(Counter())
"""


def run_in(world: str, llm: CommandLine, *arguments: str) -> Finished:
    """Run a command in a world of its own, or skip the test where none can be made."""
    probe = subprocess.run(
        [*IN_OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", str(llm.site)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {probe.stderr.strip()}")
    ended = subprocess.run(
        [*IN_OWN_MOUNTS, "sh", "-c", world, "sh", *llm.argv(*arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=llm.environment,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Finished(ended.returncode, ended.stdout, ended.stderr)


def answers(llm: CommandLine) -> Sequence[object]:
    """All answers in the log, newest first or last: there is only one."""
    return [row["response"] for row in json.loads(llm("logs", "list", "-n", "0", "--json").out)]


@pytest.fixture
def used(llm: CommandLine) -> CommandLine:
    """A command line that has been used once."""
    assert llm("-m", "echo", "before").code == 0
    return llm


@pytest.mark.parametrize(
    ("world", "cause"), [(READ_ONLY, "Permission denied"), (FULL, "disk")], ids=["read-only", "full"]
)
def test_a_prompt_that_cannot_be_logged_is_refused_in_one_sentence(
    used: CommandLine, world: str, cause: str
) -> None:
    """Exit code 8, the way out in the same line, and nothing lost: what was logged before is still there."""
    ended = run_in(world, used, "-m", "echo", "hi")

    assert (8, "") == (ended.code, ended.out)
    (sentence,) = ended.err.splitlines()
    assert sentence.startswith("Error: the log database ")
    assert cause in sentence
    assert sentence.endswith("With -n the prompt runs without the log.")
    assert ["before"] == answers(used)


def test_a_disk_that_fills_up_during_an_answer_costs_the_log_and_not_the_answer(used: CommandLine) -> None:
    """All of the answer is printed, one warning says what is not kept, and the exit code is 8."""
    used.plugin("pauses", PAUSES)
    assert used("models").code == 0

    ended = run_in(FILLS_MEANWHILE, used, "-m", "pauses", "hi")

    assert "one\n" + "".join(f"{number} {'x' * 10000}\n" for number in range(100)) == ended.out
    assert 8 == ended.code, ended.err
    warning, *rest = ended.err.splitlines()
    assert re.fullmatch(r"Warning: the log database .* The answer goes on\.", warning)
    assert [] == [line for line in rest if not line.startswith("Error: the log database ")]
    assert "before" in answers(used)


@pytest.mark.parametrize("world", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_what_needs_no_writing_works_where_nothing_can_be_written(used: CommandLine, world: str) -> None:
    """A prompt without the log, and the list of plugins; the catalogue is only a cache."""
    prompted = run_in(world, used, "-n", "-m", "echo", "hi")
    listed = run_in(world, used, "plugins")

    assert (0, "hi\n", "") == (prompted.code, prompted.out, prompted.err)
    assert (0, "") == (listed.code, listed.err)
    assert "echo" in listed.out
    assert ["before"] == answers(used)


@pytest.mark.parametrize("arguments", [("-m", "echo", "hi"), ("plugins",)], ids=["prompt", "plugins"])
def test_a_new_user_folder_that_cannot_be_filled_is_one_sentence(
    llm: CommandLine, arguments: tuple[str, ...]
) -> None:
    """Exit code 8 and the variable that chooses another folder."""
    llm.home.mkdir()

    ended = run_in(READ_ONLY, llm, *arguments)

    assert (8, "") == (ended.code, ended.out)
    (sentence,) = ended.err.splitlines()
    assert "cannot be made: Read-only file system" in sentence
    assert sentence.endswith("or set CELLWALL_HOME to a folder that you can write.")


@pytest.mark.parametrize("world", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_a_setting_that_cannot_be_stored_is_an_error_and_the_old_one_stays(
    used: CommandLine, world: str
) -> None:
    """Exit code 8; half a file is never left."""
    assert used("plugins", "disable", "echo").code == 0
    before = (used.home / "config.json").read_bytes()

    ended = run_in(world, used, "plugins", "enable", "echo")

    assert (8, "") == (ended.code, ended.out)
    assert ended.err.startswith(f"Error: {used.home}")
    assert 1 == len(ended.err.splitlines())
    assert before == (used.home / "config.json").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_an_answer_goes_on_where_it_was_after_the_command_was_stopped(
    llm: CommandLine, number: signal.Signals
) -> None:
    """Ctrl-Z and `fg`: the plugin waits for credit meanwhile, and not a word is lost."""
    llm.plugin("counter", COUNTER)
    # In a group of its own, whose parent is in another one: a group without that is never stopped by Ctrl-Z.
    running = subprocess.Popen(
        llm.argv("-m", "counter", "60000"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=llm.environment,
        bufsize=0,  # what readline() left in a buffer, communicate() would not see
        process_group=0,
    )
    llm.started.append(running)
    assert running.stdout is not None
    assert running.stdout.readline() == b"0\n"

    running.send_signal(number)
    stopped = os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
    running.send_signal(signal.SIGCONT)
    out, err = running.communicate(timeout=TIMEOUT_S)

    assert stopped is not None
    assert number == stopped.si_status
    assert (0, b"") == (running.returncode, err)
    assert "".join(f"{number}\n" for number in range(1, 60000)) == out.decode()


def test_a_stray_sigpipe_ends_nothing(llm: CommandLine) -> None:
    """Only a reader that has gone ends an answer (141); the signal alone says nothing."""
    llm.plugin("counter", COUNTER)
    running = llm.start("-m", "counter", "60000")
    assert running.stdout is not None
    assert running.stdout.readline() == b"0\n"

    running.send_signal(signal.SIGPIPE)
    out, err = running.communicate(timeout=TIMEOUT_S)

    assert (0, b"", b"59999") == (running.returncode, err, out.split()[-1])
