"""The receiving half of a connection: lines in, events out.

Whose fault something is decides what comes out: Refused for one wrong request, Ignored or Junk for what
does no harm, RemoteError when the two sides no longer agree on what was said.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import msgspec

from ._codec import DATA_HEAD, Envelope, Undecodable, decode, decode_data, decode_envelope
from ._codes import Code
from ._content import UnknownItem
from ._errors import RemoteError
from ._framing import LineBuffer, LineTooLong
from ._ledger import MAX_CREDIT, Call, Flow, Ledger, does, missing_parent, why_not_now
from ._limits import SUPPORTED
from ._messages import (
    CLOSED,
    NEED_DATA,
    Cancel,
    Credit,
    Data,
    ErrorInfo,
    ErrorResponse,
    Event,
    Ignored,
    Junk,
    Progress,
    Refused,
    Request,
    Response,
)
from ._methods import METHODS, Method, Role
from ._params import (
    CancelParams,
    CreditParams,
    DataParams,
    FrozenRequest,
    FrozenResult,
    InitializeParams,
    InitializeResult,
    Params,
    ProgressParams,
)
from ._states import CALL, Does, Party, State

__all__ = ["Receiver"]

SHOWN = 400
"""How many bytes of a junk line are kept for the log."""

SHOWN_NAME = 80
"""How many characters of a peer's method or id are repeated to it."""

LEAST_LINE = 256
"""The smallest `limits.line`: an error must fit into it [P-11]."""

JSON_SPACE = b" \t\r"
BEFORE_A_BATCH = frozenset({b"[", b" ", b"\t", b"\r"})
"""What a line begins with that may be a batch."""

SMALL_JUNK = 64
"""What a message that answers nothing counts as, in bytes of junk."""

HOST_CODES = range(5000, 6000)
"""Codes that the host makes itself and takes from nobody [P-70]."""


class Control(msgspec.Struct, frozen=True):
    """A notification about a call: what the call table knows it as, who sends it, and how it is read.

    Either party grants credit, for the items that it takes: then `sender` is None.
    """

    does: Does
    sender: Party | None
    params: Any
    event: Callable[[Any], Event]


CONTROL: dict[str, Control] = {
    "$/cancel": Control(Does.CANCEL, Party.CALLER, CancelParams, lambda p: Cancel(p.id, p.reason)),
    "$/credit": Control(Does.CREDIT, None, CreditParams, lambda p: Credit(p.id, p.n)),
    "$/progress": Control(
        Does.PROGRESS, Party.CALLEE, ProgressParams, lambda p: Progress(p.id, p.done, p.total, p.message)
    ),
}


