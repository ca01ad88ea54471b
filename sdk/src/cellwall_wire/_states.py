"""The states of a connection and of a call, as tables.

Theory of operation. Both sides keep the same two machines, because what one side sends is what the other
receives: an entry is looked up by *who* did *what*, and it does not matter whether we are the one who did it.
A missing entry is the error: our own fault raises LocalError; the peer's fault is answered, ignored or fatal,
by the rule in `_connection.py`.

A connection is NEW until the host sends `initialize`, STARTING until the plugin answers it, then READY.
`shutdown` makes it CLOSING: calls that are open still end in the usual way, and no new one begins. The end
of the stream makes it CLOSED. A refused `initialize` leads back to NEW, so that a host that speaks several
majors can try another one.

A call is OPEN from its request to its one response. Cancelling does not end it: it is CANCELLING until it is
answered, and data that was under way may still arrive. Nothing follows the response. Items go from the callee
to the caller and, for a method whose input streams, the other way as well; who takes them grants the credit.

Members are looked up for every message, so they hash by identity: Enum would hash their names, in Python.

The tables hold nothing else: no counters, no clocks, no credit. `protocol.md` prints them by
`cellwall_wire.schema`, so the document cannot say something else.
"""

from __future__ import annotations

import enum

from ._methods import Role

__all__ = ["CALL", "CONNECTION", "CallState", "Does", "Party", "State"]


class State(enum.Enum):
    """Where a connection is."""

    __hash__ = object.__hash__

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    CLOSING = "closing"
    CLOSED = "closed"


class CallState(enum.Enum):
    """Where a call is."""

    __hash__ = object.__hash__

    OPEN = "open"
    CANCELLING = "cancelling"
    DONE = "done"


class Does(enum.Enum):
    """What a side does, as far as the tables tell things apart."""

    __hash__ = object.__hash__

    INITIALIZE = "initialize"
    ACCEPT = "answer initialize"
    REJECT = "refuse initialize"
    REQUEST = "request"
    ANSWER = "answer"
    CONTROL = "control"
    SHUTDOWN = "shutdown"
    END = "end of stream"

    DATA = "$/data"
    CREDIT = "$/credit"
    CANCEL = "$/cancel"
    PROGRESS = "$/progress"
    RESULT = "result"
    ERROR = "error"


class Party(enum.Enum):
    """The two sides of one call."""

    __hash__ = object.__hash__

    CALLER = "caller"
    CALLEE = "callee"

    @property
    def other(self) -> Party:
        """The other side of the call."""
        return Party.CALLEE if self is Party.CALLER else Party.CALLER


_HOST, _PLUGIN = Role.HOST, Role.PLUGIN

CONNECTION: dict[State, dict[tuple[Role, Does], State]] = {
    State.NEW: {
        (_HOST, Does.INITIALIZE): State.STARTING,
        (_HOST, Does.END): State.CLOSED,
        (_PLUGIN, Does.END): State.CLOSED,
    },
    State.STARTING: {
        (_PLUGIN, Does.ACCEPT): State.READY,
        (_PLUGIN, Does.REJECT): State.NEW,
        (_HOST, Does.CONTROL): State.STARTING,
        (_HOST, Does.END): State.CLOSED,
        (_PLUGIN, Does.END): State.CLOSED,
    },
    State.READY: {
        (_HOST, Does.REQUEST): State.READY,
        (_PLUGIN, Does.REQUEST): State.READY,
        (_HOST, Does.ANSWER): State.READY,
        (_PLUGIN, Does.ANSWER): State.READY,
        (_HOST, Does.CONTROL): State.READY,
        (_PLUGIN, Does.CONTROL): State.READY,
        (_HOST, Does.SHUTDOWN): State.CLOSING,
        (_HOST, Does.END): State.CLOSED,
        (_PLUGIN, Does.END): State.CLOSED,
    },
    State.CLOSING: {
        (_HOST, Does.ANSWER): State.CLOSING,
        (_PLUGIN, Does.ANSWER): State.CLOSING,
        (_HOST, Does.CONTROL): State.CLOSING,
        (_PLUGIN, Does.CONTROL): State.CLOSING,
        (_HOST, Does.END): State.CLOSED,
        (_PLUGIN, Does.END): State.CLOSED,
    },
    State.CLOSED: {},
}

_CALLER, _CALLEE = Party.CALLER, Party.CALLEE

CALL: dict[CallState, dict[tuple[Party, Does], CallState]] = {
    CallState.OPEN: {
        (_CALLEE, Does.DATA): CallState.OPEN,
        (_CALLER, Does.CREDIT): CallState.OPEN,
        (_CALLER, Does.DATA): CallState.OPEN,
        (_CALLEE, Does.CREDIT): CallState.OPEN,
        (_CALLEE, Does.PROGRESS): CallState.OPEN,
        (_CALLER, Does.CANCEL): CallState.CANCELLING,
        (_CALLEE, Does.RESULT): CallState.DONE,
        (_CALLEE, Does.ERROR): CallState.DONE,
    },
    CallState.CANCELLING: {
        (_CALLEE, Does.DATA): CallState.CANCELLING,
        (_CALLER, Does.CREDIT): CallState.CANCELLING,
        (_CALLER, Does.DATA): CallState.CANCELLING,
        (_CALLEE, Does.CREDIT): CallState.CANCELLING,
        (_CALLEE, Does.PROGRESS): CallState.CANCELLING,
        (_CALLER, Does.CANCEL): CallState.CANCELLING,
        (_CALLEE, Does.RESULT): CallState.DONE,
        (_CALLEE, Does.ERROR): CallState.DONE,
    },
    CallState.DONE: {},
}
