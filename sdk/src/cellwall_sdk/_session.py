"""The plugin's side of the protocol: takes in what the host sends, runs its calls, answers each exactly once.

Two threads share it. The reader feeds bytes to feed(), which answers what needs no author's code and never
waits. The main thread runs serve(): one call at a time, in the order they came. A test may do both on one
thread.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import cellwall_wire as wire
from cellwall_wire import Code, ErrorInfo, ErrorResponse, LocalError, Request, Response

from ._call import Call, Nested
from ._context import context
from ._failures import error_info, unsupported
from ._version import __version__
from .errors import BadOutput, Cancelled, KeyMissing, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._link import Link
    from ._load import Plugin
    from ._registry import Registry

__all__ = ["Session"]

KEY_WAIT_S = 120.0
"""How long the host may take to look up a key, in seconds; it may have to ask the user for a password."""


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
            wire.Response: self._take_answer,
            wire.ErrorResponse: self._take_answer,
            wire.Credit: self._take_credit,
            wire.Cancel: self._take_cancel,
            wire.Refused: self._take_refused,
            wire.Junk: self._take_junk,
        }
        link.on_gone = self._lose
        context.ask_key = self._ask_key

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
            sys.stderr.write(f"cellwall: the host {error}\n")
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
            self._queue.put(call)

    def _take_answer(self, answer: Response | ErrorResponse) -> None:
        for call in list(self._calls.values()):
            nested = call.nested.get(answer.id or "")
            if nested is not None:
                nested.answer = answer
                nested.arrived.set()

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
        sys.stderr.write(f"cellwall: the host sent something that is not a message: {junk.line[:80]!r}\n")

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
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a model ends its answer, not the plugin
            call.interruptible = False
            self._leave_fork(error)
            answer = ErrorResponse(call.id, self._explain(call, error))
        call.noticed = True
        self._answer(answer)
        self.current = None
        del self._calls[call.id]

    def forked(self) -> None:
        """Note that this process is a copy which the author's code made by os.fork(): it must not speak."""
        self._is_copy = True
        self._link.abandon()

    def _leave_fork(self, error: BaseException) -> None:
        """End a copy whose code came back to us instead of calling os._exit()."""
        if self._is_copy:
            code = error.code if isinstance(error, SystemExit) else 1
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
        raise ModelError(f"This version of the SDK cannot serve {call.method}.")

    def _initialize(self, call: Call) -> wire.InitializeResult:
        params: wire.InitializeParams = call.params
        common = [version for version in wire.SUPPORTED if version in params.protocols]
        if not common:
            raise _Refusal(unsupported(params.protocols))
        context.told = params
        plugin = self.plugin = _as_author(call, self._load)
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

            registry = self._registry = _as_author(call, build_registry, plugin.holder, plugin.roots)
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

    # -- asking the host -------------------------------------------------------------------------------------

    def _ask_key(self, alias: str) -> str:
        call = self.current
        if call is None or call.method == "initialize":
            raise ModelError(
                f"The key '{alias}' can be asked for only while a prompt runs or models are registered, "
                "not while the plugin is imported."
            )
        with call.shield():
            answer = self._ask(
                call, lambda call_id: Request(call_id, "keys/get", _key_params(alias, call.id)), KEY_WAIT_S
            )
        if isinstance(answer, Response):
            return str(answer.result.value)
        error = answer.error
        hint = error.data.hint if error.data is not None else None
        if error.kind == Code.KEY_MISSING.kind:
            raise KeyMissing(error.message, hint=hint or f"Store one with `llm keys set {alias}`.")
        raise ModelError(f"The host refused the key '{alias}': {error.message}", hint=hint)

    def _ask(self, call: Call, make: Callable[[str], Request], wait_s: float) -> Response | ErrorResponse:
        """Send a request on behalf of a call and wait for its answer, a cancel, or the end.

        Raises:
            Cancelled: the call was cancelled meanwhile.
            ModelError: the host did not answer in time, or the call is over.
        """
        nested = Nested()

        def made(call_id: str) -> Request:
            call.nested[call_id] = nested  # before it is sent, for the answer may be faster than we are
            return make(call_id)

        call.check()
        try:
            call_id = self._link.request(made)
        except LocalError as error:
            call.check()
            raise ModelError(f"The host cannot be asked now: {error}.") from error
        try:
            nested.arrived.wait(wait_s)
        finally:
            del call.nested[call_id]
        if nested.answer is not None:
            return nested.answer
        self._give_up(call_id)
        call.check()
        raise ModelError(f"The host did not answer within {wait_s:.0f} seconds.")

    def _give_up(self, call_id: str) -> None:
        with suppress(LocalError):  # it has been answered after all
            self._link.send(wire.Cancel(call_id, "no longer needed"))


class _Refusal(Exception):
    """Carries an error that is answered as it stands."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


def _key_params(alias: str, parent: str) -> wire.KeysGetParams:
    return wire.KeysGetParams(alias=alias, meta=wire.Meta(parent=parent))


def _as_author(call: Call, function: Callable[..., Any], *args: Any) -> Any:
    """Run code of the author's that is called through the SDK, where a signal may interrupt it."""
    call.interruptible = True
    try:
        return function(*args)
    finally:
        call.interruptible = False
