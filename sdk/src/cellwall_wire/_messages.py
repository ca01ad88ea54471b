"""The envelopes: what stands in one line. The same types are sent by one side and received by the other.

Three more exist only on the receiving side: Refused (answer it), Ignored (count it) and Junk (log it).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._codes import Code
from ._params import Meta, Params

__all__ = [
    "CLOSED",
    "NEED_DATA",
    "Cancel",
    "Credit",
    "Data",
    "ErrorData",
    "ErrorInfo",
    "ErrorResponse",
    "Event",
    "Ignored",
    "Junk",
    "Outgoing",
    "Progress",
    "Refused",
    "Request",
    "Response",
    "Signal",
]


class Request(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    """A call. `params` is the type that METHODS names for the method."""

    id: str
    method: str
    params: Params

    @property
    def meta(self) -> Meta:
        """What stands in `params.meta`."""
        return self.params.meta


class Response(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    """The successful end of a call. `result` is the type that METHODS names for the call's method."""

    id: str
    result: Any


class ErrorData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an error says beside its code and sentence.

    Attributes:
        kind: the stable name of the error, see Code.
        retryable: whether the same call may succeed later.
        retry_after_ms: when to try again, in milliseconds.
        hint: what the user can do.
        detail: anything else, for instance a traceback under "traceback".
        items_sent: how many items were sent before the error.
        supported: the protocol majors the plugin speaks, with UnsupportedVersion.
        requested: the majors that were asked for, with UnsupportedVersion.
    """

    kind: str = ""
    retryable: bool = False
    retry_after_ms: int | None = None
    hint: str | None = None
    detail: dict[str, Any] | None = None
    items_sent: int | None = None
    supported: list[int] | None = None
    requested: list[int] | None = None


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error: a code of Code (or of a later version), one sentence, and data."""

    code: int
    message: str
    data: ErrorData | None = None

    @classmethod
    def of(cls, code: Code, message: str, **data: Any) -> ErrorInfo:
        """Make an error of a known code; `data` are fields of ErrorData.

        Returns:
            the error, its kind and retryable flag filled in from the code.
        """
        data.setdefault("retryable", code.retryable)
        return cls(int(code), message, ErrorData(kind=code.kind, **data))

    @property
    def kind(self) -> str:
        """The stable name: from the data, else from the code, else `Error`."""
        if self.data is not None and self.data.kind:
            return self.data.kind
        try:
            return Code(self.code).kind
        except ValueError:
            return "Error"


class ErrorResponse(msgspec.Struct, frozen=True, tag_field="jsonrpc", tag="2.0"):
    """The unsuccessful end of a call. `id` is None when the request could not be read."""

    id: str | None
    error: ErrorInfo


class Data(msgspec.Struct, frozen=True):
    """Items of a streaming answer or input, in order.

    Attributes:
        id: the call.
        items: the items, of the union that METHODS names.
        cost: on the receiving side, the bytes of credit it used; give them back by Credit once consumed.
        end: the last items of an input; an answer ends with its response.
    """

    id: str
    items: list[Any]
    cost: int = 0
    end: bool = False


class Credit(msgspec.Struct, frozen=True):
    """The consumer grants `n` more bytes of data lines for the call."""

    id: str
    n: int


class Cancel(msgspec.Struct, frozen=True):
    """The caller no longer wants the answer to its call."""

    id: str
    reason: str = ""


class Progress(msgspec.Struct, frozen=True):
    """How far the call is: `done` of `total`, in any unit, and a word."""

    id: str
    done: float | None = None
    total: float | None = None
    message: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """A request that must not be run: send `answer` and nothing else."""

    answer: ErrorResponse


class Ignored(msgspec.Struct, frozen=True):
    """A message that has no effect, such as control for an id that is unknown; `why` is for the log."""

    why: str


class Junk(msgspec.Struct, frozen=True):
    """A line that is not a message; `line` is its beginning, for the log."""

    line: bytes


class Signal(msgspec.Struct, frozen=True):
    """A constant that next_event() returns instead of a message: NEED_DATA or CLOSED."""

    name: str


NEED_DATA = Signal("NEED_DATA")
CLOSED = Signal("CLOSED")

Outgoing = Request | Response | ErrorResponse | Data | Credit | Cancel | Progress
Event = Outgoing | Refused | Ignored | Junk | Signal
