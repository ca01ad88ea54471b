"""The sending half of a connection: a message in, a line out, or LocalError and nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ._codec import encode, encode_data
from ._errors import LocalError, NoCredit, TooLarge
from ._ledger import MAX_CREDIT, Call, Ledger, does, missing_parent
from ._messages import (
    Cancel,
    Credit,
    Data,
    ErrorResponse,
    Outgoing,
    Progress,
    Request,
    Response,
)
from ._methods import METHODS
from ._params import CancelParams, CreditParams, InitializeParams, ProgressParams
from ._states import CALL, Does, Party

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Sender"]


class Notification(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    """A message without an id, as it stands in the line."""

    method: str
    params: Any


class Sender:
    """Turns messages into lines and enters them in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_type: dict[type, Callable[[Any], bytes]] = {
            Request: self._request,
            Response: self._response,
            ErrorResponse: self._error,
            Data: self._data,
            Credit: self._credit,
            Cancel: self._cancel,
            Progress: self._progress,
        }

    def send(self, message: Outgoing) -> bytes:
        """Do what Connection.send() promises."""
        if self._ledger.broken:
            raise LocalError("the connection is broken")
        return self._by_type[type(message)](message)

    def next_id(self) -> str:
        """Give the id for the next request."""
        role = self._ledger.role
        return f"{role.id_prefix}{self._ledger.last_id[role] + 1}"

    def _request(self, request: Request) -> bytes:
        ledger = self._ledger
        spec = METHODS.get(request.method)
        if spec is None or spec.caller not in (None, ledger.role):
            raise LocalError(f"the {ledger.role.value} cannot call {request.method}")
        if request.id != self.next_id():
            raise LocalError(f"the next request's id is {self.next_id()}, not {request.id}")
        if ledger.lacks_parent(spec, request.meta):
            raise LocalError(missing_parent(spec))
        state = ledger.after(ledger.role, does(spec))
        if state is None:
            raise LocalError(f"{request.method} cannot be sent while the connection is {ledger.state.value}")
        line = self._fit(encode(request), request.method)
        if isinstance(request.params, InitializeParams):
            ledger.offered = request.params.protocols
        ledger.last_id[ledger.role] += 1
        ledger.state = state
        ledger.open(request.id, spec, request.meta, mine=True)
        return line

    def _response(self, response: Response) -> bytes:
        call = self._call(response.id, Party.CALLEE, Does.RESULT)
        result = response.result
        if call.answer is not None:
            result = msgspec.structs.replace(result, items=call.answer.items)
        line = self._fit(encode(Response(response.id, result)), f"the result of {call.spec.name}")
        self._ledger.close(call, accepted=True)
        return line

    def _error(self, response: ErrorResponse) -> bytes:
        line = self._fit(encode(response), "an error")
        if self._ledger.take_refusal(response.id):
            return line
        if response.id is None:
            raise LocalError("an error without an id answers nothing")
        self._ledger.close(self._call(response.id, Party.CALLEE, Does.ERROR), accepted=False)
        return line

    def _data(self, data: Data) -> bytes:
        call = self._ledger.calls.get(data.id)
        flow = call.outgoing if call is not None else None
        if call is None or flow is None:
            raise LocalError(f"{data.id} is not an open call that we send items for")
        if data.end and not call.mine:
            raise LocalError("the response is the only end of an answer")
        if flow.has_ended:
            raise LocalError(f"the input of {data.id} has ended")
        line = encode_data(data.id, flow.seq, data.items, end=data.end)
        size = len(line)
        if size > self._ledger.peer_data_line:
            raise TooLarge("$/data", size, self._ledger.peer_data_line)
        if size > flow.credit:
            raise NoCredit(size, flow.credit)
        flow.credit -= size
        flow.seq += 1
        flow.items += len(data.items)
        flow.has_ended = data.end
        return line

    def _credit(self, credit: Credit) -> bytes:
        call = self._ledger.calls.get(credit.id)
        flow = call.incoming if call is not None else None
        if call is None or flow is None or (call.party, Does.CREDIT) not in CALL[call.state]:
            raise LocalError(f"{credit.id} is not an open call that we take items of")
        if credit.n < 1 or flow.credit + credit.n > MAX_CREDIT:
            raise LocalError(f"{credit.n} is not a number of bytes that can be granted")
        flow.credit += credit.n
        return encode(Notification("$/credit", CreditParams(id=credit.id, n=credit.n)))

    def _cancel(self, cancel: Cancel) -> bytes:
        call = self._call(cancel.id, Party.CALLER, Does.CANCEL)
        line = encode(Notification("$/cancel", CancelParams(id=cancel.id, reason=cancel.reason)))
        call.state = CALL[call.state][Party.CALLER, Does.CANCEL]
        return line

    def _progress(self, progress: Progress) -> bytes:
        self._call(progress.id, Party.CALLEE, Does.PROGRESS)
        params = ProgressParams(
            id=progress.id, done=progress.done, total=progress.total, message=progress.message
        )
        return self._fit(encode(Notification("$/progress", params)), "$/progress")

    def _call(self, call_id: str, party: Party, what: Does) -> Call:
        call = self._ledger.calls.get(call_id)
        whose = "of ours" if party is Party.CALLER else "of the peer"
        if call is None or call.mine is not (party is Party.CALLER) or (party, what) not in CALL[call.state]:
            raise LocalError(f"{call_id} is not an open call {whose}, so there is no {what.value} to send")
        return call

    def _fit(self, line: bytes, what: str) -> bytes:
        if len(line) > self._ledger.peer_line:
            raise TooLarge(what, len(line), self._ledger.peer_line)
        return line
