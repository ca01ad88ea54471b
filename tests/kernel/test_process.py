"""One child process: every step of the ladder with a program that needs it, and what it prints."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.launch import Launch
from cellwall_kernel.process import Exit, StderrLog, spawn
from cellwall_kernel.process.child import Child

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0

SAY_READY = "import os, signal, sys, time\nos.write(1, b'ready')\n"
WAIT_FOR_EOF = "while os.read(0, 100): pass\n"
SLEEP = "time.sleep(300)\n"
IGNORE_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
IGNORE_USR1 = "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"


def launch(source: str, folder: Path) -> Launch:
    """Say how to run a Python source."""
    return Launch(
        plugin="zoo", argv=(sys.executable, "-c", source), env={"PATH": os.defpath}, cwd=str(folder)
    )


@contextmanager
def killing(child: Child) -> Generator[None]:
    """Leave no process behind, not even when a test fails in the middle."""
    try:
        yield
    finally:
        if child.exit is None:  # so it was not collected, and its number is nobody else's
            os.kill(child.pid, signal.SIGKILL)


@asynccontextmanager
async def running(source: str, folder: Path) -> AsyncGenerator[Child]:
    """Run a source as an attended child that has said that it is ready."""
    child = Child(spawn(launch(source, folder)), StderrLog())
    with killing(child), anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.attend)
            is_ready = anyio.Event()

            def take(_: bytes) -> None:
                is_ready.set()

            tasks.start_soon(child.listen, take)
            await is_ready.wait()
            yield child
            await child.stop(patience_s=0)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (SAY_READY + WAIT_FOR_EOF, "exit code 0"),
        (SAY_READY + SLEEP, "signal SIGTERM"),
        (IGNORE_TERM + SAY_READY + SLEEP, "signal SIGUSR1"),
        (IGNORE_TERM + IGNORE_USR1 + SAY_READY + SLEEP, "signal SIGKILL"),
        (SAY_READY + "os.kill(os.getpid(), signal.SIGSTOP)", "signal SIGTERM"),
    ],
    ids=[
        "leaves at the end of its input",
        "needs SIGTERM",
        "needs its keeper",
        "needs SIGKILL",
        "is stopped",
    ],
)
async def test_each_step_of_the_ladder_ends_who_needs_it(source: str, cause: str, tmp_path: Path) -> None:
    """[P-6] No child survives, and none is treated worse than it needs."""
    async with running(source, tmp_path) as child:
        assert (
            await child.stop(patience_s=0.2 if "sleep" in source or "STOP" in source else 10)
        ).cause == cause


async def test_a_child_that_ended_before_anybody_looked_is_collected(tmp_path: Path) -> None:
    """A child may end while the host still imports its event loop; nothing of it is lost."""
    spawned = spawn(launch("import os; os.write(1, b'bye'); os.write(2, b'words'); os._exit(4)", tmp_path))
    child = Child(spawned, StderrLog())

    heard: list[bytes] = []
    with anyio.fail_after(PATIENCE_S):
        await child.attend()
        await child.listen(heard.append)

    assert (heard, child.exit, child.log.last_lines()) == ([b"bye"], Exit(4), "words")
    child.close_stdout()


@asynccontextmanager
async def attended(source: str, folder: Path) -> AsyncGenerator[Child]:
    """Run a source as an attended child to which nobody listens yet."""
    child = Child(spawn(launch(source, folder)), StderrLog())
    with killing(child), anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child.attend)
            yield child
            await child.stop(patience_s=0)
    child.close_stdout()


async def test_an_error_of_who_takes_the_bytes_is_raised_where_they_listen(tmp_path: Path) -> None:
    """In the event loop's hands it would be a line in a log, and a session that hears nothing any more."""

    def refuse(chunk: bytes) -> None:
        raise OSError(f"no room for {chunk!r}")

    async with attended(SAY_READY + SLEEP, tmp_path) as child:
        with pytest.raises(OSError, match="no room for b'ready'"):
            await child.listen(refuse)


async def test_listening_can_be_cancelled_and_begun_again(tmp_path: Path) -> None:
    """Nothing stays behind in the event loop, and no byte is lost."""
    heard: list[bytes] = []
    async with attended(SAY_READY + "os.read(0, 1); os.write(1, b' again')", tmp_path) as child:
        with anyio.CancelScope() as scope:

            def take_one(chunk: bytes) -> None:
                heard.append(chunk)
                scope.cancel()

            await child.listen(take_one)
        child.write_some(b".")
        await child.listen(heard.append)

    assert heard == [b"ready", b" again"]


async def test_a_flood_leaves_time_for_everybody_else(tmp_path: Path) -> None:
    """A child that never stops writing must not keep the others in the event loop from their turn."""
    amounts: list[int] = []
    turns = 0

    def take(chunk: bytes) -> None:
        amounts.append(len(chunk))

    source = "import os\nwhile True: os.write(1, b'x' * 65536)"
    async with attended(source, tmp_path) as child, anyio.create_task_group() as tasks:
        tasks.start_soon(child.listen, take)
        while len(amounts) < 200:
            await anyio.lowlevel.checkpoint()
            turns += 1
        tasks.cancel_scope.cancel()

    assert turns >= 200  # one chunk at most between two turns of another task
    assert max(amounts) <= 65536


