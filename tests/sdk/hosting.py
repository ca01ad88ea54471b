"""A small host for the SDK's tests: a real child, a real Connection on its pipes, every wait bounded."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import cellwall_wire as wire
from cellwall_wire import Connection, ErrorResponse, Request, Response, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["BOUND_S", "Child", "Gone", "text_of", "write_plugin"]

BOUND_S = 10.0
"""The longest that any wait of a test may take, in seconds; a busy machine needs far less."""

WINDOW_BYTES = 256 * 1024


class Gone(Exception):
    """Raised when the child has closed its end of the wire."""


class Child:
    """A plugin as a real child process, and the host's side of the protocol to it.

    Args:
        folder: holds the plugin's module; also its working folder, data folder and scratch folder.
        target: the entry point's value.
        keys: the user's API keys, by alias.
        assets: data files, by name.
        answers: what answers the plugin's other calls, by method; each sends what it likes.
        auto_credit: give back credit as soon as data has come.
        python: the interpreter.
    """

    def __init__(
        self,
        folder: Path,
        target: str = "plugin",
        *,
        keys: Mapping[str, str] | None = None,
        assets: Mapping[str, Path] | None = None,
        answers: Mapping[str, Callable[[Child, Request], None]] | None = None,
        auto_credit: bool = True,
        python: str = sys.executable,
    ) -> None:
        self.connection = Connection(Role.HOST)
        self.items: dict[str, list[Any]] = {}
        self.progress: list[wire.Progress] = []
        self.given_up: list[str] = []
        self.granted: dict[str, int] = {}
        self.answers: dict[str, Response | ErrorResponse] = {}
        self.unspent: dict[str, int] = {}
        self.requests: list[Request] = []
        self.hold_keys = False
        self._folder = folder
        self._assets = assets or {}
        self._keys = keys or {}
        self._answers = answers or {}
        self._auto_credit = auto_credit
        self._windows: dict[str, int] = {}
        with (folder / "stderr.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-m", "cellwall_sdk", target],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._in, self._out):
            if not pipe.closed:
                with suppress(BrokenPipeError):
                    pipe.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(BOUND_S)

    @property
    def stderr(self) -> str:
        """What the child has written to its log so far."""
        return (self._folder / "stderr.txt").read_text()

    def start(self) -> wire.InitializeResult:
        """Say hello and return the answer."""
        limits = self.connection.limits
        hello = wire.InitializeParams(
            protocols=[1],
            host=wire.Peer(name="tests"),
            plugin=wire.PluginIdentity(name="plugin", version="1.0"),
            limits=wire.WireLimits(line=limits.line, data_line=limits.data_line),
            dirs=wire.Dirs(data=str(self._folder), scratch=str(self._folder)),
            assets={name: wire.AssetFile(path=str(path)) for name, path in self._assets.items()},
        )
        answer = self.call("initialize", hello)
        assert isinstance(answer, Response), answer
        result: wire.InitializeResult = answer.result
        return result

    def describe(self) -> wire.DescribeResult:
        """Ask what the plugin offers."""
        answer = self.call("plugin/describe", wire.DescribeParams())
        assert isinstance(answer, Response), answer
        result: wire.DescribeResult = answer.result
        return result

    def prompt(
        self, text: str = "hi", *, model: str = "m", **params: Any
    ) -> tuple[str, Response | ErrorResponse]:
        """Ask the model and wait for the answer's end.

        Returns:
            the text, and how it ended.
        """
        call_id = self.open(text, model=model, **params)
        answer = self.wait_answer(call_id)
        return text_of(self.items[call_id]), answer

    def open(self, text: str = "hi", *, model: str = "m", credit: int = WINDOW_BYTES, **params: Any) -> str:
        """Send a prompt and return its id."""
        params.setdefault("messages", [wire.Message(role="user", parts=[wire.TextPart(text=text)])])
        meta = wire.Meta(credit=credit)
        call_id = self.send("model/prompt", wire.PromptParams(model=model, meta=meta, **params))
        self._windows[call_id] = credit
        return call_id

    def call(self, method: str, params: wire.Params) -> Response | ErrorResponse:
        """Send a request and wait for its answer."""
        return self.wait_answer(self.send(method, params))

    def send(self, method: str, params: wire.Params) -> str:
        """Send a request and return its id."""
        request = Request(self.connection.next_id(), method, params)
        self.items[request.id] = []
        self.put(request)
        return request.id

    def put(self, message: wire.Outgoing) -> None:
        """Send any message."""
        self._in.write(self.connection.send(message))
        self._in.flush()

    def put_raw(self, line: bytes) -> None:
        """Send bytes past the connection."""
        self._in.write(line)
        self._in.flush()

    def close_input(self) -> None:
        """Tell the child that the host is going."""
        self._in.close()

    def close_output(self) -> None:
        """Stop reading for good."""
        self._out.close()

    def wait_answer(self, call_id: str) -> Response | ErrorResponse:
        """Read until the call is answered."""
        self.wait_until(lambda: call_id in self.answers)
        return self.answers.pop(call_id)

    def wait_items(self, call_id: str, count: int = 1) -> list[Any]:
        """Read until so many items of the call have come."""
        self.wait_until(lambda: len(self.items[call_id]) >= count)
        return self.items[call_id]

    def wait_until(self, is_done: Callable[[], bool]) -> None:
        """Read until something is so.

        Raises:
            Gone: the child closed the wire before.
            TimeoutError: it took longer than BOUND_S.
        """
        deadline = monotonic() + BOUND_S
        while not is_done():
            ready, _, _ = select.select([self._out], [], [], max(0.0, deadline - monotonic()))
            if not ready:
                raise TimeoutError(f"nothing came; the child's log: {self.stderr}")
            self._read()

    def exchange(self) -> None:
        """Wait for the answer to a ping: what the child wrote before it has been taken in then."""
        self.call("ping", wire.PingParams())

    def _read(self) -> None:
        chunk = os.read(self._out.fileno(), 1 << 16)
        self.connection.receive(chunk)
        while (event := self.connection.next_event()) is not wire.NEED_DATA:
            if event is wire.CLOSED:
                raise Gone(f"the child has gone; its log: {self.stderr}")
            self._take(event)

    def _take(self, event: wire.Event) -> None:
        match event:
            case wire.Data():
                self.items[event.id].extend(event.items)
                self.unspent[event.id] = self.unspent.get(event.id, 0) + event.cost
                if self._auto_credit and self.unspent[event.id] >= self._windows.get(event.id, 0) // 2:
                    self.give_credit(event.id)
            case Response() | ErrorResponse():
                self.answers[event.id or ""] = event
            case wire.Refused():
                self.put(event.answer)
            case wire.Progress() | wire.Cancel() | wire.Credit():
                self._note(event)
            case Request():
                self.requests.append(event)
                if not self.hold_keys:
                    self._answer(event)
            case wire.Ignored() if event.why.startswith("$/credit"):
                pass  # it has crossed our answer
            case _:
                raise AssertionError(event)

    def _note(self, event: wire.Progress | wire.Cancel | wire.Credit) -> None:
        if isinstance(event, wire.Progress):
            self.progress.append(event)
        elif isinstance(event, wire.Cancel):
            self.given_up.append(event.id)
        else:
            self.granted[event.id] = self.granted.get(event.id, 0) + event.n

    def give_credit(self, call_id: str, size: int | None = None) -> None:
        """Grant credit: by default what was consumed since the last grant."""
        size = self.unspent.get(call_id, 0) if size is None else size
        self.unspent[call_id] = 0
        if size and call_id in self.connection.open_calls():
            self.put(wire.Credit(call_id, size))

    def _answer(self, request: Request) -> None:
        if request.method in self._answers:
            self._answers[request.method](self, request)
            return
        alias = getattr(request.params, "alias", "")
        if alias in self._keys:
            self.put(Response(request.id, wire.KeysGetResult(value=self._keys[alias])))
        else:
            info = wire.ErrorInfo.of(wire.Code.KEY_MISSING, f"No key '{alias}'.")
            self.put(ErrorResponse(request.id, info))

    def cancel(self, call_id: str) -> None:
        """Say that the answer is no longer wanted."""
        self.put(wire.Cancel(call_id, "the user pressed Ctrl-C"))

    def wait_exit(self) -> int:
        """Wait for the end of the process, reading on, and return its exit code."""
        with suppress(Gone, OSError, ValueError):
            self.wait_until(lambda: False)
        return self.process.wait(BOUND_S)

    def interrupt(self) -> None:
        """Press Ctrl-C on the child."""
        os.kill(self.process.pid, signal.SIGINT)

    def interrupt_until_answered(self, call_id: str) -> Response | ErrorResponse:
        """Press Ctrl-C as a person does: again, while nothing happens; the first may fall between steps."""
        deadline = monotonic() + BOUND_S
        while call_id not in self.answers and monotonic() < deadline:
            self.interrupt()
            if select.select([self._out], [], [], 0.2)[0]:
                self._read()
        return self.answers.pop(call_id)


def text_of(items: Iterable[Any]) -> str:
    """Join the text of the text parts."""
    items = list(items)
    texts = {item.part for item in items if isinstance(item, wire.PartStart) and item.type == "text"}
    return "".join(item.text for item in items if isinstance(item, wire.Delta) and item.part in texts)


def write_plugin(folder: Path, source: str, name: str = "plugin") -> None:
    """Write a plugin's module."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
