"""One process of the plugin under check: started as always, behind its wall, and spoken to line by line.

What is sent may be wrong on purpose, so this is not `Session`. Every line that comes is shown to the witness.
Requests of the plugin are answered: `ping` with a result, `keys/get` with KeyMissing, the other services as
unavailable, all else as unknown.
"""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.conformance._types import Broken
from cellwall_kernel.conformance._witness import Ledger, Message, OpenCall, Witness
from cellwall_kernel.conformance._words import as_line, members_of, printable
from cellwall_kernel.process import StderrLog, spawn
from cellwall_kernel.process.child import Child
from cellwall_kernel.session import Warden
from cellwall_wire import Code, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from cellwall_kernel.launch import Launch
    from cellwall_kernel.process import Exit

__all__ = ["AT_ONCE_S", "Peer", "running"]

WINDOW = Limits().window

AT_ONCE_S = 2.0
"""How long "at once" may take on a busy machine (seconds): what a host waits before it goes up the ladder."""

MOST_HEARD = 64 * 1024 * 1024
"""A process that writes more is killed (bytes)."""

LEAVE_S = 0.5
"""How long a process has to leave by itself when its check is over (seconds); no check is about that."""

LAST_READ_S = 0.5
"""How long what is left in the pipe may take to be read after the process has ended (seconds)."""


