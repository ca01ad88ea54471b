"""The connection and the pipe behind it, for several threads.

Two threads write. The one that runs the author's code calls send() and waits while the pipe is full. The
reader calls post() and never waits, for while it waits nobody hears a cancel: what the pipe does not take
stays in a queue, and whoever writes next takes the queue along first. A line's bytes therefore leave in the
order in which the connection numbered them.

Locks, in the order they are taken: `_order` (whose turn it is to write), then `_lock` (the connection's
state).
"""

from __future__ import annotations

import os
import select
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from cellwall_wire import CLOSED, NEED_DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwall_wire import Connection, Event, Outgoing, Request

__all__ = ["Link", "PipeOutput"]

ATOMIC_BYTES = 4096
"""How much a pipe that polls as writable takes without blocking (POSIX PIPE_BUF on Linux)."""


class Output(Protocol):
    """Where lines go."""

    def write(self, data: bytes) -> None:
        """Write all of it, waiting as long as it takes."""
        ...

    def write_some(self, data: bytes) -> bytes:
        """Write what can be written without waiting, and give back the rest."""
        ...


class PipeOutput:
    """The writing end of a pipe.

    Args:
        fd: its descriptor, in blocking mode.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes) -> None:
        """Write all of it, waiting as long as it takes."""
        while True:
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:  # whoever holds the other end of a shared descriptor made it so
                self._poll.poll()
                continue
            if written == len(data):
                return
            data = data[written:]

    def write_some(self, data: bytes) -> bytes:
        """Write what can be written without waiting, and give back the rest."""
        while data and self._poll.poll(0):
            data = data[os.write(self._fd, data[:ATOMIC_BYTES]) :]
        return data


class Link:
    """One side of the protocol, usable from any thread.

    Args:
        connection: the protocol's state.
        output: where its lines go.

    Attributes:
        gone: the other side no longer reads; what is sent is dropped.
        on_gone: called when that is found out.
    """

    def __init__(self, connection: Connection, output: Output) -> None:
        self.gone = False
        self.on_gone: Callable[[], None] = _nothing
        self._connection = connection
        self._output = output
        self._lock = Lock()
        self._order = Lock()
        self._posted: deque[bytes] = deque()

    def send(self, message: Outgoing) -> None:
        """Send a message, waiting while the pipe is full.

        Raises:
            LocalError: the protocol forbids it now; NoCredit and TooLarge among others.
        """
        try:
            with self._order:
                with self._lock:
                    line = self._connection.send(message)
                self._write(line)
        finally:
            if self._posted:  # the reader may have found the lock taken, even if all we got was an exception
                self.flush()

    def send_later(self, message: Outgoing) -> None:
        """Send a message together with the one that follows; for what is sure to be followed at once.

        Raises:
            LocalError: as send().
        """
        with self._lock:
            self._posted.append(self._connection.send(message))

    def request(self, make: Callable[[str], Request]) -> str:
        """Send a request with the next free id.

        Args:
            make: makes the request, given its id.

        Returns:
            the id.
        """
        try:
            with self._order:
                with self._lock:
                    request = make(self._connection.next_id())
                    line = self._connection.send(request)
                self._write(line)
        finally:
            if self._posted:
                self.flush()
        return request.id

    def post(self, message: Outgoing) -> None:
        """Send a message without ever waiting; for the reader.

        Raises:
            LocalError: as send().
        """
        with self._lock:
            self._posted.append(self._connection.send(message))
        self.flush()

    def flush(self) -> bool:
        """Write what was posted, as far as the pipe takes it.

        Returns:
            whether everything has been written or is being taken care of by the thread that writes now.
        """
        # A thread that finds the lock taken may leave: its line is queued, and the holder looks again after
        # letting go.
        while self._posted and self._order.acquire(blocking=False):
            try:
                if not self._write_posted():
                    return False
            finally:
                self._order.release()
        return True

    def events(self, chunk: bytes) -> Iterator[Event]:
        """Feed bytes as they were read and give what they say; b"" at the end of the stream.

        Raises:
            RemoteError: the other side broke the protocol beyond repair.
        """
        with self._lock:
            self._connection.receive(chunk)
        while True:
            with self._lock:
                event = self._connection.next_event()
            if event is NEED_DATA:
                return
            yield event
            if event is CLOSED:
                return

    def abandon(self) -> None:
        """Never write again: this process is a copy, and its locks are as they were when it was made."""
        self.gone = True
        self._lock, self._order = Lock(), Lock()
        self._posted.clear()

    def _write(self, line: bytes) -> None:
        """Write a line behind what was posted before it; the caller holds `_order`."""
        if self.gone:
            return
        if self._posted:
            pieces = [self._posted.popleft() for _ in range(len(self._posted))]
            line = b"".join([*pieces, line])
        try:
            self._output.write(line)
        except OSError:
            self._lose()

    def _write_posted(self) -> bool:
        """Write posted lines without waiting; the caller holds `_order`."""
        if self.gone:
            self._posted.clear()
        try:
            while self._posted:
                rest = self._output.write_some(self._posted[0])
                if rest:
                    self._posted[0] = rest
                    return False
                self._posted.popleft()
        except OSError:
            self._lose()
        return True

    def _lose(self) -> None:
        self.gone = True
        self._posted.clear()
        self.on_gone()


def _nothing() -> None:
    pass
