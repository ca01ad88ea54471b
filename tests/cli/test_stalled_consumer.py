"""A consumer that does not read, as in `llm … | (sleep 60; cat)`, and a plugin that never stops.

Nobody sleeps here: the plugin notes in its folder how much it has said, and when that no longer grows,
everybody waits for the reader.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_wire import Limits
from tests.cli.conftest import HOLDS_LOCK, TIMEOUT_S, until

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

FLOOD = """
    import os, resource

    from cellwall_sdk import Model, StreamEvent, hookimpl

    NOTES = os.open("said", os.O_CREAT | os.O_WRONLY)

    def note(said):
        taken_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.pwrite(NOTES, f"{said:12} {taken_kib:12}".encode(), 0)

    class Flood(Model):
        model_id = "flood"

        class Options(Model.Options):
            lines: int = 10**9
            kind: str = "text"

        def execute(self, prompt, response):
            said = 0
            note(said)
            for number in range(prompt.options.lines):
                line = f"line {number}\\n"
                yield line if prompt.options.kind == "text" else StreamEvent("reasoning", line)
                said += len(line)
                if number % 100 == 0:
                    note(said)

    @hookimpl
    def register_models(register):
        register(Flood())
"""

LINES = 300_000
"""Some 3.6 MB: far more than all that can be under way."""

GROWTH_KIB = 10 * 1024
"""By how much either side may grow, whatever the other does: the design's budget (KiB)."""

UNDER_WAY_BYTES = 3 * Limits().window
"""What can be under way: a window that is being written out, one that has arrived, the pipe and the SDK."""


@pytest.fixture
def flood(llm: CommandLine) -> CommandLine:
    """A command line with a model that says more than anybody reads."""
    llm.plugin("flood", HOLDS_LOCK + FLOOD)
    assert llm("models").code == 0  # so that the tests are about prompts
    return llm


def start(llm: CommandLine, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start a prompt whose stdout is a pipe that nobody reads yet."""
    running = subprocess.Popen(
        llm.argv("-m", "flood", *arguments, "hi"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=llm.environment,
    )
    llm.started.append(running)
    return running


def said(llm: CommandLine) -> tuple[int, int]:
    """What the plugin has noted: how many bytes it has said, and how much memory it took at most, in KiB."""
    try:
        first, second = (llm.data_of("flood") / "said").read_text("ascii").split()
    except (FileNotFoundError, ValueError):
        return 0, 0
    return int(first), int(second)


def memory_kib(pid: int, what: str) -> int:
    """What a process takes (VmRSS) or took at most (VmHWM), in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {what} in the status of a process")


def wait_until_stalled(llm: CommandLine) -> int:
    """Wait until the plugin has said something and then nothing new for 50 looks; return how many bytes."""
    looks: list[int] = []

    def is_stalled() -> bool:
        looks.append(said(llm)[0])
        return looks[-1] > 0 and len(looks) > 50 and len(set(looks[-50:])) == 1

    until(is_stalled, "the plugin waits for the reader")
    return looks[-1]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process takes")
def test_a_consumer_that_does_not_read_costs_neither_side_memory_and_loses_nothing(
    flood: CommandLine,
) -> None:
    """[P-42] [P-43] Statement 14: both sides stop at a bounded amount, and go on when somebody reads."""
    running = start(flood, "-o", "lines", str(LINES))
    until(lambda: said(flood)[1] > 0, "the plugin begins")
    host_kib, plugin_kib = memory_kib(running.pid, "VmRSS"), said(flood)[1]

    stalled_at = wait_until_stalled(flood)

    assert 0 < stalled_at < UNDER_WAY_BYTES
    assert memory_kib(running.pid, "VmHWM") - host_kib < GROWTH_KIB
    assert said(flood)[1] - plugin_kib < GROWTH_KIB

    out, err = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, err) == (0, b"")
    assert out == b"".join(b"line %d\n" % number for number in range(LINES))
    assert said(flood)[1] - plugin_kib < GROWTH_KIB


@pytest.mark.parametrize("kind", ["text", "reasoning"])
def test_one_ctrl_c_ends_a_command_whose_reader_does_not_read(flood: CommandLine, kind: str) -> None:
    """Statements 14, 31: `llm … 2>&1 | less` shows what a model says or thinks, and it can be stopped."""
    running = start(flood, "-o", "kind", kind, stderr=subprocess.STDOUT)
    wait_until_stalled(flood)

    running.send_signal(signal.SIGINT)

    assert running.wait(timeout=20) == 130
    until(lambda: not flood.is_alive("flood"), "the plugin is gone")
    assert running.stdout is not None
    running.stdout.close()


def test_a_reader_that_takes_one_line_ends_it_all_quietly(flood: CommandLine) -> None:
    """`llm … | head -1`: head has its line, the exit code is 141, and stderr is empty (exit codes)."""
    running = start(flood)
    head = subprocess.run(
        ["head", "-1"], stdin=running.stdout, capture_output=True, timeout=TIMEOUT_S, check=True
    )
    assert running.stdout is not None
    running.stdout.close()  # ours; the reader's is gone with it
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()

    assert (running.wait(timeout=20), head.stdout) == (141, b"line 0\n")
    until(lambda: not flood.is_alive("flood"), "the plugin is gone")


def test_a_reader_that_comes_and_goes_in_the_middle_is_noticed_while_it_stalls(flood: CommandLine) -> None:
    """Statement 14: a pipe that closes while the command waits for it wakes the command."""
    running = start(flood)
    wait_until_stalled(flood)

    assert running.stdout is not None
    os.read(running.stdout.fileno(), 1000)
    running.stdout.close()

    assert running.wait(timeout=20) == 141
    assert running.stderr is not None
    running.stderr.close()
    until(lambda: not flood.is_alive("flood"), "the plugin is gone")
