"""What both directions of a connection share: its state, its open calls, and the ids that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._codes import Code
from ._methods import Method, Role
from ._states import CONNECTION, CallState, Does, Party, State

if TYPE_CHECKING:
    from ._limits import Limits
    from ._params import Meta

__all__ = ["MAX_CREDIT", "Call", "Flow", "Ledger", "does", "missing_parent", "why_not_now"]

MAX_CREDIT = 1 << 40
"""The most credit a call can hold, in bytes: grants beyond it are a fault, not a wish."""

MAX_DIGITS = 15
"""How long the number of an id may be: what a double holds exactly, for peers that have no other numbers."""


class Flow:
    """The items of one call in one direction.

    Attributes:
        item: the union of the items.
        credit: how many bytes of data lines the producer may still send.
        seq: how many data lines were sent.
        items: how many items were in them.
        has_ended: the line that says `end` was sent.
    """

    __slots__ = ("credit", "has_ended", "item", "items", "seq")

    def __init__(self, item: Any, credit: int) -> None:
        self.item = item
        self.credit = credit
        self.seq = 0
        self.items = 0
        self.has_ended = False


class Call:
    """One open call, seen from either side.

    Attributes:
        mine: whether we are the caller.
        parent: the call on whose behalf it was made.
        answer: the items from the callee to the caller; None when the method's answer does not stream.
        input: the items from the caller to the callee; None when the method takes none.
        incoming: the one of the two that the peer sends; likewise `outgoing`, the one that we send.
    """

    __slots__ = ("answer", "id", "incoming", "input", "mine", "outgoing", "parent", "spec", "state")

    def __init__(self, call_id: str, spec: Method, meta: Meta, *, mine: bool) -> None:
        self.id = call_id
        self.spec = spec
        self.mine = mine
        self.parent = meta.parent
        self.answer = Flow(spec.item, meta.credit or 0) if spec.item is not None else None
        self.input = Flow(spec.input, 0) if spec.input is not None else None
        self.incoming, self.outgoing = (self.answer, self.input) if mine else (self.input, self.answer)
        self.state = CallState.OPEN

    @property
    def party(self) -> Party:
        """Our part in it."""
        return Party.CALLER if self.mine else Party.CALLEE


def does(spec: Method | None) -> Does:
    """Tell what a request of this method is in the connection's table; None is an unknown method."""
    if spec is not None and spec.name == "initialize":
        return Does.INITIALIZE
    if spec is not None and spec.name == "shutdown":
        return Does.SHUTDOWN
    return Does.REQUEST


class Ledger:
    """The books of a connection; the sending and the receiving half both write into them.

    Args:
        role: which side we are.
        limits: what we accept.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        self.role = role
        self.limits = limits
        self.state = State.NEW
        self.broken = False
        self.line_limit = limits.early_line
        self.peer_line = limits.line
        self.peer_data_line = limits.data_line
        self.offered: list[int] = []
        self.calls: dict[str, Call] = {}
        self.last_id = {Role.HOST: 0, Role.PLUGIN: 0}
        self.refusals: dict[str | None, int] = {}

    def after(self, who: Role, what: Does) -> State | None:
        """Give the state that follows when `who` does `what`, or None when it is not allowed now."""
        return CONNECTION[self.state].get((who, what))

    def open(self, call_id: str, spec: Method, meta: Meta, *, mine: bool) -> None:
        """Enter a request."""
        self.calls[call_id] = Call(call_id, spec, meta, mine=mine)

    def close(self, call: Call, *, accepted: bool) -> None:
        """Strike a call out: it was answered, well or badly."""
        if call.spec.name == "initialize":
            self.state = CONNECTION[State.STARTING][Role.PLUGIN, Does.ACCEPT if accepted else Does.REJECT]
            if accepted:
                self.line_limit = self.limits.line
        call.state = CallState.DONE
        del self.calls[call.id]

    def is_live(self, call_id: str) -> bool:
        """Whether the call is open and was not cancelled."""
        call = self.calls.get(call_id)
        return call is not None and call.state is CallState.OPEN

    def lacks_parent(self, spec: Method, meta: Meta) -> bool:
        """Whether a call to the host does not name a live call of the host [P-51]."""
        if spec.caller is not Role.PLUGIN:
            return False
        parent = meta.parent
        return parent is None or parent[:1] != Role.HOST.id_prefix or not self.is_live(parent)

    def number_of(self, call_id: str, who: Role) -> int | None:
        """Give the number in an id such as h12, or None when `who` cannot have made it [P-21]."""
        digits = call_id[1:]
        if call_id[:1] != who.id_prefix or not digits.isascii() or not digits.isdigit():
            return None
        return int(digits) if digits[0] != "0" and len(digits) <= MAX_DIGITS else None

    def is_past(self, call_id: str) -> bool:
        """Whether it is the id of a call of ours that was answered."""
        number = self.number_of(call_id, self.role)
        return number is not None and number <= self.last_id[self.role] and call_id not in self.calls

    def note_refusal(self, call_id: str | None) -> None:
        """Remember that a request is to be answered although it never became a call."""
        self.refusals[call_id] = self.refusals.get(call_id, 0) + 1

    def take_refusal(self, call_id: str | None) -> bool:
        """Whether an answer to such a request is due; it is not any more."""
        due = self.refusals.pop(call_id, 0)
        if due > 1:
            self.refusals[call_id] = due - 1
        return due > 0


def missing_parent(spec: Method) -> str:
    """Give the sentence for a call to the host without a live parent."""
    return f"{spec.name} needs meta.parent, the id of a call of the host that is still open"


def why_not_now(state: State, method: str) -> tuple[Code, str]:
    """Give code and sentence for a request that the connection's state does not allow."""
    if state in (State.NEW, State.STARTING):
        return Code.NOT_INITIALIZED, f"{method} came before initialize was answered"
    if state is State.CLOSING:
        return Code.SHUTTING_DOWN, f"{method} came after shutdown"
    return Code.INVALID_REQUEST, f"{method} cannot come while the connection is {state.value}"
