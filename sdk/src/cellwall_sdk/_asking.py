"""What a plugin asks the host, always on behalf of the call that runs.

The thread that asks waits for the answer, a cancel, or the end of the connection, whichever comes first; the
reader wakes it. Asking outside of a call is refused here, and again by the protocol.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_wire import METHODS, Cancel, Code, KeysGetParams, LocalError, Meta, Request, Response

from ._incoming import WINDOW_BYTES, Incoming
from .errors import KeyMissing, ModelError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cellwall_wire import ErrorInfo, Params

    from ._call import Call
    from ._link import Link

__all__ = ["ANSWER_S", "Asking"]

ANSWER_S = 120.0
"""How long the host may take to answer what needs no person and no model, in seconds."""


class Asking:
    """Asks the host.

    Args:
        link: the way to the host.
        current: gives the call that runs now.
    """

    def __init__(self, link: Link, current: Callable[[], Call | None]) -> None:
        self._link = link
        self._current = current

    def key(self, alias: str) -> str:
        """Ask for an API key.

        Args:
            alias: the name under which the user stored it.

        Raises:
            KeyMissing: the user has stored none, or has not granted it to this plugin.
            ModelError: no call runs, or the host does not answer.
            Cancelled: the call was cancelled meanwhile.
        """
        call = self._current()
        if call is None or call.method == "initialize":
            raise ModelError(
                f"The key '{alias}' can be asked for only while a prompt runs or models are registered, "
                "not while the plugin is imported."
            )
        try:
            return str(self.ask("keys/get", KeysGetParams(alias=alias)).value)
        except ServiceError as error:
            if error.reason == Code.KEY_MISSING.kind:
                hint = error.hint or f"Store one with `llm keys set {alias}`."
                raise KeyMissing(str(error), hint=hint) from None
            if error.reason == Code.NOT_GRANTED.kind:  # a model that can do without a key does without
                raise KeyMissing(str(error), hint=error.hint) from None
            raise ModelError(f"The host refused the key '{alias}': {error}", hint=error.hint) from None

    def ask(self, method: str, params: Params, *, wait_s: float | None = ANSWER_S) -> Any:
        """Call a method of the host that does not stream, and give its result.

        Args:
            method: the method.
            params: of its type; `meta` is filled in.
            wait_s: how long the host may take, in seconds; None for as long as the call that runs has.

        Raises:
            ServiceError: the host refused it, or failed.
            ModelError: no call runs, or the host does not answer.
            Cancelled: the call was cancelled meanwhile.
        """
        answers = self.stream(method, params, wait_s=wait_s)
        while True:
            try:
                next(answers)
            except StopIteration as end:
                return end.value

    def stream(
        self, method: str, params: Params, *, wait_s: float | None = None
    ) -> Generator[list[Any], None, Any]:
        """Call a method of the host: a generator of lists of items, which returns the result.

        Leaving it early cancels the call. Arguments and errors as for ask().
        """
        call = self._current()
        if call is None or call.method == "initialize":
            raise ModelError(f"The host can be asked for {method} only while it waits for an answer.")
        incoming = Incoming()
        end = monotonic() + (_patience_s(call) if wait_s is None else wait_s)
        call_id = self._begin(call, incoming, method, params)
        try:
            while True:
                with call.shield():
                    items = self._next(call, incoming, call_id, end)
                if not items:
                    break
                yield items
        finally:
            del call.nested[call_id]
            if incoming.answer is None:
                with call.shield(), suppress(LocalError):  # it has been answered after all
                    self._link.send(Cancel(call_id, "no longer needed"))
        if incoming.answer is None:
            call.check()
            raise ModelError(f"The host did not answer {method} in time.")
        if isinstance(incoming.answer, Response):
            return incoming.answer.result
        raise _error(incoming.answer.error)

    def _begin(self, call: Call, incoming: Incoming, method: str, params: Params) -> str:
        credit = WINDOW_BYTES if METHODS[method].item is not None else None
        filled = msgspec.structs.replace(params, meta=Meta(parent=call.id, credit=credit))

        def make(call_id: str) -> Request:
            call.nested[call_id] = incoming  # before it is sent, for the answer may be faster than we are
            return Request(call_id, method, filled)

        call.check()
        try:
            with call.shield():
                return self._link.request(make)
        except LocalError as error:
            call.check()
            raise ModelError(f"The host cannot be asked now: {error}.") from error

    def _next(self, call: Call, incoming: Incoming, call_id: str, end: float) -> list[Any]:
        """Wait for items, and give them; none when there will be no more, or it took too long."""
        while True:
            incoming.arrived.clear()
            has_ended = incoming.has_ended  # before the last items are taken, not after
            items = incoming.take(self._link, call_id)
            if items or has_ended:
                return items
            call.check()
            if not incoming.arrived.wait(max(0.0, end - monotonic())):
                return []


def _patience_s(call: Call) -> float:
    """How long the host may take for what has no limit of its own: the call's own time, in seconds."""
    timeout_ms = call.params.meta.timeout_ms
    return float(timeout_ms) / 1000 + ANSWER_S if timeout_ms else 24 * 3600.0


def _error(error: ErrorInfo) -> ServiceError:
    data = error.data
    return ServiceError(
        error.message,
        reason=error.kind,
        hint=data.hint if data is not None else None,
        retryable=data.retryable if data is not None else None,
        retry_after_s=data.retry_after_ms / 1000 if data is not None and data.retry_after_ms else None,
    )
