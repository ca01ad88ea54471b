"""Calls that a plugin makes to the host: each in its own task, none longer than the call it was made for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from cellwall_kernel.session._failures import answer_for
from cellwall_wire import Code, Empty, ErrorInfo, ErrorResponse, Request, Response

if TYPE_CHECKING:
    from cellwall_kernel.discovery import PluginRecord

__all__ = ["MAX_INFLIGHT", "Handler", "Services"]

Handler = Callable[["PluginRecord", Any], Awaitable[msgspec.Struct]]
"""Answers one method: gets plugin and typed parameters, returns the result or raises a CellwallError."""

MAX_INFLIGHT = 64
"""How many calls of one plugin are answered at once; more are refused, so that a flood costs no memory."""


class Services:
    """Answers the calls of one plugin.

    Args:
        record: the plugin.
        handlers: method -> what answers it.
        send: puts an answer on the wire; second argument: whether it may overtake others.
    """

    def __init__(
        self,
        record: PluginRecord,
        handlers: Mapping[str, Handler],
        send: Callable[[Response | ErrorResponse, bool], None],
    ) -> None:
        self._record = record
        self._handlers = handlers
        self._send = send
        self._running: dict[str, tuple[str | None, anyio.CancelScope]] = {}

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
        if handler is None:
            self._refuse(request, Code.UNAVAILABLE, f"'{request.method}' cannot be had now")
        elif len(self._running) >= MAX_INFLIGHT:
            self._refuse(request, Code.UNAVAILABLE, f"more than {MAX_INFLIGHT} calls are open")
        else:
            scope = anyio.CancelScope()
            self._running[request.id] = (request.meta.parent, scope)
            start(self._serve, request, handler, scope)

    def cancel(self, call_id: str) -> None:
        """Cancel a call; it is still answered."""
        if call_id in self._running:
            self._running[call_id][1].cancel()

    def end_of(self, parent: str) -> None:
        """Cancel the calls that were made on behalf of a call that is over."""
        for owner, scope in self._running.values():
            if owner == parent:
                scope.cancel()

    async def _serve(self, request: Request, handler: Handler, scope: anyio.CancelScope) -> None:
        answer: Response | ErrorResponse = ErrorResponse(
            request.id, ErrorInfo.of(Code.CANCELLED, "the call was cancelled")
        )
        try:
            with scope:
                answer = Response(request.id, await handler(self._record, request.params))
        except Exception as problem:  # noqa: BLE001 - a service that fails costs one answer, not the session
            answer = ErrorResponse(request.id, answer_for(problem))
        finally:
            del self._running[request.id]
        self._send(answer, False)

    def _refuse(self, request: Request, code: Code, message: str) -> None:
        self._send(ErrorResponse(request.id, ErrorInfo.of(code, message)), False)
