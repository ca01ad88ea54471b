"""Drives an example over bare pipes: by a host's real Connection, or by lines written by hand."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwall_wire import (
    Connection,
    Credit,
    Data,
    Delta,
    ErrorResponse,
    Event,
    Message,
    Meta,
    PromptParams,
    Response,
    Role,
    TextPart,
)
from tests.support.cell import Cell
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Example", "Program", "initialize_line", "prompt_of", "text_of"]

MOST_LOG_BYTES = 65_536
"""As much as a pipe holds; nobody reads standard error before the end."""


@dataclass(frozen=True)
class Example:
    """An example that is ready to be started.

    Args:
        argv: the program and its arguments.
        model: a model of it that answers with the text it is given, once or `times` times.
        answers: what it makes of a text.
    """

    argv: tuple[str, ...]
    model: str
    answers: Callable[[str], str]


class Program(Cell):
    """A running example; use it as a context manager.

    Args:
        example: which one.
        folder: its working folder.
    """

    def __init__(self, example: Example, folder: Path) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.folder = folder
        self.host = Connection(Role.HOST)
        self.events: list[Event] = []
        self.raw = b""
        self._lines: list[bytes] = []
        self.process = subprocess.Popen(
            example.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            start_new_session=True,
        )

    def tells(self, *messages: object) -> None:
        """Send messages as they are, also such as no real host would send."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def line(self) -> dict[str, Any]:
        """Read the next line; for programs that were told something by hand."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def last_line_of(self, call_id: str) -> dict[str, Any]:
        """Read on to the response to a call."""
        while (found := self.line()).get("id") != call_id:
            pass
        return found

    def processor_ticks(self) -> int:
        """Say how much of a processor it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def finishes(self, call_id: str) -> Event:
        """Give back the credit of all that comes, until the call is answered."""

        def is_answer(event: Event) -> bool:
            if isinstance(event, Data) and self.host.is_live(event.id):
                self.says(Credit(event.id, event.cost))
            return isinstance(event, Response | ErrorResponse) and event.id == call_id

        return self.wait_for(is_answer)

    def answer(self, params: PromptParams) -> tuple[str, Event]:
        """Ask a model; gives the text of its answer, and the response."""
        before = len(self.events)
        response = self.finishes(self.asks("model/prompt", params))
        return text_of(self.events[before:]), response


def prompt_of(model: str, text: str = "hi", *, credit: int | None = 262_144, **changes: Any) -> PromptParams:
    """Make the parameters of a prompt."""
    values: dict[str, Any] = {"messages": [Message(role="user", parts=[TextPart(text=text)])]}
    return PromptParams(model=model, meta=Meta(credit=credit), **(values | changes))


def text_of(events: list[Event]) -> str:
    """Join the text of all parts in which something was said."""
    items = [item for event in events if isinstance(event, Data) for item in event.items]
    return "".join(item.text for item in items if isinstance(item, Delta))


def initialize_line(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Make the first message by hand."""
    params: dict[str, Any] = {
        "protocols": [1],
        "host": {"name": "cellwall", "version": "0.1.0"},
        "plugin": {"name": "example"},
        "limits": {"line": hello().limits.line, "data_line": 65_536},
        "dirs": {"data": "/data", "scratch": "/scratch"},
    }
    return {"jsonrpc": "2.0", "id": f"h{number}", "method": "initialize", "params": params | changes}
