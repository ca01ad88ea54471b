"""What a plugin asks the host, always on behalf of the call that runs.

The thread that asks waits for the answer, a cancel, or the end of the connection, whichever comes first; the
reader wakes it. Asking outside of a call is refused here, and again by the protocol.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cellwall_wire import Cancel, Code, KeysGetParams, LocalError, Meta, Request, Response

from ._call import Nested
from .errors import KeyMissing, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_wire import ErrorResponse

    from ._call import Call
    from ._link import Link

__all__ = ["Asking"]

KEY_WAIT_S = 120.0
"""How long the host may take to look up a key, in seconds; it may have to ask the user for a password."""


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
        parent = call.id
        with call.shield():
            answer = self._ask(
                call,
                lambda call_id: Request(
                    call_id, "keys/get", KeysGetParams(alias=alias, meta=Meta(parent=parent))
                ),
                KEY_WAIT_S,
            )
        if isinstance(answer, Response):
            return str(answer.result.value)
        error = answer.error
        hint = error.data.hint if error.data is not None else None
        if error.kind == Code.KEY_MISSING.kind:
            raise KeyMissing(error.message, hint=hint or f"Store one with `llm keys set {alias}`.")
        if error.kind == Code.NOT_GRANTED.kind:  # a model that can do without a key does without
            raise KeyMissing(error.message, hint=hint)
        raise ModelError(f"The host refused the key '{alias}': {error.message}", hint=hint)

    def _ask(self, call: Call, make: Callable[[str], Request], wait_s: float) -> Response | ErrorResponse:
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
        with suppress(LocalError):  # it has been answered after all
            self._link.send(Cancel(call_id, "no longer needed"))
        call.check()
        raise ModelError(f"The host did not answer within {wait_s:.0f} seconds.")
