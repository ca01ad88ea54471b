"""The session: one reader that never waits for anybody, and the beginning and the end of a conversation.

Whatever ends the conversation, every open call learns of it exactly once: an answer, a broken rule of the
protocol, the end of the process, a plugin that stays deaf to a cancel. `run` is the session's life; it is
shielded, and it ends when the child has.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.errors import CellwallError, PluginError
from cellwall_kernel.process import INITIALIZE_S
from cellwall_kernel.process.child import CLOSE_S
from cellwall_kernel.process.guards import Guard
from cellwall_kernel.session import _failures
from cellwall_kernel.session._calls import Calls, milliseconds
from cellwall_kernel.session._deadline import CANCEL_GRACE_S, SHUTDOWN_S, UNLIMITED, Deadline
from cellwall_kernel.session._outbox import Outbox
from cellwall_kernel.session._services import Services
from cellwall_kernel.session._warden import MOST_REFUSALS, Warden
from cellwall_wire import (
    CLOSED,
    NEED_DATA,
    Cancel,
    Credit,
    Data,
    ErrorResponse,
    InitializeResult,
    Junk,
    LocalError,
    Outgoing,
    Progress,
    Refused,
    RemoteError,
    Request,
    Response,
    Role,
    ShutdownParams,
    TooLarge,
    Unencodable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.process import Excess
    from cellwall_kernel.process.child import Child
    from cellwall_kernel.session._call import Call
    from cellwall_kernel.session._services import Handler, ServiceCall
    from cellwall_kernel.wall import Resources
    from cellwall_wire import Params

__all__ = ["Session"]

LEAVE_S = 0.5
"""How long a plugin that has closed an end of the wire may take to end before it is stopped (seconds)."""

KILL_S = 2.0
"""How long a plugin that is killed may take to be gone before the ladder begins (seconds)."""

LAST_READ_S = 0.5
"""How long what is left in the pipe may take to be read after the process has ended (seconds)."""

MOST_UNREAD = 4000
"""How many answers may wait because a plugin does not read them; each is small, or one of few (a count)."""


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
        self._outbox = Outbox(child, self._on_closed_input)
        self._calls = Calls(
            record.name,
            self._wire,
            self._outbox,
            last_lines=self.last_lines,
            resources=self._resources,
            on_cancel=lambda call: self._start(self._insist, call),
            on_end=lambda call_id: self._services.end_of(call_id),  # noqa: PLW0108 - there are none yet
        )
        self._services = Services(
            record,
            services,
            send=self._answer,
            unread=lambda: self._outbox.unread,
            find=self._calls.find,
            outflow=lambda call_id: self._calls.outflow(call_id, self._wire.credit_left),
            on_refused=self._note_refusal,
        )
        self._warden = Warden(record.name, child.wall) if child.wall is not None else None
        self._refusals: list[Refusal] = []
        self._tasks: TaskGroup | None = None
        self._has_read_all = anyio.Event()
        self._is_over = anyio.Event()
        self._is_closing = False
        self._events: dict[type, Callable[[Any], None]] = {
            Data: self._calls.on_data,
            Response: self._calls.on_response,
            ErrorResponse: self._calls.on_error,
            Credit: self._on_credit,
            Request: self._on_request,
            Refused: self._on_refused,
            Cancel: self._on_cancel,
            Progress: self._calls.on_progress,
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
        return self._warden.refusals if self._warden is not None else self._refusals

    def _note_refusal(self, refusal: Refusal) -> None:
        if self._warden is not None:
            self._warden.note(refusal)
        elif refusal not in self._refusals and len(self._refusals) < MOST_REFUSALS:
            self._refusals.append(refusal)

    def last_lines(self) -> str:
        """Return the last lines that the plugin printed."""
        return self._child.log.last_lines()

    # -- calls -----------------------------------------------------------------------------------------------

    def open(
        self, method: str, params: Params, *, deadline: Deadline, origin: ServiceCall | None = None
    ) -> Call:
        """Begin a call; use the result as an async context manager.

        Args:
            method: a method of the plugin.
            params: of the method's type; `meta` is filled in.
            deadline: how long the plugin may take; no longer than is left to the call of `origin` [P-58].
            origin: the call of some plugin to the host that this one is made for.

        Raises:
            PluginError: the session has failed.
            CallFailed: the request cannot be sent: it is too large, or has no JSON form.
        """
        if self.failure is not None:
            raise self.failure
        return self._calls.open(method, params, self._limits(deadline), origin, self._waiting(origin))

    def _waiting(self, origin: ServiceCall | None) -> str | None:
        """Return the id of the plugin's own call that waits here, of those that `origin` is for [P-57]."""
        while origin is not None and not self._services.is_serving(origin):
            origin = origin.parent.origin
        return origin.id if origin is not None else None

    async def request(
        self, method: str, params: Params, *, timeout_s: float, origin: ServiceCall | None = None
    ) -> Any:
        """Make a call that does not stream and return its result.

        Args:
            method: as for `open`; likewise `params` and `origin`.
            timeout_s: how long the plugin may take, in seconds.

        Raises:
            DeadlineExceeded: it took longer.
            PluginError: as for `open`, or the call failed.
        """
        deadline = Deadline(total_s=timeout_s, idle_s=None)
        async with self.open(method, params, deadline=deadline, origin=origin) as call:
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
            self._calls.stop()
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
        deadline = self._limits(Deadline(total_s=timeout_s, idle_s=None))
        async with self._calls.expect(greeting.call_id, "initialize", deadline) as call:
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

    async def wait(self, patience_s: float) -> None:
        """Wait until the session is over: the process has ended, and every call has its outcome.

        Args:
            patience_s: how long at most, in seconds; no cancellation cuts it short.
        """
        with anyio.CancelScope(shield=True), anyio.move_on_after(patience_s):
            await self._is_over.wait()

    async def close(self, reason: str = "done", *, patience_s: float = CLOSE_S) -> None:
        """End the conversation and the process; every wait is bounded, and no cancellation cuts it short.

        Args:
            reason: for the plugin.
            patience_s: how long it has to leave by itself once its input is closed, in seconds.
        """
        with anyio.CancelScope(shield=True):
            if self._may_say_goodbye():
                params = ShutdownParams(reason=reason, grace_ms=milliseconds(SHUTDOWN_S))
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

    def _on_credit(self, credit: Credit) -> None:
        if credit.id.startswith(Role.HOST.id_prefix):
            self._calls.on_credit(credit)
        else:
            self._services.credit(credit.id)

    def _on_request(self, request: Request) -> None:
        self._services.accept(request, self._start)

    def _on_refused(self, refused: Refused) -> None:
        self._answer(refused.answer, False)

    def _on_cancel(self, cancel: Cancel) -> None:
        self._services.cancel(cancel.id)

    def _on_junk(self, junk: Junk) -> None:
        self._child.log.feed(b"[on the protocol channel] " + junk.line + b"\n")

    def _answer(self, answer: Outgoing, is_control: bool) -> None:
        with suppress(LocalError):  # the call is over: nothing the plugin could use
            try:
                line = self._wire.send(answer)
            except (TooLarge, Unencodable) as error:
                line = self._wire.send(_failures.unanswerable(answer, error))
            self._outbox.put(line, is_control=is_control, is_answer=True)
        if self._outbox.unread > MOST_UNREAD and self.failure is None:
            self._give_up(f"asked more than it listened: {self._outbox.unread} answers wait for it")

    # -- failing ---------------------------------------------------------------------------------------------

    def _fail(self, error: PluginError) -> None:
        """No more calls; those that are open end with `error`. The first failure is the one that is told."""
        if self.failure is None:
            self.failure = error
        self._calls.fail_all(self.failure)
        self._services.end_all()

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
        if self._child.is_attached:
            return _failures.hung_up(self.plugin)
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

    def _limits(self, deadline: Deadline) -> Deadline:
        return UNLIMITED if self._child.is_attached else deadline

    async def _insist(self, call: Call) -> None:
        if self._child.is_attached:
            return  # it may stand in a debugger; whoever does not want to wait stops twice, which hangs up
        if not await call.done_within(CANCEL_GRACE_S) and not self.has_ended:
            self._calls.settle(call.id)
            self._give_up(f"did not answer a cancelled call within {CANCEL_GRACE_S:g} s")

    async def _stop(self, patience_s: float) -> None:
        end = await self._child.stop(patience_s=patience_s)
        if end.status is None and self._tasks is not None:
            self._tasks.cancel_scope.cancel()  # not even SIGKILL ended it; nobody shall wait for it

    def _start(self, task: Callable[..., Any], *arguments: Any) -> None:
        if self._tasks is not None and not self.has_ended:
            self._tasks.start_soon(task, *arguments)