class Receiver:
    """Turns bytes into events and enters them in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._peer = ledger.role.other
        self._buffer = LineBuffer(ledger.line_limit)
        self._eof = False
        self.ignored = 0
        self.junk_lines = 0
        self.junk_bytes = 0

    def receive(self, chunk: bytes) -> None:
        """Do what Connection.receive() promises."""
        if chunk:
            self._buffer.feed(chunk)
        else:
            self._eof = True

    def next_event(self) -> Event:
        """Do what Connection.next_event() promises."""
        if self._ledger.broken:
            return CLOSED
        self._buffer.limit = self._ledger.line_limit
        try:
            line = self._buffer.next_line()
        except LineTooLong as error:
            self._fail(f"sent a line longer than {error.limit} bytes", Code.TOO_LARGE)
        if line is not None:
            return self._line(line)
        if not self._eof:
            return NEED_DATA
        rest = self._buffer.take_rest()
        if rest:
            return Junk(rest[:SHOWN])
        self._ledger.state = State.CLOSED
        return CLOSED

    def _line(self, line: bytes) -> Event:
        if line.startswith(DATA_HEAD):
            event = self._usual_data(line)
            if event is not None:
                return event
        if line[:1] in BEFORE_A_BATCH and line.lstrip(JSON_SPACE)[:1] == b"[" and b'"jsonrpc"' in line:
            return self._refuse(None, Code.INVALID_REQUEST, "batches are not part of this protocol")
        try:
            envelope = decode_envelope(line)
        except Undecodable:
            return self._junk(line)
        if envelope.jsonrpc == "2.0":
            if isinstance(envelope.method, str):
                return self._asked(envelope, envelope.method, len(line) + 1)
            if envelope.result is not msgspec.UNSET or envelope.error is not msgspec.UNSET:
                return self._answer(envelope)
        return self._junk(line)

    def _asked(self, envelope: Envelope, method: str, size: int) -> Event:
        if envelope.id is not msgspec.UNSET:
            return self._request(envelope, method)
        if method == "$/data":
            return self._data(envelope.params, size)
        return self._notification(method, envelope.params)

    # -- notifications -----------------------------------------------------------------------------------

    def _notification(self, method: str, raw: msgspec.Raw) -> Event:
        control = CONTROL.get(method)
        if control is None:
            return self._ignore(f"unknown notification {method[:SHOWN_NAME]}")
        if self._ledger.after(self._peer, Does.CONTROL) is None:
            return self._ignore(f"{method} while the connection is {self._ledger.state.value}")
        try:
            params = decode(raw, control.params)
        except Undecodable as error:
            return self._ignore(f"{method}: {error}")
        call = self._ledger.calls.get(params.id)
        if call is None or control.sender is call.party:
            return self._ignore(f"{method} for {params.id[:SHOWN_NAME]}, which is not an open call")
        if control.does is Does.CREDIT:
            flow = call.outgoing
            if flow is None or params.n < 1 or flow.credit + params.n > MAX_CREDIT:
                return self._ignore(f"$/credit of {params.n} bytes for {call.id}")
            flow.credit += params.n
        call.state = CALL[call.state][call.party.other, control.does]
        return control.event(params)

    def _data(self, raw: msgspec.Raw, size: int) -> Event:
        try:
            params: DataParams = decode(raw, DataParams)
        except Undecodable as error:
            self._fail(f"sent a $/data that cannot be read: {error}")
        call = self._ledger.calls.get(params.id)
        flow = call.incoming if call is not None else None
        if call is None or flow is None:
            if self._ledger.is_past(params.id):
                self._fail(f"sent data for {params.id} after its response")
            return self._ignore(f"$/data for {params.id[:SHOWN_NAME]}, which is not an open call")
        return self._deliver(
            call, flow, params.seq, self._items(call, flow, params.items), size, end=params.end
        )

    def _usual_data(self, line: bytes) -> Data | None:
        """Read a data line the quick way; None sends it the long way, which decides everything else."""
        head = len(DATA_HEAD)
        call = self._ledger.calls.get(line[head : line.find(b'"', head)].decode("utf-8", "replace"))
        flow = call.incoming if call is not None else None
        if call is None or flow is None:
            return None
        try:
            call_id, seq, items, end = decode_data(line, flow.item)
        except Undecodable:
            return None
        return self._deliver(call, flow, seq, items, len(line) + 1, end=end) if call_id == call.id else None

    def _deliver(self, call: Call, flow: Flow, seq: int, items: list[Any], size: int, *, end: bool) -> Data:
        limit = self._ledger.limits.data_line
        if seq != flow.seq:
            self._fail(f"sent item group {seq} of {call.id} where {flow.seq} was due")
        if size > flow.credit:
            self._fail(f"sent {size} bytes for {call.id} with {flow.credit} granted", Code.CREDIT_OVERRUN)
        if size > limit:
            self._fail(f"sent a data line of {size} bytes; the limit is {limit}", Code.TOO_LARGE)
        if flow.has_ended:
            self._fail(f"sent data for {call.id} after its end")
        flow.credit -= size
        flow.seq += 1
        flow.items += len(items)
        if end and not call.mine:  # an answer ends with its response; there, the member means nothing
            flow.has_ended = True
            return Data(call.id, items, size, end=True)
        return Data(call.id, items, size)

    def _items(self, call: Call, flow: Flow, raw: msgspec.Raw) -> list[Any]:
        try:
            # The type is made at run time, so the checker cannot read it.
            known: list[Any] = decode(raw, list[flow.item])  # type: ignore[name-defined]
        except Undecodable:
            return [self._item(flow, item) for item in self._raw_items(call, raw)]
        return known

    def _raw_items(self, call: Call, raw: msgspec.Raw) -> list[msgspec.Raw]:
        try:
            items: list[msgspec.Raw] = decode(raw, list[msgspec.Raw])
        except Undecodable as error:
            self._fail(f"sent items for {call.id} that cannot be read: {error}")
        return items

    def _item(self, flow: Flow, raw: msgspec.Raw) -> Any:
        try:
            return decode(raw, flow.item)
        except Undecodable:
            return UnknownItem(bytes(raw))

    # -- requests ----------------------------------------------------------------------------------------

    def _request(self, envelope: Envelope, method: str) -> Event:
        ledger, call_id = self._ledger, envelope.id
        number = ledger.number_of(call_id, self._peer) if isinstance(call_id, str) else None
        if number is None or not isinstance(call_id, str):
            shown = call_id[:SHOWN_NAME] if isinstance(call_id, str) else None
            prefix = self._peer.id_prefix
            return self._refuse(shown, Code.INVALID_REQUEST, f"ids are strings like {prefix}1, {prefix}2")
        if number <= ledger.last_id[self._peer]:
            self._fail(f"used the id {call_id} twice")
        ledger.last_id[self._peer] = number
        spec = METHODS.get(method)
        name = method[:SHOWN_NAME]
        if ledger.after(self._peer, does(spec)) is None:
            return self._refuse(call_id, *why_not_now(ledger.state, name))
        if spec is None or spec.caller not in (None, self._peer):
            return self._refuse(call_id, Code.METHOD_NOT_FOUND, f"there is no method {name} here")
        try:
            params = decode(envelope.params, spec.params)
        except Undecodable as error:
            foreign = self._foreign(call_id, envelope.params) if spec.name == "initialize" else None
            return foreign or self._refuse(call_id, Code.INVALID_PARAMS, f"{name}: {error}")
        return self._wrong(call_id, spec, params) or self._accept(Request(call_id, method, params))

    def _foreign(self, call_id: str, raw: msgspec.Raw) -> Refused | None:
        """Refuse majors that this side does not speak; the rest of that line may be anything [P-31]."""
        try:
            requested = decode(raw, FrozenRequest).protocols
        except Undecodable:
            return None
        if not requested or not set(SUPPORTED).isdisjoint(requested):
            return None
        older = "the host" if max(requested) < max(SUPPORTED) else "the plugin"
        error = ErrorInfo.of(
            Code.UNSUPPORTED_VERSION,
            f"The plugin speaks protocol {SUPPORTED[-1]} and was asked for {requested[:9]}: upgrade {older}.",
            supported=list(SUPPORTED),
            requested=requested,
        )
        self._ledger.note_refusal(call_id)
        return Refused(ErrorResponse(call_id, error))

    def _wrong(self, call_id: str, spec: Method, params: Params) -> Refused | None:
        """Refuse what the types cannot: a line too short for any answer, a call to the host for nobody."""
        if isinstance(params, InitializeParams) and params.limits.line < LEAST_LINE:
            return self._refuse(call_id, Code.INVALID_PARAMS, f"limits.line is less than {LEAST_LINE} bytes")
        if self._ledger.lacks_parent(spec, params.meta):
            return self._refuse(call_id, Code.NO_PARENT, missing_parent(spec))
        return None

    def _accept(self, request: Request) -> Request:
        ledger, spec, params = self._ledger, METHODS[request.method], request.params
        ledger.state = ledger.after(self._peer, does(spec)) or ledger.state
        if isinstance(params, InitializeParams):
            ledger.peer_line = params.limits.line
            ledger.peer_data_line = min(ledger.peer_data_line, params.limits.data_line)
        ledger.open(request.id, spec, params.meta, mine=False)
        return request

    # -- answers -----------------------------------------------------------------------------------------

    def _answer(self, envelope: Envelope) -> Event:
        call_id = envelope.id
        if call_id is None:
            return self._ignore("an error without an id")
        call = self._ledger.calls.get(call_id) if isinstance(call_id, str) else None
        if call is None or not call.mine:
            if isinstance(call_id, str) and self._ledger.is_past(call_id):
                self._fail(f"answered {call_id} twice")
            self._count_junk(SMALL_JUNK)
            return self._ignore(f"a response to {str(call_id)[:SHOWN_NAME]}, which was never asked")
        if isinstance(envelope.result, msgspec.Raw):
            return self._result(call, envelope.result)
        return self._error(call, envelope.error)

    def _result(self, call: Call, raw: msgspec.Raw) -> Event:
        try:
            result = decode(raw, call.spec.result)
        except Undecodable as error:
            if call.spec.name == "initialize":
                self._require_offered(raw)
                self._fail(f"answered initialize with something else: {error}")
            return self._bad_answer(call, f"the result of {call.spec.name} cannot be read: {error}")
        if call.answer is not None and result.items != call.answer.items:
            self._fail(f"said that {call.id} has {result.items} items, but {call.answer.items} came")
        if isinstance(result, InitializeResult):
            self._require_offered(raw)
        self._ledger.close(call, accepted=True)
        return Response(call.id, result)

    def _require_offered(self, raw: msgspec.Raw) -> None:
        """Fail for a version that was not offered, whatever else its answer holds [P-31]."""
        with suppress(Undecodable):
            chosen = decode(raw, FrozenResult).protocol
            if chosen not in self._ledger.offered:
                self._fail(f"chose protocol version {chosen}, which was not offered")

    def _error(self, call: Call, raw: Any) -> Event:
        try:
            error: ErrorInfo = decode(raw, ErrorInfo)
        except Undecodable as problem:
            return self._bad_answer(call, f"the error of {call.spec.name} cannot be read: {problem}")
        if self._ledger.role is Role.HOST and error.code in HOST_CODES:
            return self._bad_answer(call, f"code {error.code} belongs to the host: {error.message}")
        self._ledger.close(call, accepted=False)
        return ErrorResponse(call.id, error)

    def _bad_answer(self, call: Call, message: str) -> Event:
        self._ledger.close(call, accepted=False)
        return ErrorResponse(call.id, ErrorInfo.of(Code.BAD_OUTPUT, message))

    # -- what is wrong -----------------------------------------------------------------------------------

    def _refuse(self, call_id: str | None, code: Code, message: str) -> Refused:
        self._ledger.note_refusal(call_id)
        if call_id is None:
            self._count_junk(SMALL_JUNK)
        return Refused(ErrorResponse(call_id, ErrorInfo.of(code, message)))

    def _ignore(self, why: str) -> Ignored:
        self.ignored += 1
        return Ignored(why)

    def _junk(self, line: bytes) -> Junk:
        self._count_junk(len(line))
        return Junk(line[:SHOWN])

    def _count_junk(self, size: int) -> None:
        self.junk_lines += 1
        self.junk_bytes += size
        limits = self._ledger.limits
        if self.junk_lines > limits.junk_lines or self.junk_bytes > limits.junk_bytes:
            self._fail("wrote too much to its protocol channel that is not a message")

    def _fail(self, message: str, code: Code = Code.BAD_OUTPUT) -> NoReturn:
        self._ledger.broken = True
        self._ledger.state = State.CLOSED
        raise RemoteError(message, code)
