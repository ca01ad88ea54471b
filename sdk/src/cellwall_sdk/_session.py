"""The plugin's side of the protocol: takes in what the host sends, runs its calls, answers each exactly once.

Two threads share it. The reader feeds bytes to feed(), which answers what needs no author's code and never
waits. The main thread runs serve(): one call at a time, in the order they came. A test may do both on one
thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import cellwall_wire as wire
from cellwall_wire import Code, ErrorInfo, ErrorResponse, LocalError, Request, Response

from ._asking import Asking
from ._call import Call
from ._context import context
from ._failures import error_info, log, unsupported
from ._incoming import Incoming
from ._version import __version__
from .errors import BadOutput, Cancelled, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._link import Link
    from ._load import Plugin
    from ._registry import Registry

__all__ = ["Session"]


class Session:
    """One plugin in conversation with one host.

    Args:
        link: the way to the host.
        load: imports the plugin; called on the main thread when the host has said hello.
    """

    def __init__(self, link: Link, load: Callable[[], Plugin]) -> None:
        self.closed = False
        """The host has closed the connection, or broken it."""
        self.broken: wire.RemoteError | None = None
        """How the host broke it."""
        self.current: Call | None = None
        """The call that runs now."""
        self.plugin: Plugin | None = None
        self._is_copy = False
        self._link = link
        self._load = load
        self._registry: Registry | None = None
        self._calls: dict[str, Call] = {}
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._takes: dict[type, Callable[[Any], None]] = {
            wire.Request: self._take_request,
            wire.Data: self._take_data,
            wire.Response: self._take_answer,
            wire.ErrorResponse: self._take_answer,
            wire.Credit: self._take_credit,
            wire.Cancel: self._take_cancel,
            wire.Refused: self._take_refused,
            wire.Junk: self._take_junk,
        }
        link.on_gone = self._lose
        context.asking = Asking(link, lambda: self.current)

    # -- the reader's side -----------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> None:
        """Take in bytes as they were read, b"" at the end; never waits, never runs the author's code."""
        try:
            for event in self._link.events(chunk):
                if event is wire.CLOSED:
                    self._close()
                    return
                take = self._takes.get(type(event))
                if take is not None:
                    take(event)
        except wire.RemoteError as error:
            log(f"the host {error}")
            self.broken = error
            self._close()

    def _take_request(self, request: Request) -> None:
        if request.method in ("ping", "shutdown"):
            # `shutdown` needs no more than its answer: a call that runs goes on until the host closes our
            # input.
            self._link.post(Response(request.id, wire.Empty()))
        elif any(request.meta.parent in call.nested for call in list(self._calls.values())):
            text = (
                f"The plugin runs one call at a time, and that one waits for the call {request.meta.parent}."
            )
            self._link.post(ErrorResponse(request.id, ErrorInfo.of(Code.WOULD_DEADLOCK, text)))
        else:
            call = self._calls[request.id] = Call(request)
            if wire.METHODS[request.method].input is not None:
                call.input = Incoming()
            self._queue.put(call)

    def _take_answer(self, answer: Response | ErrorResponse) -> None:
        for call in list(self._calls.values()):
            incoming = call.nested.get(answer.id or "")
            if incoming is not None:
                incoming.settle(answer)

    def _take_data(self, data: wire.Data) -> None:
        called = self._calls.get(data.id)
        if called is not None and called.input is not None:
            called.input.put(data.items, data.cost, is_last=data.end)
        for call in list(self._calls.values()):
            incoming = call.nested.get(data.id)
            if incoming is not None:
                incoming.put(data.items, data.cost)

    def _take_credit(self, credit: wire.Credit) -> None:
        call = self._calls.get(credit.id)
        if call is not None and call.emitter is not None:
            call.emitter.credit_came()
            call.wake()

    def _take_cancel(self, cancel: wire.Cancel) -> None:
        call = self._calls.get(cancel.id)
        if call is not None:
            call.cancel(cancel.reason)

    def _take_refused(self, refused: wire.Refused) -> None:
        self._link.post(refused.answer)

    def _take_junk(self, junk: wire.Junk) -> None:
        log(f"the host sent something that is not a message: {junk.line[:80]!r}")

    def _close(self) -> None:
        self.closed = True
        self._cancel_all("the host has closed the connection")
        self._queue.put(None)

    def _lose(self) -> None:
        self._cancel_all("the host no longer reads")

    def _cancel_all(self, reason: str) -> None:
        for call in list(self._calls.values()):
            call.cancel(reason)

    # -- the main thread's side ------------------------------------------------------------------------------

    def serve(self) -> None:
        """Run calls until the host closes the connection."""
        while (call := self._queue.get()) is not None:
            self._run(call)

    def serve_waiting(self) -> None:
        """Run the calls that have already come, and return; for one thread that does everything."""
        while not self._queue.empty():
            call = self._queue.get()
            if call is not None:
                self._run(call)

    def _run(self, call: Call) -> None:
        call.begin()
        self.current = call
        answer: Response | ErrorResponse
        try:
            call.check()
            answer = Response(call.id, self._handle(call))
            self._end_copy(None)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a model ends its answer, not the plugin
            call.interruptible = False
            self._end_copy(error)
            answer = ErrorResponse(call.id, self._explain(call, error))
        call.noticed = True
        self._answer(answer)
        self.current = None
        del self._calls[call.id]

    def forked(self) -> None:
        """Note that this process is a copy, made by os.fork() in the author's code.

        A copy must not speak on the wire, and it ends when the author's code comes back to us.
        """
        self._is_copy = True
        self._link.abandon()

    def _end_copy(self, error: BaseException | None) -> None:
        if self._is_copy:
            code: Any = error.code if isinstance(error, SystemExit) else error
            os._exit(code if isinstance(code, int) else int(code is not None))

    def _handle(self, call: Call) -> Any:
        if call.method == "initialize":
            return self._initialize(call)
        if call.method == "plugin/describe":
            self._registry = None  # what a plugin offers may depend on the time and on keys
            return self._models(call).describe()
        if call.method == "model/prompt":
            from ._execute import run_prompt

            return run_prompt(call, self._link, self._models(call))
        if call.method == "embed/batch":
            from ._embed import run_embedding

            return run_embedding(call, self._link, self._models(call))
        raise ModelError(f"This version of the SDK cannot serve {call.method}.")

    def _initialize(self, call: Call) -> wire.InitializeResult:
        params: wire.InitializeParams = call.params
        common = [version for version in wire.SUPPORTED if version in params.protocols]
        if not common:
            raise _Refusal(unsupported(params.protocols))
        context.told = params
        plugin = self.plugin = call.run_author(self._load)
        return wire.InitializeResult(
            protocol=max(common),
            plugin=wire.Peer(name=params.plugin.name, version=params.plugin.version or ""),
            sdk=wire.Peer(name="cellwall-sdk", version=__version__),
            load_error=plugin.error,
        )

    def _models(self, call: Call) -> Registry:
        plugin = self.plugin
        assert plugin is not None  # noqa: S101 - the connection lets nothing pass before `initialize`
        if plugin.error is not None:
            raise ModelError(f"The plugin cannot be used: {plugin.error.message}")
        registry = self._registry
        if registry is None:
            from ._registry import build_registry

            registry = self._registry = call.run_author(build_registry, plugin.holder, plugin.roots)
        return registry

    def _explain(self, call: Call, error: BaseException) -> ErrorInfo:
        if isinstance(error, _Refusal):
            return error.info
        sent = None
        if call.emitter is not None:
            sent = self._send_rest(call)
        if call.cancelled:
            error = Cancelled(call.reason)
        roots = self.plugin.roots if self.plugin is not None else ()
        return error_info(error, roots, items_sent=sent)

    def _send_rest(self, call: Call) -> int:
        """Send what the model had yielded before it failed, and give the number of items sent in all."""
        assert call.emitter is not None  # noqa: S101 - for the type checker
        with suppress(Cancelled, ModelError):  # the host does not want it, or it is what the failure is about
            call.emitter.flush()
        return call.emitter.sent

    def _answer(self, answer: Response | ErrorResponse) -> None:
        try:
            self._link.send(answer)
        except LocalError as error:
            # The author's data does not fit or has no JSON form: the call still needs its one answer.
            text = f"The plugin's answer cannot be sent: {error}."
            info = ErrorInfo.of(Code.TOO_LARGE, text)
            if not isinstance(error, wire.TooLarge):
                info = error_info(BadOutput(text), ())
            with suppress(LocalError):  # the connection itself is broken, and nobody waits any more
                self._link.send(ErrorResponse(answer.id or "", info))


class _Refusal(Exception):
    """Carries an error that is answered as it stands."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info
