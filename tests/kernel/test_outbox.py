"""The host's two lanes: what overtakes what while a child does not read, and what it still owes to read."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from cellwall_kernel.launch import Launch
from cellwall_kernel.process import StderrLog, spawn
from cellwall_kernel.process.child import Child
from cellwall_kernel.session import Outbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0

READS_WHEN_TOLD = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
os.write(1, b"ready" + bytes([10]))
signal.sigwait({signal.SIGUSR2})
while data := os.read(0, 65536):
    while data:
        data = data[os.write(1, data):]
"""
"""A child that reads nothing until it gets a signal, and then gives back what it reads."""

LONG = b"x" * 300_000 + b"\n"
"""More than a pipe holds."""


class Reader:
    """A child and what it has given back."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.heard = b""
        self.news = anyio.Event()

    def take(self, chunk: bytes) -> None:
        """Keep what came."""
        self.heard += chunk
        self.news.set()

    async def lines(self, count: int) -> list[bytes]:
        """Wait until so many lines came back, the child's own first one not counted."""
        while self.heard.count(b"\n") <= count:
            self.news = anyio.Event()
            await self.news.wait()
        return self.heard.split(b"\n")[1:-1]

    def read_on(self) -> None:
        """Tell the child to read."""
        os.kill(self.child.pid, signal.SIGUSR2)


@asynccontextmanager
async def stalled(folder: Path) -> AsyncGenerator[tuple[Reader, Outbox, list[str]]]:
    """Run a child that does not read yet, with an outbox, and a list that says when its input was closed."""
    launch = Launch(
        plugin="zoo", argv=(sys.executable, "-c", READS_WHEN_TOLD), env={"PATH": os.defpath}, cwd=str(folder)
    )
    child = Child(spawn(launch), StderrLog())
    closed: list[str] = []
    outbox, reader = Outbox(child, lambda: closed.append("closed")), Reader(child)
    try:
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child.attend)
                tasks.start_soon(child.listen, reader.take)
                tasks.start_soon(outbox.run)
                await reader.lines(0)
                yield reader, outbox, closed
                await child.stop(patience_s=0)
                tasks.cancel_scope.cancel()
    finally:
        if child.exit is None:
            os.kill(child.pid, signal.SIGKILL)


async def test_control_overtakes_what_waits_and_no_line_is_torn(tmp_path: Path) -> None:
    """[P-47] A cancel does not wait behind a prompt that nobody reads (anchor 15)."""
    async with stalled(tmp_path) as (reader, outbox, _):
        outbox.put(LONG)
        for number in range(3):
            outbox.put(b"data %d\n" % number)
        outbox.put(b"cancel\n", is_control=True)
        outbox.put(b"credit\n", is_control=True)
        reader.read_on()

        expected = [LONG[:-1], b"cancel", b"credit", b"data 0", b"data 1", b"data 2"]
        assert expected == await reader.lines(6)


async def test_answers_that_nobody_reads_are_counted_until_somebody_does(tmp_path: Path) -> None:
    """[P-23] The host must not wait for a child to read, so it must know what it keeps for it."""
    async with stalled(tmp_path) as (reader, outbox, _):
        outbox.put(LONG)
        outbox.put(b"ours\n")
        outbox.put(b"pong\n", is_control=True, is_answer=True)
        outbox.put(b"refusal\n", is_answer=True)
        assert outbox.unread == 2
        reader.read_on()

        assert await reader.lines(4) == [LONG[:-1], b"pong", b"ours", b"refusal"]
        assert outbox.unread == 0


async def test_nothing_is_kept_for_a_child_that_closed_its_input(tmp_path: Path) -> None:
    """[P-4] It is said once, and what is written afterwards is dropped."""
    async with stalled(tmp_path) as (reader, outbox, closed):
        outbox.put(LONG)
        outbox.put(b"pong\n", is_answer=True)
        reader.child.close_stdin()
        while not closed:
            await anyio.lowlevel.checkpoint()
        outbox.put(b"more\n", is_answer=True)

        assert (closed, outbox.unread) == (["closed"], 0)
