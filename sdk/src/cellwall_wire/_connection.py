"""Connection: one side of a conversation, without IO, threads or clocks.

Five verbs: `send(message) -> bytes` to put on the wire, `receive(bytes)` as they were read, `next_event()`
until it says NEED_DATA, `next_id()` for a request, and `credit_left(id)` for whoever streams. The driver
does the rest: it reads, writes, waits and decides; two drivers exist, `cellwall_kernel.session` and
`cellwall_sdk._child`.

Whose fault it is decides what happens:
- ours: send() raises LocalError and nothing has changed;
- the peer's, and one request is wrong: next_event() gives Refused with the answer to send;
- the peer's, and it does no harm: next_event() gives Ignored or Junk, both counted, junk only up to a limit;
- the peer's, and the two sides no longer agree on what was said: next_event() raises RemoteError and the
  connection is over.

Not thread-safe: a driver with several threads holds a lock around each call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._ledger import Ledger
from ._limits import Limits
from ._receiving import Receiver
from ._sending import Sender

if TYPE_CHECKING:
    from ._messages import Event, Outgoing
    from ._methods import Role
    from ._states import State

__all__ = ["Connection"]


class Connection:
    """One side of the protocol.

    Args:
        role: which side we are.
        limits: what we accept; a plugin sends no more than the host announced in `initialize`.
    """

    def __init__(self, role: Role, *, limits: Limits | None = None) -> None:
        self.role = role
        self.limits = limits or Limits()
        self._ledger = Ledger(role, self.limits)
        self._sender = Sender(self._ledger)
        self._receiver = Receiver(self._ledger)

    def next_id(self) -> str:
        """Give the id for the next request; it stays the same until that request is sent."""
        return self._sender.next_id()

    def send(self, message: Outgoing) -> bytes:
        """Turn a message into the bytes to write, and note that it was sent.

        Returns:
            one line; write all of it, in the order of the send() calls.

        Raises:
            NoCredit: the items do not fit the credit left.
            TooLarge: the line is longer than the peer accepts.
            Unencodable: a value has no JSON form.
            LocalError: the message is not allowed now.
        """
        return self._sender.send(message)

    def receive(self, chunk: bytes) -> None:
        """Add bytes as they were read; empty bytes mean that the peer closed its end."""
        self._receiver.receive(chunk)

    def next_event(self) -> Event:
        """Give the next thing that the peer did.

        Returns:
            a message; NEED_DATA when more bytes are needed; CLOSED after the end of the stream.

        Raises:
            RemoteError: the peer broke the protocol beyond repair. Any other exception is a bug.
        """
        return self._receiver.next_event()

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._ledger.state

    @property
    def ignored(self) -> int:
        """How many messages were ignored."""
        return self._receiver.ignored

    @property
    def junk_lines(self) -> int:
        """How many lines were no messages."""
        return self._receiver.junk_lines

    def credit_left(self, call_id: str) -> int:
        """How many bytes of data lines the callee may still send for this call; 0 when it is not open."""
        call = self._ledger.calls.get(call_id)
        return call.answer.credit if call is not None and call.answer is not None else 0

    def input_credit_left(self, call_id: str) -> int:
        """How many bytes of data lines the caller may still send for this call; 0 when it is not open."""
        call = self._ledger.calls.get(call_id)
        return call.input.credit if call is not None and call.input is not None else 0

    def is_live(self, call_id: str) -> bool:
        """Whether the call is open and was not cancelled."""
        return self._ledger.is_live(call_id)

    def open_calls(self, *, mine: bool | None = None, parent: str | None = None) -> list[str]:
        """List the ids of calls that have no response yet, oldest first.

        Args:
            mine: only those that we made (True) or that the peer made (False).
            parent: only those made on behalf of this call.
        """
        return [
            call.id
            for call in self._ledger.calls.values()
            if (mine is None or call.mine is mine) and (parent is None or call.parent == parent)
        ]
