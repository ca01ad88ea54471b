"""The host's side of a conversation, for tests: one call at a time, credit for what came, every wait bounded.

The transport hands over what the plugin writes, in memory in the middle of the author's own code; so nothing
is raised from there. A mistake in a function of the test is kept, the call cancelled, and the mistake raised
when the call has ended.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import cellwall_wire as wire
from cellwall_wire import Code, Connection, ErrorInfo, ErrorResponse, Request, Response, Role

from ._answers import PromptFailed, Running, add_printed, failed, text_of
from ._services import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._recording import Recorder
    from ._services import Services
    from ._transport import Transport

__all__ = ["Host"]

CUT_ITEMS = 16
"""How many items of an answer to the plugin travel in one line."""


class Host:
    """The host's side.

    Args:
        transport: the way to the plugin.
        services: what answers the plugin's own calls.
        recorder: what writes the conversation down; None if nobody does.
    """

    def __init__(self, transport: Transport, services: Services, recorder: Recorder | None = None) -> None:
        self.services = services
        self.transport = transport
        self.is_over = False
        self._connection = Connection(Role.HOST)
        self._recorder = recorder
        self._items: list[Any] = []
        self._answers: dict[str, Response | ErrorResponse] = {}
        self._current: str | None = None
        self._watch: Callable[[Running], object] | None = None
        self._broken: wire.RemoteError | None = None
        self._problem: BaseException | None = None
        self._owed: dict[str, tuple[list[Any], Any]] = {}
        self._input: list[Any] | None = None
        transport.begin(self._take)

    def call(
        self,
        method: str,
        params: wire.Params,
        *,
        timeout_s: float | None,
        watch: Callable[[Running], object] | None = None,
        feed: list[Any] | None = None,
    ) -> tuple[Any, list[Any]]:
        """Call a method and wait for its answer.

        Args:
            method: the method.
            params: of its type.
            timeout_s: how long the answer may take, in seconds; None for ever, for debuggers.
            watch: called after each group of items.
            feed: the items to stream to it, for a method that takes some.

        Returns:
            the result, and the items that came before.

        Raises:
            PromptFailed: the plugin answered with an error, took too long, died or broke the protocol.
        """
        __tracebackhide__ = True  # for pytest: a failure is shown where the test asked
        if self._current is not None:
            raise RuntimeError(f"{method}: a call of this plugin is running; it runs one at a time")
        request = Request(self._connection.next_id(), method, params)
        self._items, self._watch, self._problem, self._input = [], watch, None, feed
        self._current = request.id
        until = None if timeout_s is None else monotonic() + timeout_s
        try:
            self._send(request)
            while request.id not in self._answers and not self.is_over:
                self.transport.pump(until)
        except TimeoutError:
            raise self._late(f"did not answer {method} within {timeout_s:g} s") from None
        finally:
            self._current = self._watch = self._input = None
        if self._problem is not None:
            raise self._problem
        return self._outcome(request.id, method), self._items

    def cancel(self, reason: str) -> None:
        """Tell the plugin that the answer is no longer wanted."""
        if self._current is not None and self._connection.is_live(self._current):
            self._send(wire.Cancel(self._current, reason))

    def _outcome(self, call_id: str, method: str) -> Any:
        __tracebackhide__ = True
        answer = self._answers.pop(call_id, None)
        text = text_of(self._items)
        if isinstance(answer, Response):
            return answer.result
        if answer is not None:
            error = PromptFailed(answer.error, text)
            add_printed(error, self.transport.printed())
        elif self._broken is not None:
            self.transport.end()
            message = f"The plugin {self._broken}."
            error = failed(self._broken.code, message, text=text, printed=self.transport.printed())
        else:
            self.transport.end()
            message = f"The plugin {self.transport.ending()} before it answered {method}."
            error = failed(Code.CRASHED, message, text=text, printed=self.transport.printed())
        error.items = self._items
        raise error from None

    def _late(self, what: str) -> PromptFailed:
        self.is_over = True
        self.transport.end()
        error = failed(
            Code.DEADLINE_EXCEEDED,
            f"The plugin {what}.",
            text=text_of(self._items),
            printed=self.transport.printed(),
        )
        error.items = self._items
        return error

    # -- what the plugin does --------------------------------------------------------------------------------

    def _take(self, chunk: bytes) -> None:
        if self.is_over:
            return
        if self._recorder is not None:
            self._recorder.heard(chunk)
        try:
            self._connection.receive(chunk)
            while (event := self._connection.next_event()) is not wire.NEED_DATA:
                if event is wire.CLOSED:
                    self.is_over = True
                    return
                self._react(event)
        except wire.RemoteError as error:
            self._broken, self.is_over = error, True
            self.transport.write(b"")  # in memory, the plugin waits for credit that never comes

    def _react(self, event: wire.Event) -> None:
        if isinstance(event, wire.Data):
            self._items.extend(event.items)
            if event.id == self._current and self._watch is not None:
                self._guard(self._look)
            if event.id in self._connection.open_calls(mine=True):
                self._send(wire.Credit(event.id, event.cost))
        elif isinstance(event, Response | ErrorResponse):
            self._answers[event.id or ""] = event
        elif isinstance(event, wire.Refused):
            self._send(event.answer)
        elif isinstance(event, Request):
            self._serve(event)
        elif isinstance(event, wire.Cancel):
            self._refuse_cancelled(event.id)
        elif isinstance(event, wire.Credit):
            self._pay(event.id)
            self._feed()

    def _look(self) -> None:
        assert self._watch is not None  # noqa: S101 - for the type checker
        self._watch(Running(self._items, self.cancel))

    def _guard(self, act: Callable[[], None]) -> None:
        """Run a function of the test; what it raises ends the call, and is raised after that."""
        try:
            act()
        except Exception as problem:  # noqa: BLE001 - an AssertionError above all
            self._problem = self._problem or problem
            self.cancel("the test failed")

    def _serve(self, request: Request) -> None:
        """Answer a call of the plugin."""
        try:
            items, result = self.services.answer(request.method, request.params)
        except Refusal as refusal:
            self._send(ErrorResponse(request.id, refusal.info))
            return
        except Exception as problem:  # noqa: BLE001 - a mistake in the test's table is raised when the call ends
            self._problem = self._problem or problem
            info = ErrorInfo.of(Code.INTERNAL_ERROR, f"The test's answer to {request.method} failed.")
            self._send(ErrorResponse(request.id, info))
            return
        self._owed[request.id] = (list(items), result)
        self._pay(request.id)

    def _refuse_cancelled(self, call_id: str) -> None:
        if self._owed.pop(call_id, None) is not None:
            info = ErrorInfo.of(Code.CANCELLED, "The plugin has cancelled its call.")
            self._send(ErrorResponse(call_id, info))

    def _pay(self, call_id: str) -> None:
        """Send what a call of the plugin is owed, as far as its credit goes."""
        while call_id in self._owed:
            items, result = self._owed[call_id]
            if not items:
                del self._owed[call_id]
                self._send(Response(call_id, result))
                return
            line, self._owed[call_id] = items[:CUT_ITEMS], (items[CUT_ITEMS:], result)
            try:
                self._send(wire.Data(call_id, line))
            except wire.NoCredit:
                self._owed[call_id] = (items, result)
                return

    def _feed(self) -> None:
        """Send what the call is fed with, as far as its credit goes."""
        while self._input is not None and self._current is not None:
            line, rest = self._input[:CUT_ITEMS], self._input[CUT_ITEMS:]
            before, self._input = self._input, rest or None
            try:
                self._send(wire.Data(self._current, line, end=not rest))
            except wire.NoCredit:
                self._input = before
                return

    def _send(self, message: wire.Outgoing) -> None:
        line = self._connection.send(message)
        if self._recorder is not None:
            self._recorder.sent(line)
        self.transport.write(line)
