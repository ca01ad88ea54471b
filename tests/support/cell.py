"""A real plugin process, driven by hand: a host's Connection over real pipes, every wait bounded."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from cellwall_wire import (
    CLOSED,
    NEED_DATA,
    Connection,
    Dirs,
    ErrorResponse,
    Event,
    InitializeResult,
    Outgoing,
    Request,
    Response,
    Role,
)
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 15.0
"""How long a test waits for one thing before it fails; long, because machines are busy."""


class Cell:
    """A plugin written into `folder` as `sample.py` and started as a child; use it as a context manager.

    Args:
        folder: where the source goes, and the child's working folder.
        source: the plugin's source.
        env: more environment variables.
    """

    def __init__(self, folder: Path, source: str, env: dict[str, str] | None = None) -> None:
        folder.joinpath("sample.py").write_text(source, "utf-8")
        self.folder = folder
        self.host = Connection(Role.HOST)
        self.events: list[Event] = []
        self.raw = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cellwall_sdk", "sample"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), **(env or {})},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def says(self, message: Outgoing) -> None:
        """Send a message to the plugin."""
        self.write(self.host.send(message))

    def write(self, data: bytes) -> None:
        """Send bytes to the plugin."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def asks(self, method: str, params: Any) -> str:
        """Send a request and give its id."""
        call_id = self.host.next_id()
        self.says(Request(call_id, method, params))
        return call_id

    def initialize(self, **changes: Any) -> InitializeResult:
        """Go through `initialize` and give the plugin's answer."""
        changes.setdefault("dirs", Dirs(data=str(self.folder), scratch=str(self.folder)))
        answer = self.answer_to(self.asks("initialize", hello(**changes)))
        assert isinstance(answer, Response), answer
        result = answer.result
        assert isinstance(result, InitializeResult)
        return result

    def wait_for(self, wanted: Callable[[Event], bool]) -> Event:
        """Read until an event is wanted; all events are kept in `events`.

        Raises:
            AssertionError: it did not come in time, or the plugin closed its end.
        """
        assert self.process.stdout is not None
        end = time.monotonic() + PATIENCE_S
        while True:
            while (event := self.host.next_event()) is not NEED_DATA:
                self.events.append(event)
                if wanted(event):
                    return event
                assert event is not CLOSED, f"the plugin closed its end; so far: {self.events}"
            self._read(end)

    def _read(self, end: float) -> None:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(max(0.0, end - time.monotonic())), f"nothing came; so far: {self.events}"
        chunk = os.read(self.process.stdout.fileno(), 65_536)
        self.raw += chunk
        self.host.receive(chunk)

    def answer_to(self, call_id: str) -> Event:
        """Wait for the response to a call."""

        def is_answer(event: Event) -> bool:
            return isinstance(event, Response | ErrorResponse) and event.id == call_id

        return self.wait_for(is_answer)

    def close_input(self) -> int:
        """Close the plugin's standard input and wait for its end; gives the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE_S)

    def log_line(self) -> str:
        """Wait for the next line that the plugin writes to standard error."""
        assert self.process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            assert selector.select(PATIENCE_S), "nothing came on standard error"
        return self.process.stderr.readline().decode()

    def log(self) -> str:
        """Read what the plugin wrote to standard error; only after its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()
