"""The session: one reader that never waits for anybody, and the beginning and the end of a conversation.

Whatever ends the conversation, every open call learns of it exactly once: an answer, a broken rule of the
protocol, the end of the process, a plugin that stays deaf to a cancel. `run` is the session's life; it is
shielded, and it ends when the child has.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from cellwall_kernel.errors import CellwallError, PluginError
from cellwall_kernel.process import INITIALIZE_S, unsendable
from cellwall_kernel.process.child import CLOSE_S
from cellwall_kernel.process.guards import Guard
from cellwall_kernel.session import _failures
from cellwall_kernel.session._alarm import Alarm
from cellwall_kernel.session._call import Call
from cellwall_kernel.session._deadline import CANCEL_GRACE_S, SHUTDOWN_S, Deadline
from cellwall_kernel.session._outbox import Outbox
from cellwall_kernel.session._services import Handler, Services
from cellwall_kernel.session._warden import Warden
from cellwall_wire import (
    CLOSED,
    METHODS,
    NEED_DATA,
    Cancel,
    Code,
    Credit,
    Data,
    ErrorResponse,
    InitializeResult,
    Junk,
    LocalError,
    Meta,
    Outgoing,
    Params,
    Progress,
    Refused,
    RemoteError,
    Request,
    Response,
    ShutdownParams,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.process import Excess
    from cellwall_kernel.process.child import Child
    from cellwall_kernel.wall import Resources

__all__ = ["Session"]

LEAVE_S = 0.5
"""How long a plugin that has closed an end of the wire may take to end before it is stopped (seconds)."""

KILL_S = 2.0
"""How long a plugin that is killed may take to be gone before the ladder begins (seconds)."""

LAST_READ_S = 0.5
"""How long what is left in the pipe may take to be read after the process has ended (seconds)."""


class Session:
    """A conversation with one running plugin.

    Args:
        record: the plugin.
        child: its process, which was greeted; `run` attends to it.
        services: what the plugin may call, by method.

    Attributes:
        info: the plugin's answer to `initialize`; None before it.
        failure: why no call can be made any more; None while all is well.
    """

    def __init__(
        self,
        record: PluginRecord,
        child: Child,
        *,
        services: Mapping[str, Handler],
    ) -> None:
        if child.greeting is None:
            raise RuntimeError("a session begins with a greeting")
        self.record = record
        self.info: InitializeResult | None = None
        self.failure: PluginError | None = None
        self._child = child
        self._greeting = child.greeting
        self._wire = child.greeting.wire
        self._calls: dict[str, Call] = {}
        self._outbox = Outbox(child, self._on_closed_input)
        self._services = Services(record, services, self._answer)
        self._alarm = Alarm()
        self._warden = Warden(record.name, child.wall) if child.wall is not None else None
        self._tasks: TaskGroup | None = None
        self._has_read_all = anyio.Event()
        self._is_over = anyio.Event()
        self._is_closing = False
        self._events: dict[type, Callable[[Any], None]] = {
            Data: self._on_data,
            Response: self._on_response,
            ErrorResponse: self._on_error,
            Request: self._on_request,
            Refused: self._on_refused,
            Cancel: self._on_cancel,
            Progress: self._on_progress,
            Junk: self._on_junk,
        }

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.record.name

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._child.exit is not None

    @property
    def _resources(self) -> Resources | None:
        """What the plugin may use; None if nothing stands around it."""
        return self._child.wall.plan.policy.resources if self._child.wall is not None else None

    @property
    def refusals(self) -> list[Refusal]:
        """What the plugin tried and was not allowed, as far as it is known."""
        return self._warden.refusals if self._warden is not None else []

    def last_lines(self) -> str:
        """Return the last lines that the plugin printed."""
        return self._child.log.last_lines()

    # -- calls -----------------------------------------------------------------------------------------------

    def open(self, method: str, params: Params, *, deadline: Deadline, parent: str | None = None) -> Call:
        """Begin a call; use the result as an async context manager.

        Args:
            method: a method of the plugin.
            params: of the method's type; `meta` is filled in.
            deadline: how long the plugin may take.
            parent: the id of the plugin's call that this one is made for.

        Raises:
            PluginError: the session has failed.
            CallFailed: the request cannot be sent: it is too large, or has no JSON form.
        """
        if self.failure is not None:
            raise self.failure
        meta = Meta(
            parent=parent,
            timeout_ms=_milliseconds(deadline.total_s),
            idle_ms=_milliseconds(deadline.idle_s) if deadline.idle_s is not None else None,
            credit=self._wire.limits.window if METHODS[method].item is not None else None,
        )
        request = Request(self._wire.next_id(), method, msgspec.structs.replace(params, meta=meta))
        try:
            line = self._wire.send(request)
        except LocalError as error:
            raise unsendable(self.plugin, error) from error
        self._outbox.put(line, is_control=method == "ping")
        return self._expect(request.id, method, deadline)

    def _expect(self, call_id: str, method: str, deadline: Deadline) -> Call:
        window = self._wire.limits.window
        call = self._calls[call_id] = Call(self, call_id, method, deadline, window=window, alarm=self._alarm)
        return call

    async def request(
        self, method: str, params: Params, *, timeout_s: float, parent: str | None = None
    ) -> Any:
        """Make a call that does not stream and return its result.

        Args:
            method: as for `open`; likewise `params` and `parent`.
            timeout_s: how long the plugin may take, in seconds.

        Raises:
            DeadlineExceeded: it took longer.
            PluginError: as for `open`, or the call failed.
        """
        deadline = Deadline(total_s=timeout_s, idle_s=None)
        async with self.open(method, params, deadline=deadline, parent=parent) as call:
            return await call.finish()

    # -- beginning and end -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live: read, write and watch until the process has ended and every call has its outcome."""
        try:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as tasks:
                    self._tasks = tasks
                    tasks.start_soon(self._outbox.run)
                    tasks.start_soon(self._read)
                    if self._warden is not None:
                        tasks.start_soon(self._warden.attend)
                    if self._child.wall is not None:
                        for watch in Guard(self._child.wall.plan, self._child.pid).watches:
                            tasks.start_soon(self._heed, watch)
                    await self._child.attend()
                    with anyio.move_on_after(LAST_READ_S):
                        await self._has_read_all.wait()
                    tasks.cancel_scope.cancel()
        finally:
            self._child.kill_now()  # has no effect on one that has ended
            self._child.close_stdout()
            self._fail(self._crash())
            self._alarm.stop()
            self._is_over.set()

    async def initialize(self, *, timeout_s: float = INITIALIZE_S) -> InitializeResult:
        """Wait for the answer to the greeting, before anything else; the plugin's own code is imported first.

        Args:
            timeout_s: how long the plugin may take from now on, in seconds.

        Raises:
            PluginBroken: it cannot be loaded, or speaks no version of ours.
            DeadlineExceeded: it took too long.
            PluginError: it crashed or broke the protocol.
        """
        if self.failure is not None:
            raise self.failure
        greeting = self._greeting
        if greeting.unsent:
            self._outbox.put(greeting.unsent)
        deadline = Deadline(total_s=timeout_s, idle_s=None)
        async with self._expect(greeting.call_id, "initialize", deadline) as call:
            info: InitializeResult = await call.finish()
        if info.protocol not in greeting.params.protocols:
            raise self._give_up(f"answered in version {info.protocol} of the protocol, which was not offered")
        if self._warden is not None and not self._warden.stands:
            raise self._give_up("began to run without its wall")
        if info.load_error is not None:
            raise _failures.broken_import(self.plugin, info.load_error, self._resources)
        self.info = info
        self._child.note("ready", walled=self._warden is not None)
        return info

    async def close(self, reason: str = "done", *, patience_s: float = CLOSE_S) -> None:
        """End the conversation and the process; every wait is bounded, and no cancellation cuts it short.

        Args:
            reason: for the plugin.
            patience_s: how long it has to leave by itself once its input is closed, in seconds.
        """
        with anyio.CancelScope(shield=True):
            if self._may_say_goodbye():
                params = ShutdownParams(reason=reason, grace_ms=_milliseconds(SHUTDOWN_S))
                with suppress(CellwallError):
                    await self.request("shutdown", params, timeout_s=SHUTDOWN_S)
            self._is_closing = True
            await self._stop(patience_s)
            await self._is_over.wait()  # bounded: the process has ended, or was given up

    def _may_say_goodbye(self) -> bool:
        is_usable = self.failure is None and not self._is_closing
        return is_usable and self.info is not None and self.info.needs_shutdown

    def kill_now(self) -> None:
        """Have the process and all it started killed, without waiting; safe in a signal handler."""
        self._child.kill_now()

    # -- for calls -------------------------------------------------------------------------------------------

    def grant(self, call: Call, size: int) -> None:
        """Give a call `size` more bytes of credit."""
        with suppress(LocalError):  # its response is being read at this moment
            self._outbox.put(self._wire.send(Credit(call.id, size)), is_control=True)

    def cancel_call(self, call: Call, reason: str) -> None:
        """Tell the plugin that a call is cancelled, and see to it that the call ends soon.

        A call that does not stream has nothing worth waiting for, so it ends at once.
        """
        with suppress(LocalError):
            self._outbox.put(self._wire.send(Cancel(call.id, reason)), is_control=True)
        self._services.end_of(call.id)
        if METHODS[call.method].item is None:
            self._settle(call.id, None, None)
        else:
            self._start(self._insist, call)

    # -- reading ---------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            await self._child.listen(self._take)
        finally:
            self._has_read_all.set()
        self._start(self._stop_unless_it_leaves, "closed its output but went on running")

    def _take(self, chunk: bytes) -> None:
        if self.failure is not None:
            return
        try:
            self._wire.receive(chunk)
            next_event, handlers = self._wire.next_event, self._events
            while (event := next_event()) is not NEED_DATA and event is not CLOSED:
                handle = handlers.get(type(event))
                if handle is not None:
                    handle(event)
        except RemoteError as error:
            self._give_up(str(error))

    def _on_data(self, data: Data) -> None:
        call = self._calls.get(data.id)
        if call is not None:
            call.add(data.items, data.cost)

    def _on_response(self, response: Response) -> None:
        self._settle(response.id, response.result, None)

    def _on_error(self, response: ErrorResponse) -> None:
        call = self._calls.get(response.id or "")
        if call is None:
            return
        error: CellwallError | None = None
        if call.method == "initialize":
            error = _failures.refused_start(self.plugin, response.error)
        elif call.cancelled is None or response.error.code != int(Code.CANCELLED):
            error = _failures.call_failed(self.plugin, response.error, self._resources)
        self._settle(call.id, None, error)

    def _settle(self, call_id: str, result: Any, error: CellwallError | None) -> None:
        call = self._calls.pop(call_id, None)
        self._services.end_of(call_id)
        if call is not None:
            call.settle(result, error)

    def _on_request(self, request: Request) -> None:
        self._services.accept(request, self._start)

    def _on_refused(self, refused: Refused) -> None:
        self._answer(refused.answer, False)

    def _on_cancel(self, cancel: Cancel) -> None:
        self._services.cancel(cancel.id)

    def _on_progress(self, progress: Progress) -> None:
        call = self._calls.get(progress.id)
        if call is not None:
            call.note_progress(progress)

    def _on_junk(self, junk: Junk) -> None:
        self._child.log.feed(b"[on the protocol channel] " + junk.line + b"\n")

    def _answer(self, answer: Outgoing, is_control: bool) -> None:
        with suppress(
            LocalError
        ):  # the call is over, or the answer has no JSON form: nothing the plugin could use
            self._outbox.put(self._wire.send(answer), is_control=is_control)

    # -- failing ---------------------------------------------------------------------------------------------

    def _fail(self, error: PluginError) -> None:
        """No more calls; those that are open end with `error`. The first failure is the one that is told."""
        if self.failure is None:
            self.failure = error
        for call in list(self._calls.values()):
            call.settle(error=None if call.cancelled else self.failure)
        self._calls.clear()

    def _give_up(self, what: str) -> PluginError:
        error = _failures.misbehaved(self.plugin, what, self.last_lines())
        self._fail(error)
        self._start(self._stop, 0.0)
        return error

    def _crash(self) -> PluginError:
        end = self._child.exit
        if end is None:
            return _failures.misbehaved(self.plugin, "cannot be ended", self.last_lines())
        if self._is_closing:
            return PluginError(self.plugin, f"plugin '{self.plugin}' is no longer running.")
        return _failures.crashed(
            self.plugin,
            end,
            self.last_lines(),
            was_ready=self.info is not None,
            resources=self._resources,
        )

    async def _heed(self, watch: Callable[[], Awaitable[Excess]]) -> None:
        """Watch what the plugin uses, and end it at once if that is too much."""
        excess = await watch()
        if self._resources is not None:
            self._fail(_failures.over_limit(self.plugin, excess, self._resources, self.last_lines()))
            self.kill_now()
            self._start(self._stop, KILL_S)

    def _on_closed_input(self) -> None:
        self._start(self._stop_unless_it_leaves, "closed its input but went on running")

    async def _stop_unless_it_leaves(self, what: str) -> None:
        if await self._child.ends_within(LEAVE_S) is None:
            self._give_up(what)

    async def _insist(self, call: Call) -> None:
        if not await call.done_within(CANCEL_GRACE_S) and not self.has_ended:
            self._calls.pop(call.id, None)
            call.settle()
            self._give_up(f"did not answer a cancelled call within {CANCEL_GRACE_S:g} s")

    async def _stop(self, patience_s: float) -> None:
        end = await self._child.stop(patience_s=patience_s)
        if end.status is None and self._tasks is not None:
            self._tasks.cancel_scope.cancel()  # not even SIGKILL ended it; nobody shall wait for it

    def _start(self, task: Callable[..., Any], *arguments: Any) -> None:
        if self._tasks is not None and not self.has_ended:
            self._tasks.start_soon(task, *arguments)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
