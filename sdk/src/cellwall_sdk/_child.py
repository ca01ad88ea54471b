"""The plugin's process: two pipes, a reader thread, signals, and the way out.

The bootstrap has moved the wire away from descriptors 0 and 1 before this module is imported. Author's code
runs on the main thread only. The reader is a daemon thread that never runs it, so that a cancel, a ping and
the death of the host are noticed whatever the author does.

The ways out. The host closes our input: an idle plugin returns from run() and ends as any Python program
does; a busy one has its call cancelled. Either has a second, then the reader ends the process. The author's
own `os._exit` or a crash is the author's business and the host's to report.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
from threading import Thread, main_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from cellwall_wire import Connection, Role

from ._link import Link, PipeOutput
from ._session import Session
from .errors import Cancelled

if TYPE_CHECKING:
    from ._load import Plugin

__all__ = ["Reader", "load", "run", "unbuffer"]

READ_BYTES = 65_536
"""As much as a pipe holds."""

NOTICE_S = 0.25
"""How long a cancelled call may take to notice by itself before it is interrupted by a signal, in seconds."""

REPEAT_S = 1.0
"""After how long the signal is repeated, for code that swallowed the first one, in seconds."""

EXIT_S = 1.0
"""How long the process may take to end once the host has closed our input, in seconds."""

EXIT_IDLE = 0
"""The exit code when only the author's threads or clean-up kept the process."""

EXIT_BUSY = 1
"""The exit code when a call did not end."""

EXIT_SOFTWARE = 70
"""The exit code after a mistake in this module; EX_SOFTWARE of sysexits.h."""

EXIT_PROTOCOL = 76
"""The exit code when the host broke the protocol; EX_PROTOCOL of sysexits.h."""


def run(target: str, read_fd: int, write_fd: int) -> None:
    """Be the plugin until the host closes our input.

    Args:
        target: the entry point's value, "module" or "module:attribute".
        read_fd: where the host writes.
        write_fd: where the host reads.

    Raises:
        SystemExit: the host broke the protocol.
    """
    link = Link(Connection(Role.PLUGIN), PipeOutput(write_fd))
    session = Session(link, lambda: load(target))
    signal.signal(signal.SIGINT, lambda _number, _frame: _interrupt(session))
    faulthandler.enable(all_threads=False)  # a crash in a library leaves file and line in the log
    unbuffer()
    os.register_at_fork(after_in_child=lambda: _leave_wire(session, read_fd, write_fd))
    reader = Reader(session, link, read_fd, write_fd)
    Thread(target=reader.run, name="cellwall-reader", daemon=True).start()
    session.serve()
    if session.broken:
        sys.exit(EXIT_PROTOCOL)


def _leave_wire(session: Session, *fds: int) -> None:
    """In a copy of this process, let go of the wire, so that its end is seen when we are gone."""
    session.forked()
    for fd in fds:
        os.close(fd)


def load(target: str) -> Plugin:
    """Import the plugin; see `load_plugin`."""
    from ._load import load_plugin

    return load_plugin(target)


def unbuffer() -> None:
    """Let what the plugin prints reach the log line by line, even when it dies the next moment."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def _interrupt(session: Session) -> None:
    """Handle SIGINT on the main thread: end a cancelled call, or what else the author's code is doing."""
    call = session.current
    if call is None or not call.interruptible:
        return
    if call.interrupts_task is not None and not call.interrupts_task():
        return  # the event loop itself is at work, and its task has been cancelled already
    if call.cancelled:
        raise Cancelled(call.reason)
    raise KeyboardInterrupt


class Reader:
    """Reads what the host sends, for as long as the process lives.

    Args:
        session: takes it in.
        link: what it could not write because the pipe was full.
        read_fd: where to read.
        write_fd: where the link writes.
    """

    def __init__(self, session: Session, link: Link, read_fd: int, write_fd: int) -> None:
        self._session = session
        self._link = link
        self._fd = read_fd
        self._input = select.poll()
        self._input.register(read_fd, select.POLLIN)
        self._both = select.poll()
        self._both.register(read_fd, select.POLLIN)
        self._both.register(write_fd, select.POLLOUT)
        self._signal_at: float | None = None

    def run(self) -> None:
        """Read until the end, then see to it that the process ends, too."""
        try:
            while not self._session.closed:
                if self._is_readable():
                    self._session.feed(self._read())
                self.see_to_cancelled()
        except Exception:  # noqa: BLE001 - a mistake of ours: a plugin that is deaf is worse than a dead one
            from traceback import print_exc

            print_exc()
            os._exit(EXIT_SOFTWARE)
        self.leave()

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, READ_BYTES)
        except OSError:
            return b""  # the author's code has closed what is not its own

    def _is_readable(self) -> bool:
        """Wait for bytes, or until there is something else to do."""
        flushed = self._link.flush()
        if flushed and self._signal_at is None:
            return True  # there is nothing else to do than to wait in read()
        timeout_ms = None
        if self._signal_at is not None:
            timeout_ms = max(0, round((self._signal_at - monotonic()) * 1000)) + 1
        ready = (self._input if flushed else self._both).poll(timeout_ms)
        return any(fd == self._fd for fd, _ in ready)

    def see_to_cancelled(self) -> None:
        """Interrupt a cancelled call that takes no notice."""
        call = self._session.current
        if call is None or not call.cancelled or call.noticed:
            self._signal_at = None
        elif self._signal_at is None:
            self._signal_at = monotonic() + NOTICE_S
        elif monotonic() >= self._signal_at:
            self._signal_at = monotonic() + REPEAT_S
            _signal_main_thread()

    def leave(self) -> None:
        """Give the main thread a second to end, its clean-up included."""
        deadline = monotonic() + EXIT_S
        while (left := deadline - monotonic()) > 0:
            self.see_to_cancelled()
            sleep(left if self._signal_at is None else min(left, max(0.001, self._signal_at - monotonic())))
        code = EXIT_IDLE if self._session.current is None else EXIT_BUSY
        # Neither the author's threads nor their clean-up get another turn.
        os._exit(EXIT_PROTOCOL if self._session.broken else code)


def _signal_main_thread() -> None:
    ident = main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)
