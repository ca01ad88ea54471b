"""Connection: one side of a conversation, without IO, threads or clocks.

Five verbs: `send(message) -> bytes` to put on the wire, `receive(bytes)` as they were read, `next_event()` until it says
NEED_DATA, `next_id()` for a request, and `credit_left(id)` for whoever streams. The driver does the rest: it reads, writes,
waits and decides; two drivers exist, `cellwall_kernel.session` and `cellwall_sdk._child`.

Whose fault it is decides what happens:
- ours: send() raises LocalError and nothing has changed;
- the peer's, and one request is wrong: next_event() gives Refused with the answer to send;
- the peer's, and it does no harm: next_event() gives Ignored or Junk, both counted, junk only up to a limit;
- the peer's, and the two sides no longer agree on what was said: next_event() raises RemoteError and the connection is over.

Not thread-safe: a driver with several threads holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from . import _messages as m
from ._codec import Envelope, Undecodable, decode, decode_envelope, encode, encode_data
from ._codes import Code
from ._content import UnknownItem
from ._errors import LocalError, NoCredit, RemoteError, TooLarge
from ._framing import LineBuffer, LineTooLong
from ._limits import Limits
from ._methods import (
    METHODS,
    CancelParams,
    CreditParams,
    DataParams,
    InitializeParams,
    InitializeResult,
    Method,
    ProgressParams,
    Role,
)
from ._states import CALL, CONNECTION, CallState, Does, Party, State

__all__ = ["Connection"]

MAX_CREDIT = 1 << 40
"""The most credit a call can hold, in bytes: grants beyond it are a fault, not a wish."""

JUNK_SHOWN = 400
"""How many bytes of a junk line are kept for the log."""


class _Call:
    """One open call, seen from either side."""

    __slots__ = ("credit", "id", "mine", "parent", "seq", "spec", "state")

    def __init__(self, call_id: str, spec: Method, *, mine: bool, parent: str | None, credit: int) -> None:
        self.id = call_id
        self.spec = spec
        self.mine = mine
        self.parent = parent
        self.credit = credit
        self.seq = 0  # items are counted in `_items`
        self.state = CallState.OPEN


class _Control(msgspec.Struct, frozen=True):
    """A notification about a call: what the call table knows it as, who sends it, and how it is read."""

    does: Does
    sender: Party
    params: Any
    event: Callable[[Any], m.Event]


_CONTROL: dict[str, _Control] = {
    "$/cancel": _Control(
        Does.CANCEL, Party.CALLER, CancelParams, lambda params: m.Cancel(params.id, params.reason)
    ),
    "$/credit": _Control(Does.CREDIT, Party.CALLER, CreditParams, lambda params: m.Credit(params.id, params.n)),
    "$/progress": _Control(
        Does.PROGRESS,
        Party.CALLEE,
        ProgressParams,
        lambda params: m.Progress(params.id, params.done, params.total, params.message),
    ),
}


class _Notification(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    method: str
    params: Any


class Connection:
    """One side of the protocol.

    Args:
        role: which side we are.
        limits: what we accept; a plugin sends no more than the host announced in `initialize`.
    """

    def __init__(self, role: Role, *, limits: Limits | None = None) -> None:
        self.role = role
        self.limits = limits or Limits()
        self.state = State.NEW
        self.ignored = 0
        self.junk_lines = 0
        self.junk_bytes = 0
        self._buffer = LineBuffer(self.limits.early_line)
        self._eof = False
        self._broken = False
        self._send_line = self.limits.line
        self._send_data_line = self.limits.data_line
        self._calls: dict[str, _Call] = {}
        self._items: dict[str, int] = {}
        self._last = {Role.HOST: 0, Role.PLUGIN: 0}
        self._to_refuse: dict[str | None, int] = {}
        self._senders: dict[type, Callable[[Any], bytes]] = {
            m.Request: self._send_request,
            m.Response: self._send_response,
            m.ErrorResponse: self._send_error,
            m.Data: self._send_data,
            m.Credit: self._send_credit,
            m.Cancel: self._send_cancel,
            m.Progress: self._send_progress,
        }

    # -- what a driver asks ------------------------------------------------------------------------------------

    def next_id(self) -> str:
        """Give the id for the next request; it stays the same until that request is sent."""
        return f"{self.role.id_prefix}{self._last[self.role] + 1}"

    def credit_left(self, call_id: str) -> int:
        """How many bytes of data lines the callee may still send for this call; 0 when it is not open."""
        call = self._calls.get(call_id)
        return call.credit if call is not None else 0

    def is_live(self, call_id: str) -> bool:
        """Whether the call is open and was not cancelled."""
        call = self._calls.get(call_id)
        return call is not None and call.state is CallState.OPEN

    def open_calls(self, *, mine: bool | None = None, parent: str | None = None) -> list[str]:
        """List the ids of calls that have no response yet, oldest first.

        Args:
            mine: only those that we made (True) or that the peer made (False).
            parent: only those made on behalf of this call.
        """
        return [
            call.id
            for call in self._calls.values()
            if (mine is None or call.mine is mine) and (parent is None or call.parent == parent)
        ]

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, message: m.Outgoing) -> bytes:
        """Turn a message into the bytes to write, and note that it was sent.

        Returns:
            one line; write all of it, in the order of the send() calls.

        Raises:
            NoCredit: the items do not fit the credit left.
            TooLarge: the line is longer than the peer accepts.
            Unencodable: a value has no JSON form.
            LocalError: the message is not allowed now.
        """
        if self._broken:
            raise LocalError("the connection is broken")
        return self._senders[type(message)](message)

    def _send_request(self, request: m.Request) -> bytes:
        spec = METHODS.get(request.method)
        if spec is None or spec.caller not in (None, self.role):
            raise LocalError(f"the {self.role.value} cannot call {request.method}")
        if request.id != self.next_id():
            raise LocalError(f"the next request's id is {self.next_id()}, not {request.id}")
        self._check_parent(spec, request.meta.parent, LocalError)
        state = self._next_state(self.role, _does(spec))
        if state is None:
            raise LocalError(f"{request.method} cannot be sent while the connection is {self.state.value}")
        line = self._fit(encode(request), request.method)
        self._last[self.role] += 1
        self.state = state
        self._open(request.id, spec, request.meta, mine=True)
        return line

    def _send_response(self, response: m.Response) -> bytes:
        call = self._callee(response.id, Does.RESULT)
        result = response.result
        if call.spec.item is not None:
            result = msgspec.structs.replace(result, items=self._items[call.id])
        line = self._fit(encode(m.Response(response.id, result)), f"the result of {call.spec.name}")
        self._answered(call, accepted=True)
        if call.spec.name == "initialize":
            self._buffer.limit = self.limits.line
        return line

    def _send_error(self, response: m.ErrorResponse) -> bytes:
        if self._to_refuse.get(response.id):
            line = self._fit(encode(response), "an error")
            self._to_refuse[response.id] -= 1
            if not self._to_refuse[response.id]:
                del self._to_refuse[response.id]
            return line
        if response.id is None:
            raise LocalError("an error without an id answers nothing")
        call = self._callee(response.id, Does.ERROR)
        line = self._fit(encode(response), "an error")
        self._answered(call, accepted=False)
        return line

    def _send_data(self, data: m.Data) -> bytes:
        call = self._calls.get(data.id)
        if call is None or call.mine or call.spec.item is None:
            raise LocalError(f"{data.id} is not a streaming call of the peer")
        line = encode_data(data.id, call.seq, data.items)
        size = len(line)
        if size > self._send_data_line:
            raise TooLarge("$/data", size, self._send_data_line)
        if size > call.credit:
            raise NoCredit(size, call.credit)
        call.credit -= size
        call.seq += 1
        self._items[data.id] += len(data.items)
        return line

    def _send_credit(self, credit: m.Credit) -> bytes:
        call = self._caller(credit.id, Does.CREDIT)
        if credit.n < 1 or call.credit + credit.n > MAX_CREDIT:
            raise LocalError(f"{credit.n} is not a number of bytes that can be granted")
        call.credit += credit.n
        return encode(_Notification("$/credit", CreditParams(id=credit.id, n=credit.n)))

    def _send_cancel(self, cancel: m.Cancel) -> bytes:
        call = self._caller(cancel.id, Does.CANCEL)
        line = encode(_Notification("$/cancel", CancelParams(id=cancel.id, reason=cancel.reason)))
        call.state = CallState.CANCELLING
        return line

    def _send_progress(self, progress: m.Progress) -> bytes:
        self._callee(progress.id, Does.PROGRESS)
        params = ProgressParams(
            id=progress.id, done=progress.done, total=progress.total, message=progress.message
        )
        return self._fit(encode(_Notification("$/progress", params)), "$/progress")

    def _callee(self, call_id: str, does: Does) -> _Call:
        call = self._calls.get(call_id)
        if call is None or call.mine or (Party.CALLEE, does) not in CALL[call.state]:
            raise LocalError(f"{call_id} is not an open call of the peer, so there is nothing to {does.value}")
        return call

    def _caller(self, call_id: str, does: Does) -> _Call:
        call = self._calls.get(call_id)
        if call is None or not call.mine or (Party.CALLER, does) not in CALL[call.state]:
            raise LocalError(f"{call_id} is not an open call of ours, so there is nothing to {does.value}")
        return call

    def _fit(self, line: bytes, what: str) -> bytes:
        if len(line) > self._send_line:
            raise TooLarge(what, len(line), self._send_line)
        return line

    # -- receiving ---------------------------------------------------------------------------------------------

    def receive(self, chunk: bytes) -> None:
        """Add bytes as they were read; empty bytes mean that the peer closed its end."""
        if chunk:
            self._buffer.feed(chunk)
        else:
            self._eof = True

    def next_event(self) -> m.Event:
        """Give the next thing that the peer did.

        Returns:
            a message; NEED_DATA when more bytes are needed; CLOSED once after the end of the stream.

        Raises:
            RemoteError: the peer broke the protocol beyond repair. Any other exception is a bug.
        """
        if self._broken:
            return m.CLOSED
        try:
            line = self._buffer.next_line()
        except LineTooLong as error:
            self._fail(f"sent a line longer than {error.limit} bytes", Code.TOO_LARGE)
        if line is not None:
            return self._read(line)
        if not self._eof:
            return m.NEED_DATA
        rest = self._buffer.take_rest()
        if rest:
            return m.Junk(rest[:JUNK_SHOWN])
        self.state = State.CLOSED
        return m.CLOSED

    def _read(self, line: bytes) -> m.Event:
        if line[:1] != b"{":
            if line[:1] == b"[" and b'"jsonrpc"' in line:
                return self._refuse(None, Code.INVALID_REQUEST, "batches are not part of this protocol")
            return self._junk(line)
        try:
            envelope = decode_envelope(line)
        except Undecodable:
            return self._junk(line)
        if envelope.jsonrpc != "2.0":
            return self._junk(line)
        if isinstance(envelope.method, str):
            if envelope.id is msgspec.UNSET:
                return self._read_notification(envelope.method, envelope.params, len(line) + 1)
            return self._read_request(envelope.method, envelope)
        if envelope.result is not msgspec.UNSET or envelope.error is not msgspec.UNSET:
            return self._read_response(envelope)
        return self._junk(line)

    def _read_notification(self, method: str, params: msgspec.Raw, size: int) -> m.Event:
        if method == "$/data":
            return self._read_data(params, size)
        control = _CONTROL.get(method)
        if control is None:
            return self._ignore(f"unknown notification {method[:80]}")
        if self._next_state(self.role.other, Does.CONTROL) is None:
            return self._ignore(f"{method} while the connection is {self.state.value}")
        try:
            values = decode(params, control.params)
        except Undecodable as error:
            return self._ignore(f"{method}: {error}")
        call = self._calls.get(values.id)
        if call is None or call.mine is (control.sender is Party.CALLER):
            return self._ignore(f"{method} for {values.id[:80]}, which is not an open call")
        return self._control(call, control, values)

    def _control(self, call: _Call, control: _Control, values: Any) -> m.Event:
        if control.does is Does.CREDIT:
            if values.n < 1 or call.credit + values.n > MAX_CREDIT:
                return self._ignore(f"$/credit of {values.n} bytes for {call.id}")
            call.credit += values.n
        call.state = CALL[call.state][(control.sender, control.does)]
        return control.event(values)

    def _read_data(self, raw: msgspec.Raw, size: int) -> m.Event:
        try:
            params: DataParams = decode(raw, DataParams)
        except Undecodable as error:
            self._fail(f"sent a $/data that cannot be read: {error}")
        call = self._calls.get(params.id)
        if call is None or not call.mine or call.spec.item is None:
            if self._is_past(params.id):
                self._fail(f"sent data for {params.id} after its response")
            return self._ignore(f"$/data for {params.id[:80]}, which is not an open call")
        if params.seq != call.seq:
            self._fail(f"sent item group {params.seq} of {call.id} where {call.seq} was due")
        if size > call.credit:
            self._fail(f"sent {size} bytes for {call.id} with {call.credit} granted", Code.CREDIT_OVERRUN)
        if size > self.limits.data_line:
            self._fail(f"sent a data line of {size} bytes; the limit is {self.limits.data_line}", Code.TOO_LARGE)
        items = self._read_items(call, params.items)
        call.credit -= size
        call.seq += 1
        self._items[call.id] += len(items)
        return m.Data(call.id, items, size)

    def _read_items(self, call: _Call, raw: msgspec.Raw) -> list[Any]:
        try:
            items: list[Any] = decode(raw, list[call.spec.item])  # type: ignore[name-defined]
        except Undecodable:
            return [self._read_item(call, item) for item in self._raw_items(call, raw)]
        return items

    def _raw_items(self, call: _Call, raw: msgspec.Raw) -> list[msgspec.Raw]:
        try:
            items: list[msgspec.Raw] = decode(raw, list[msgspec.Raw])
        except Undecodable as error:
            self._fail(f"sent items for {call.id} that cannot be read: {error}")
        return items

    def _read_item(self, call: _Call, raw: msgspec.Raw) -> Any:
        try:
            return decode(raw, call.spec.item)
        except Undecodable:
            return UnknownItem(bytes(raw))

    def _read_request(self, method: str, envelope: Envelope) -> m.Event:
        call_id = envelope.id
        if not isinstance(call_id, str) or not self._is_well_formed(call_id):
            shown = call_id if isinstance(call_id, str) and len(call_id) <= 64 else None
            prefix = self.role.other.id_prefix
            return self._refuse(shown, Code.INVALID_REQUEST, f"ids are strings like {prefix}1, {prefix}2")
        number = int(call_id[1:])
        if number <= self._last[self.role.other]:
            self._fail(f"used the id {call_id} twice")
        self._last[self.role.other] = number
        spec = METHODS.get(method)
        state = self._next_state(self.role.other, Does.REQUEST if spec is None else _does(spec))
        if state is None:
            return self._refuse(call_id, *self._why_not_now(method))
        if spec is None or spec.caller not in (None, self.role.other):
            return self._refuse(call_id, Code.METHOD_NOT_FOUND, f"there is no method {method[:80]} here")
        return self._accept_request(call_id, spec, state, envelope.params)

    def _accept_request(self, call_id: str, spec: Method, state: State, raw: msgspec.Raw) -> m.Event:
        try:
            params = decode(raw, spec.params)
        except Undecodable as error:
            return self._refuse(call_id, Code.INVALID_PARAMS, f"{spec.name}: {error}")
        try:
            self._check_parent(spec, params.meta.parent, LocalError)
        except LocalError as error:
            return self._refuse(call_id, Code.NO_PARENT, str(error))
        self.state = state
        if isinstance(params, InitializeParams):
            self._send_line = params.limits.line
            self._send_data_line = min(self._send_data_line, params.limits.data_line)
        self._open(call_id, spec, params.meta, mine=False)
        return m.Request(call_id, spec.name, params)

    def _read_response(self, envelope: Envelope) -> m.Event:
        call_id = envelope.id
        if call_id is None:
            return self._read_orphan_error(envelope)
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        if call is None or not call.mine:
            if isinstance(call_id, str) and self._is_past(call_id):
                self._fail(f"answered {call_id} twice")
            self._count_junk(64)
            return self._ignore(f"a response to {str(call_id)[:80]}, which was never asked")
        if isinstance(envelope.result, msgspec.Raw):
            return self._read_result(call, envelope.result)
        assert isinstance(envelope.error, msgspec.Raw)  # noqa: S101 - for the type checker; _read made sure
        return self._read_error(call, envelope.error)

    def _read_result(self, call: _Call, raw: msgspec.Raw) -> m.Event:
        try:
            result = decode(raw, call.spec.result)
        except Undecodable as error:
            if call.spec.name == "initialize":
                self._fail(f"answered initialize with something else: {error}")
            return self._bad_answer(call, f"the result of {call.spec.name} cannot be read: {error}")
        sent = self._items[call.id]
        if call.spec.item is not None and result.items != sent:
            self._fail(f"said that {call.id} has {result.items} items, but {sent} came")
        self._answered(call, accepted=True)
        if isinstance(result, InitializeResult):
            self._buffer.limit = self.limits.line
        return m.Response(call.id, result)

    def _read_error(self, call: _Call, raw: msgspec.Raw) -> m.Event:
        try:
            error: m.ErrorInfo = decode(raw, m.ErrorInfo)
        except Undecodable as problem:
            return self._bad_answer(call, f"the error of {call.spec.name} cannot be read: {problem}")
        if self.role is Role.HOST and 5000 <= error.code <= 5999:
            return self._bad_answer(call, f"code {error.code} belongs to the host: {error.message}")
        self._answered(call, accepted=False)
        return m.ErrorResponse(call.id, error)

    def _read_orphan_error(self, envelope: Envelope) -> m.Event:
        text = "an error without an id"
        if isinstance(envelope.error, msgspec.Raw):
            text = f"{text}: {bytes(envelope.error)[:200].decode('utf-8', 'replace')}"
        return self._ignore(text)

    def _bad_answer(self, call: _Call, message: str) -> m.Event:
        self._answered(call, accepted=False)
        return m.ErrorResponse(call.id, m.ErrorInfo.of(Code.BAD_OUTPUT, message))

    # -- what both directions share ----------------------------------------------------------------------------

    def _open(self, call_id: str, spec: Method, meta: Any, *, mine: bool) -> None:
        self._calls[call_id] = _Call(call_id, spec, mine=mine, parent=meta.parent, credit=meta.credit or 0)
        self._items[call_id] = 0

    def _answered(self, call: _Call, *, accepted: bool) -> None:
        if call.spec.name == "initialize":
            does = Does.ACCEPT if accepted else Does.REJECT
            self.state = CONNECTION[State.STARTING][(Role.PLUGIN, does)]
        call.state = CallState.DONE
        del self._calls[call.id]
        del self._items[call.id]

    def _next_state(self, who: Role, does: Does) -> State | None:
        return CONNECTION[self.state].get((who, does))

    def _check_parent(self, spec: Method, parent: str | None, error: type[Exception]) -> None:
        if spec.caller is not Role.PLUGIN:
            return
        if parent is None or parent[:1] != Role.HOST.id_prefix or not self.is_live(parent):
            raise error(f"{spec.name} needs meta.parent, the id of a call of the host that is still open")

    def _is_well_formed(self, call_id: str) -> bool:
        digits = call_id[1:]
        return (
            call_id[:1] == self.role.other.id_prefix
            and digits.isascii()
            and digits.isdigit()
            and digits[0] != "0"
            and len(digits) <= 15
        )

    def _is_past(self, call_id: str) -> bool:
        digits = call_id[1:]
        if call_id[:1] != self.role.id_prefix or not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
            return False
        return 0 < int(digits) <= self._last[self.role] and call_id not in self._calls

    def _why_not_now(self, method: str) -> tuple[Code, str]:
        if self.state in (State.NEW, State.STARTING):
            return Code.NOT_INITIALIZED, f"{method[:80]} came before initialize was answered"
        if self.state is State.CLOSING:
            return Code.SHUTTING_DOWN, f"{method[:80]} came after shutdown"
        return Code.INVALID_REQUEST, f"{method[:80]} cannot come while the connection is {self.state.value}"

    def _refuse(self, call_id: str | None, code: Code, message: str) -> m.Refused:
        self._to_refuse[call_id] = self._to_refuse.get(call_id, 0) + 1
        if call_id is None:
            self._count_junk(64)
        return m.Refused(m.ErrorResponse(call_id, m.ErrorInfo.of(code, message)))

    def _ignore(self, why: str) -> m.Ignored:
        self.ignored += 1
        return m.Ignored(why)

    def _junk(self, line: bytes) -> m.Junk:
        self._count_junk(len(line))
        return m.Junk(line[:JUNK_SHOWN])

    def _count_junk(self, size: int) -> None:
        self.junk_lines += 1
        self.junk_bytes += size
        if self.junk_lines > self.limits.junk_lines or self.junk_bytes > self.limits.junk_bytes:
            self._fail("wrote too much to its protocol channel that is not a message")

    def _fail(self, message: str, code: Code = Code.BAD_OUTPUT) -> NoReturn:
        self._broken = True
        self.state = State.CLOSED
        raise RemoteError(message, code)


def _does(spec: Method) -> Does:
    if spec.name == "initialize":
        return Does.INITIALIZE
    return Does.SHUTDOWN if spec.name == "shutdown" else Does.REQUEST

