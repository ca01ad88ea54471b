"""Calls that a plugin makes to the host: each in its own task, none longer than the call it was made for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from cellwall_kernel.session._failures import answer_for
from cellwall_wire import Code, Empty, ErrorInfo, ErrorResponse, Request, Response

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.session._call import Call
    from cellwall_kernel.session._outflow import Outflow

__all__ = ["MAX_INFLIGHT", "Handler", "ServiceCall", "Services"]

MAX_INFLIGHT = 64
"""How many calls of one plugin are open at once; more are refused, so that a flood costs no memory.

A call whose answer the plugin has not read yet is open, too.
"""


class ServiceCall:
    """A plugin's call to the host, while it is served.

    It is cancelled when the plugin cancels it and when its parent is over; it gets one answer in any case.

    Args:
        request: what the plugin asked.
        record: the plugin.
        parent: the host's call that it was made for.
        outflow: where the items of a streaming answer go.
        on_refused: takes what the plugin was not allowed, for its user.

    Attributes:
        note_refusal: as `on_refused`.
        id: on the wire.
        params: of the method's type.
        record: as above, likewise `parent`.
    """

    def __init__(
        self,
        request: Request,
        record: PluginRecord,
        parent: Call,
        outflow: Outflow,
        on_refused: Callable[[Refusal], None],
    ) -> None:
        self.note_refusal = on_refused
        self.id = request.id
        self.params: Any = request.params
        self.record = record
        self.parent = parent
        self._outflow = outflow

    @property
    def depth(self) -> int:
        """How deep the call stands that it was made for; the user's own call is the first."""
        return self.parent.depth

    @property
    def items_sent(self) -> int:
        """How many items of the answer went out."""
        return self._outflow.items_sent

    def remaining_s(self) -> float:
        """Return how much time is left to the call that it was made for, in seconds; at least 0."""
        return self.parent.remaining_s()

    async def send(self, items: list[Any]) -> None:
        """Stream items to the plugin; waits for its credit, and for it to read.

        Raises:
            LocalError: an item fits no line, or has no JSON form.
        """
        rest = list(items)
        while rest and not self._outflow.push(rest):
            await self._outflow.news()

    @contextmanager
    def paused(self) -> Generator[None]:
        """Stop the clocks of all calls that wait for this one; for time that the user takes."""
        with ExitStack() as pauses:
            call: Call | None = self.parent
            while call is not None:
                pauses.enter_context(call.paused())
                call = call.origin.parent if call.origin is not None else None
            yield

    def tell(self) -> None:
        """Have `send` look again whether there is credit."""
        self._outflow.tell()


Handler = Callable[[ServiceCall], Awaitable[msgspec.Struct]]
"""Answers one method: gets the call, returns the result or raises a CellwallError."""


class Services:
    """Answers the calls of one plugin.

    Args:
        record: the plugin.
        handlers: method -> what answers it.
        send: puts an answer on the wire; second argument: whether it may overtake others.
        unread: tells how many answers wait for the plugin to read.
        find: returns an open call of the host's by its id.
        outflow: makes what streams items of an answer.
        on_refused: takes what the plugin was not allowed.
    """

    def __init__(
        self,
        record: PluginRecord,
        handlers: Mapping[str, Handler],
        *,
        send: Callable[[Response | ErrorResponse, bool], None],
        unread: Callable[[], int],
        find: Callable[[str], Call | None],
        outflow: Callable[[str], Outflow],
        on_refused: Callable[[Refusal], None],
    ) -> None:
        self._on_refused = on_refused
        self._record = record
        self._handlers = handlers
        self._send = send
        self._unread = unread
        self._find = find
        self._outflow = outflow
        self._running: dict[str, tuple[ServiceCall, anyio.CancelScope]] = {}

    def accept(self, request: Request, start: Callable[..., None]) -> None:
        """Answer a call, now or in a task; the reader that brought it never waits.

        Args:
            request: what came.
            start: starts a task, as a task group's `start_soon`.
        """
        if request.method == "ping":
            self._send(Response(request.id, Empty()), True)
            return
        handler = self._handlers.get(request.method)
        parent = self._find(request.meta.parent or "")
        if handler is None:
            self._refuse(request, Code.UNAVAILABLE, f"'{request.method}' cannot be had now")
        elif parent is None:
            self._refuse(request, Code.NO_PARENT, f"the call that '{request.method}' was made for is over")
        elif len(self._running) + self._unread() >= MAX_INFLIGHT:
            self._refuse(request, Code.UNAVAILABLE, f"more than {MAX_INFLIGHT} calls are open")
        else:
            call = ServiceCall(request, self._record, parent, self._outflow(request.id), self._on_refused)
            scope = anyio.CancelScope()
            self._running[request.id] = (call, scope)
            start(self._serve, call, handler, scope)

    def is_serving(self, call: ServiceCall) -> bool:
        """Whether a call is one of this plugin's that has no answer yet."""
        known = self._running.get(call.id)
        return known is not None and known[0] is call

    def credit(self, call_id: str) -> None:
        """Note that the plugin takes more items of an answer."""
        if call_id in self._running:
            self._running[call_id][0].tell()

    def cancel(self, call_id: str) -> None:
        """Cancel a call; it is still answered."""
        if call_id in self._running:
            self._running[call_id][1].cancel()

    def end_of(self, parent: str) -> None:
        """Cancel the calls that were made on behalf of a call that is over."""
        for call, scope in self._running.values():
            if call.parent.id == parent:
                scope.cancel()

    def end_all(self) -> None:
        """Cancel all calls: the plugin is gone."""
        for _, scope in self._running.values():
            scope.cancel()

    async def _serve(self, call: ServiceCall, handler: Handler, scope: anyio.CancelScope) -> None:
        result: msgspec.Struct | None = None
        problem = ErrorInfo.of(Code.CANCELLED, "the call was cancelled")
        try:
            with scope:
                result = await handler(call)
        except Exception as error:  # noqa: BLE001 - a service that fails costs one answer, not the session
            problem = answer_for(error)
        finally:
            del self._running[call.id]
        if result is not None:
            self._send(Response(call.id, result), False)
        else:
            self._send(ErrorResponse(call.id, _with_items(problem, call.items_sent)), False)

    def _refuse(self, request: Request, code: Code, message: str) -> None:
        self._send(ErrorResponse(request.id, ErrorInfo.of(code, message)), False)


def _with_items(problem: ErrorInfo, items_sent: int) -> ErrorInfo:
    """Say in an error how much came before it [P-53]."""
    if not items_sent or problem.data is None:
        return problem
    data = msgspec.structs.replace(problem.data, items_sent=items_sent)
    return msgspec.structs.replace(problem, data=data)