class Peer:
    """A process and the conversation with it.

    Args:
        child: the process.
        witness: is shown every line.
        patience_s: how long one answer may take.
    """

    def __init__(self, child: Child, witness: Witness, patience_s: float) -> None:
        self.ledger = Ledger(witness)
        self.patience_s = patience_s
        self.has_closed = False
        self.strays: list[Message] = []
        self._child = child
        self._witness = witness
        self._number = 0
        self._heard = 0
        self._rest = b""
        self._pending = bytearray()
        self._grants: set[str] = set()
        self._news = anyio.Event()
        self._wants_to_write = anyio.Event()

    # -- sending ---------------------------------------------------------------------------------------------

    def next_id(self) -> str:
        """Return an id that was not used."""
        self._number += 1
        return f"h{self._number}"

    def put(self, data: bytes) -> None:
        """Send bytes as they are; what does not fit into the pipe now follows."""
        if not self._pending:
            try:
                data = data[self._child.write_some(data) :]
            except OSError:
                return  # it no longer listens, which its silence will show
        self._pending += data
        self._wants_to_write.set()

    def say(self, message: object) -> None:
        """Send a message."""
        self.put(line_of(message))

    def notify(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self.say({"jsonrpc": "2.0", "method": method, "params": params})

    def prepare(
        self, method: str, params: dict[str, Any] | None = None, **members: Any
    ) -> tuple[str, Message]:
        """Note a request and return its id and the message, which the caller sends."""
        call_id = self.next_id()
        params = params or {}
        message: Message = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params, **members}
        credit: int = params.get("meta", {}).get("credit") or 0
        self.ledger.asked(call_id, method, as_line(message), credit)
        return call_id, message

    def ask(self, method: str, params: dict[str, Any] | None = None, **members: Any) -> str:
        """Send a request and return its id."""
        call_id, message = self.prepare(method, params, **members)
        self.say(message)
        return call_id

    def prompt(self, params: dict[str, Any], *, credit: int | None = WINDOW, grants: bool = True) -> str:
        """Send a prompt and return its id.

        Args:
            params: without `meta`.
            credit: the first credit; None leaves it out.
            grants: give back credit for what arrives.
        """
        meta: dict[str, Any] = {"timeout_ms": round(self.patience_s * 1000)}
        if credit is not None:
            meta["credit"] = credit
        call_id = self.ask("model/prompt", {"meta": meta, **params})
        if grants:
            self._grants.add(call_id)
        return call_id

    async def embed(self, params: dict[str, Any]) -> str:
        """Begin an embedding, and wait for the first credit for its input; returns the call's id.

        Raises:
            Broken: none came.
        """
        call_id = self.ask("embed/batch", {"meta": {"credit": WINDOW}, **params})
        self._grants.add(call_id)
        call = self.call(call_id)
        await self.until(lambda: call.granted > 0 or call.answer is not None)
        if not call.granted and call.answer is None:
            raise Broken(call.line, f"no $/credit for the input: {await self.silence(self.patience_s)}")
        return call_id

    def feed(self, call_id: str, seq: int, items: list[dict[str, Any]], **members: Any) -> None:
        """Send items of a call's input."""
        self.notify("$/data", id=call_id, seq=seq, items=items, **members)

    def grant(self, call_id: str, n: int) -> None:
        """Grant credit for a call."""
        self.ledger.calls[call_id].credit += n
        self.notify("$/credit", id=call_id, n=n)

    def cancel(self, call_id: str) -> None:
        """Cancel a call."""
        self.ledger.calls[call_id].is_cancelled = True
        self.notify("$/cancel", id=call_id, reason="this is a check")

    def close_input(self) -> None:
        """Close the plugin's input."""
        self._pending.clear()
        self._child.close_stdin()

    # -- hearing ---------------------------------------------------------------------------------------------

    def call(self, call_id: str) -> OpenCall:
        """Return what is known of a request."""
        return self.ledger.calls[call_id]

    async def until(self, happened: Callable[[], bool], within_s: float | None = None) -> bool:
        """Wait until something has happened, the output has ended, or time is up; returns whether it has."""
        with anyio.move_on_after(self.patience_s if within_s is None else within_s):
            while not happened() and not self.has_closed:
                await self._news.wait()
        return happened()

    async def answer(self, call_id: str, within_s: float | None = None) -> Message:
        """Wait for the response to a request.

        Raises:
            Broken: it did not come.
        """
        call = self.call(call_id)
        within_s = self.patience_s if within_s is None else within_s
        await self.until(lambda: call.answer is not None, within_s)
        if call.answer is None:
            raise Broken(call.line, await self.silence(within_s))
        return call.answer

    async def result(self, call_id: str, within_s: float | None = None) -> dict[str, Any]:
        """Wait for a result that is an object.

        Raises:
            Broken: something else came, or nothing.
        """
        answer = await self.answer(call_id, within_s)
        if not isinstance(answer.get("result"), dict):
            raise Broken(self.call(call_id).line, as_line(answer))
        return members_of(answer["result"])

    async def refusal(self, call_id: str, code: Code, *, within_s: float | None = None) -> dict[str, Any]:
        """Wait for an error with this code and return it.

        Raises:
            Broken: something else came, or nothing.
        """
        answer = await self.answer(call_id, within_s)
        error = members_of(answer.get("error"))
        if error.get("code") != code:
            raise Broken(self.call(call_id).line, f"{as_line(answer)} where {int(code)} was due")
        return error

    async def must_live(self, after: str) -> None:
        """Make sure that the plugin still answers.

        Args:
            after: what was sent before, for the evidence.

        Raises:
            Broken: it does not.
        """
        try:
            await self.result(self.ask("ping"))
        except Broken as problem:
            raise Broken(after, f"then ping: {problem.evidence.came}") from None

    async def silence(self, within_s: float) -> str:
        """Say in words that nothing came, and how the process ended if it has."""
        if self.has_closed and (ended := await self._child.ends_within(AT_ONCE_S)) is not None:
            return f"the process ended ({ended.cause})"
        if self.has_closed:
            return "the plugin closed its output"
        return f"nothing within {within_s:g} s"

    async def ends_within(self, patience_s: float) -> Exit | None:
        """Wait for the end of the process; returns how it ended, None if it has not."""
        return await self._child.ends_within(patience_s)

    # -- the pipes -------------------------------------------------------------------------------------------

    async def write(self) -> None:
        """Send what did not fit into the pipe, for as long as it takes; cancel it at the end."""
        while True:
            await self._wants_to_write.wait()
            self._wants_to_write = anyio.Event()
            with suppress(OSError):
                while self._pending:
                    written = self._child.write_some(bytes(self._pending[:65_536]))
                    del self._pending[:written]
                    if not written:
                        await self._child.wait_writable()
            self._pending.clear()

    async def read(self) -> None:
        """Hear everything until the end of the output."""
        try:
            await self._child.listen(self._take)
        finally:
            self.has_closed = True
            self._wake()

    def end_of_output(self, ended: Exit) -> None:
        """Look at what is left when the process has ended by itself."""
        if self._rest and ended.status == 0:
            self._witness.note("only-protocol", "–", f"half a line at the end: {printable(self._rest)}")

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _take(self, chunk: bytes) -> None:
        self._heard += len(chunk)
        limit = self.ledger.line_limit
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take_line(line)
        if len(self._rest) > limit:
            came = f"more than {limit} bytes without a newline"
            self._witness.note("line-length", f"limits.line of {limit}", came)
            self._rest = b""
            self._child.kill_now()
        if self._heard > MOST_HEARD:
            self._child.kill_now()
        self._wake()

    def _take_line(self, line: bytes) -> None:
        message = self.ledger.read(line)
        if message is None:
            return
        if "method" not in message:
            self.ledger.answered(message)
            if not isinstance(message["id"], str) or message["id"] not in self.ledger.calls:
                self.strays.append(message)
        elif "id" in message:
            self._serve(message)
        elif message["method"] == "$/data":
            self._take_data(message, len(line) + 1)
        elif message["method"] == "$/credit":
            self.ledger.granted(message)
        elif message["method"] == "$/progress":
            self.ledger.progressed(message, time.monotonic())

    def _take_data(self, message: Message, size: int) -> None:
        call = self.ledger.data(message, size)
        call_id = message["params"].get("id") if call is not None else None
        if call is not None and call_id in self._grants and not call.is_cancelled:
            self.grant(call_id, size)

    def _serve(self, request: Message) -> None:
        code = self.ledger.requested(request)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if code is None:
            answer["result"] = {}
        else:
            hint = "a conformance run gives no keys" if code is Code.KEY_MISSING else None
            data = {"kind": code.kind, "retryable": False, **({"hint": hint} if hint else {})}
            answer["error"] = {"code": int(code), "message": code.meaning, "data": data}
        self.say(answer)