async def test_stopping_is_not_cut_short_by_a_cancellation(tmp_path: Path) -> None:
    """Ctrl-C during the way out must not leave the child behind."""
    async with running(IGNORE_TERM + SAY_READY + SLEEP, tmp_path) as child:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await child.stop(patience_s=0)
        assert child.exit is not None


async def test_what_does_not_fit_into_the_pipe_is_not_written(tmp_path: Path) -> None:
    """A child that does not read must never block the host."""
    async with running(SAY_READY + SLEEP, tmp_path) as child:
        written = 0
        while size := child.write_some(b"x" * 65536):
            written += size
        assert 0 < written <= 1024 * 1024

        child.close_stdin()
        with pytest.raises(BrokenPipeError):
            child.write_some(b"x")
        await child.wait_writable()  # returns, because there is nothing to wait for


def test_a_program_that_cannot_be_started_is_told_in_a_sentence(tmp_path: Path) -> None:
    """The interpreter of an environment may be gone."""
    gone = Launch(plugin="zoo", argv=(str(tmp_path / "python"),), env={}, cwd=str(tmp_path))

    with pytest.raises(
        PluginBroken, match=r"'zoo' cannot be started: No such file or directory \(.*python\)"
    ):
        spawn(gone)


def test_only_the_main_thread_starts_children(tmp_path: Path) -> None:
    """The kernel tells a child of the death of the thread that started it, so that thread must last."""
    caught: list[RuntimeError] = []

    def try_it() -> None:
        try:
            spawn(launch("", tmp_path))
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join(PATIENCE_S)

    assert "main thread" in str(caught[0])


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (0, "exit code 0"),
        (97, "exit code 97"),
        (-11, "signal SIGSEGV"),
        (-63, "signal 63"),
        (None, "it cannot be ended"),
    ],
)
def test_an_end_is_told_in_words(status: int | None, cause: str) -> None:
    """People know signals by name."""
    assert Exit(status).cause == cause


class Clock:
    """Time that passes when told to, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_last_lines_are_kept_without_what_steers_a_terminal() -> None:
    """What a plugin prints is shown in a terminal, which must not obey it."""
    log = StderrLog()
    for number in range(100):
        log.feed(f"line {number}\n".encode())
    log.feed(b"\x1b[31mred\x1b[0m\x07 and \xff broken\r\nlast")

    assert log.last_lines(3) == "line 99\n[31mred[0m and \ufffd broken\nlast"
    assert len(log.last_lines().split("\n")) == 20


def test_memory_for_the_last_lines_is_bounded() -> None:
    """A plugin may print gigabytes."""
    log = StderrLog()
    for _ in range(200):
        log.feed(b"x" * 65536)

    assert len(log._tail) <= 2 * 65536 + 20


def test_an_endless_line_is_cut_into_pieces(tmp_path: Path) -> None:
    """Readers of the file choke on a line of megabytes (anchor 34)."""
    log = StderrLog(str(tmp_path / "log"), title="zoo")
    for _ in range(30):
        log.feed(b"x" * 1000)
    log.feed(b"end\nnext\n")
    log.close()

    head, *lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert head.endswith(" zoo")
    assert [len(line) for line in lines] == [8192, 8192, 8192, 5427, 4]
    assert lines[-1] == "next"


def test_a_flood_is_thinned_out_and_the_file_says_so(tmp_path: Path) -> None:
    """The disk is not a plugin's to fill: a burst, then so much a second (anchor 34)."""
    clock = Clock()
    log = StderrLog(str(tmp_path / "log"), clock=clock)
    log.feed(b"y\n" * 500_000)
    clock.now = 1.0
    log.feed(b"later\n")
    log.close()

    text = (tmp_path / "log").read_text("utf-8")
    assert 262_144 < len(text) < 263_000
    assert "[737856 bytes are left out here" in text
    assert text.endswith("later\n")


def test_a_large_file_is_put_aside_once(tmp_path: Path) -> None:
    """Two files of bounded size, whatever happens in the years between."""
    path = tmp_path / "log"
    (tmp_path / "log.1").write_text("old")
    path.write_text("x" * (1024 * 1024 + 1))
    log = StderrLog(str(path))
    log.feed(b"new\n")
    log.close()

    assert path.read_text("utf-8").endswith("new\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log.1").stat().st_size == 1024 * 1024 + 1


def test_a_file_that_cannot_be_written_loses_no_last_lines(tmp_path: Path) -> None:
    """A full disk must not cost an answer."""
    log = StderrLog(str(tmp_path / "no" / "folder" / "log"))
    log.feed(b"still here\n")
    log.close()

    assert log.last_lines() == "still here"
