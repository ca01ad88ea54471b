"""Errors of the wire, told apart by whose fault they are.

WireError
├── LocalError         we tried to send something the protocol forbids; nothing was sent, the connection is
intact
│   ├── NoCredit       data does not fit the credit that is left; wait for a Credit event and send it again
│   ├── TooLarge       the line would be longer than the peer accepts
│   └── Unencodable    the value has no JSON form (a lone surrogate, an object of a foreign type)
└── RemoteError        the peer broke the protocol beyond repair; the connection is over, stop the peer
"""

from __future__ import annotations

from ._codes import Code

__all__ = ["LocalError", "NoCredit", "RemoteError", "TooLarge", "Unencodable", "WireError"]


class WireError(Exception):
    """The base of all errors raised by a Connection."""


class LocalError(WireError):
    """Raised when we try to send a message that the protocol forbids now; no state was changed."""


class NoCredit(LocalError):
    """Raised when a Data message does not fit the credit left.

    Args:
        needed: the line's length in bytes, newline included.
        left: the credit left in bytes.
    """

    def __init__(self, needed: int, left: int) -> None:
        super().__init__(f"the data line needs {needed} bytes of credit and {left} are left")
        self.needed = needed
        self.left = left


class TooLarge(LocalError):
    """Raised when a line would be longer than the limit.

    Args:
        what: the kind of message.
        size: its length in bytes.
        limit: the limit in bytes.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} is {size} bytes long and the limit is {limit}")
        self.size = size
        self.limit = limit


class Unencodable(LocalError):
    """Raised when a value cannot be written as JSON in UTF-8."""


class RemoteError(WireError):
    """Raised when the peer broke the protocol so that the connection cannot go on.

    Args:
        message: what it did, as the end of the sentence "the plugin …".
        code: the error's code, by default BAD_OUTPUT.
    """

    def __init__(self, message: str, code: Code = Code.BAD_OUTPUT) -> None:
        super().__init__(message)
        self.code = code

    @property
    def kind(self) -> str:
        """The stable name of the error."""
        return self.code.kind