def line_of(message: object) -> bytes:
    """Return a message as a line; a lone surrogate in it is spelt with a backslash."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


@asynccontextmanager
async def running(
    launch: Launch,
    log: StderrLog,
    witness: Witness,
    *,
    patience_s: float,
    hold: Callable[[Child | None], None],
) -> AsyncGenerator[Peer]:
    """Start a process; on leaving it is stopped, by the ladder if it does not end.

    Args:
        launch: what to start.
        log: takes what it prints.
        witness: is shown what it says.
        patience_s: how long one answer may take.
        hold: is given the child while it runs, for who wants to kill it.

    Raises:
        PluginBroken: the system cannot start it.
    """
    child = Child(spawn(launch), log)
    hold(child)
    peer = Peer(child, witness, patience_s)
    warden = Warden(launch.plugin, child.wall) if child.wall is not None else None
    problem: Exception | None = None
    async with anyio.create_task_group() as tasks:
        # A check that takes too long is cancelled; its process must be attended to until it is gone.
        attending = anyio.CancelScope(shield=True)
        attending_to = [child.attend, peer.write, peer.read, *([warden.attend] if warden else [])]
        tasks.start_soon(_attend, attending, attending_to)
        try:
            yield peer
        except Exception as error:  # noqa: BLE001 - raised below, where no task group wraps it
            problem = error
        finally:
            with anyio.CancelScope(shield=True):
                peer.close_input()
                ended = await child.stop(patience_s=LEAVE_S)
                await peer.until(lambda: peer.has_closed, LAST_READ_S)
                peer.end_of_output(ended)
            hold(None)
            attending.cancel()
    child.close_stdout()
    if problem is not None:
        raise problem


async def _attend(scope: anyio.CancelScope, work: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Do all this until the scope is cancelled."""
    with scope:
        async with anyio.create_task_group() as tasks:
            for each in work:
                tasks.start_soon(each)
