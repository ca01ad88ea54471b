"""The host's open calls of one session: what goes out for each, and what comes in."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.process import unsendable
from cellwall_kernel.session import _failures
from cellwall_kernel.session._alarm import Alarm
from cellwall_kernel.session._call import Call
from cellwall_kernel.session._outflow import Outflow
from cellwall_wire import (
    METHODS,
    Cancel,
    Code,
    Credit,
    Data,
    ErrorResponse,
    LocalError,
    Meta,
    Params,
    Progress,
    Request,
    Response,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.errors import CellwallError, PluginError
    from cellwall_kernel.session._deadline import Deadline
    from cellwall_kernel.session._outbox import Outbox
    from cellwall_kernel.session._services import ServiceCall
    from cellwall_kernel.wall import Resources
    from cellwall_wire import Connection

__all__ = ["Calls", "milliseconds"]

SHORTEST_S = 0.001
"""What is left to a call whose parent's time is over (seconds)."""


class Calls:
    """Makes calls to a plugin and brings each what the plugin says about it.

    Args:
        plugin: its name.
        wire: says what may be said when.
        outbox: where it goes.
        last_lines: tells what the plugin printed last.
        resources: what it may use; None if it has no wall.
        on_cancel: sees to it that a cancelled call that streams ends.
        on_end: learns the id of each call that is over, or cancelled.
    """

    def __init__(
        self,
        plugin: str,
        wire: Connection,
        outbox: Outbox,
        *,
        last_lines: Callable[[], str],
        resources: Resources | None,
        on_cancel: Callable[[Call], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.plugin = plugin
        self.last_lines = last_lines
        self._wire = wire
        self._outbox = outbox
        self._resources = resources
        self._on_cancel = on_cancel
        self._on_end = on_end
        self._alarm = Alarm()
        self._open: dict[str, Call] = {}

    def find(self, call_id: str) -> Call | None:
        """Return an open call."""
        return self._open.get(call_id)

    def open(
        self, method: str, params: Params, deadline: Deadline, origin: ServiceCall | None, parent: str | None
    ) -> Call:
        """Send a request; see `Session.open`. `parent` is the id of the plugin's call that it is made for."""
        if origin is not None:
            deadline = deadline.nested(max(origin.remaining_s(), SHORTEST_S))
        meta = Meta(
            parent=parent,
            timeout_ms=milliseconds(deadline.total_s) if math.isfinite(deadline.total_s) else None,
            idle_ms=milliseconds(deadline.idle_s) if deadline.idle_s is not None else None,
            credit=self._wire.limits.window if METHODS[method].item is not None else None,
        )
        request = Request(self._wire.next_id(), method, msgspec.structs.replace(params, meta=meta))
        try:
            line = self._wire.send(request)
        except LocalError as error:
            raise unsendable(self.plugin, error) from error
        self._outbox.put(line, is_control=method == "ping")
        return self.expect(request.id, method, deadline, origin)

    def expect(
        self, call_id: str, method: str, deadline: Deadline, origin: ServiceCall | None = None
    ) -> Call:
        """Wait for the answer to a request that was sent."""
        takes_input = METHODS[method].input is not None
        call = self._open[call_id] = Call(
            self,
            call_id,
            method,
            deadline,
            window=self._wire.limits.window,
            alarm=self._alarm,
            origin=origin,
            input_=self.outflow(call_id, self._wire.input_credit_left) if takes_input else None,
        )
        return call

    def outflow(self, call_id: str, credit_left: Callable[[str], int]) -> Outflow:
        """Make what streams items to the plugin, for a call of ours or of its own."""
        return Outflow(call_id, self._wire, self._outbox, credit_left)

    # -- what is said ----------------------------------------------------------------------------------------

    def grant(self, call: Call, size: int) -> None:
        """Give a call `size` more bytes of credit."""
        with suppress(LocalError):  # its response is being read at this moment
            self._outbox.put(self._wire.send(Credit(call.id, size)), is_control=True)

    def cancel(self, call: Call, reason: str) -> None:
        """Tell the plugin that a call is cancelled, and see to it that the call ends soon.

        A call that does not stream has nothing worth waiting for, so it ends at once.
        """
        with suppress(LocalError):
            self._outbox.put(self._wire.send(Cancel(call.id, reason)), is_control=True)
        self._on_end(call.id)
        if METHODS[call.method].item is None:
            self.settle(call.id)
        else:
            self._on_cancel(call)

    # -- what is heard ---------------------------------------------------------------------------------------

    def on_data(self, data: Data) -> None:
        """Bring items to their call."""
        call = self._open.get(data.id)
        if call is not None:
            call.add(data.items, data.cost)

    def on_response(self, response: Response) -> None:
        """Bring a result to its call."""
        self.settle(response.id, response.result)

    def on_error(self, response: ErrorResponse) -> None:
        """Bring an error to its call."""
        call = self._open.get(response.id or "")
        if call is None:
            return
        error: CellwallError | None = None
        if call.method == "initialize":
            error = _failures.refused_start(self.plugin, response.error)
        elif call.cancelled is None or response.error.code != int(Code.CANCELLED):
            error = _failures.call_failed(self.plugin, response.error, self._resources)
        self.settle(call.id, error=error)

    def on_progress(self, progress: Progress) -> None:
        """Bring a sign of life to its call."""
        call = self._open.get(progress.id)
        if call is not None:
            call.note_progress(progress)

    def on_credit(self, credit: Credit) -> None:
        """Tell a call that the plugin takes more of its input."""
        call = self._open.get(credit.id)
        if call is not None:
            call.note_credit()

    def settle(self, call_id: str, result: Any = None, error: CellwallError | None = None) -> None:
        """Decide the outcome of a call."""
        call = self._open.pop(call_id, None)
        self._on_end(call_id)
        if call is not None:
            call.settle(result, error)

    def fail_all(self, error: PluginError) -> None:
        """Have all open calls end with an error; those that were cancelled just end."""
        for call in list(self._open.values()):
            call.settle(error=None if call.cancelled else error)
        self._open.clear()

    def stop(self) -> None:
        """Nobody waits any more."""
        self._alarm.stop()


def milliseconds(seconds: float) -> int:
    """Return the time as it stands in a message: at least 1."""
    return max(1, round(seconds * 1000))
