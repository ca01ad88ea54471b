"""One call of the host while it runs: was it cancelled, what does it wait for, may it be interrupted?

Cancelling reaches the author's code in three ways, the gentlest first. `response.cancelled` and `on_cancel`
callbacks tell those who ask. The next thing that is sent raises Cancelled. Code that does neither, because it
sleeps or waits for a server, is interrupted by a signal; `interruptible` says when that does no harm: while
the author's code runs, and not while the SDK holds a lock or writes half a line.
"""

from __future__ import annotations

from threading import Event, Lock, Thread, get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cellwall_wire import Request

    from ._emit import Emitter
    from ._incoming import Incoming

__all__ = ["Call"]

_T = TypeVar("_T")


class Call:
    """A request of the host.

    Args:
        request: the request.

    Attributes:
        cancelled: the host no longer wants the answer.
        noticed: the call has ended, or is about to, so that no signal is needed any more.
        interruptible: a signal may raise Cancelled on the main thread now.
        interrupts_task: asks whether the author's coroutine runs at this moment; None for plain functions.
        emitter: what streams the answer.
        input: the items that the host sends for it; None for a method that takes none.
        nested: what comes for our own calls that were made on its behalf, by their ids.
    """

    def __init__(self, request: Request) -> None:
        self.id = request.id
        self.method = request.method
        self.params: Any = request.params
        self.cancelled = False
        self.reason = ""
        self.noticed = False
        self.interruptible = False
        self.interrupts_task: Callable[[], bool] | None = None
        self.emitter: Emitter | None = None
        self.input: Incoming | None = None
        self.nested: dict[str, Incoming] = {}
        self._thread = get_ident()
        self._awake = Event()
        self._lock = Lock()
        self._callbacks: list[Callable[[], Any]] = []
        self._on_wake: Callable[[], Any] | None = None
        self._on_cancel: Callable[[], Any] | None = None

    def begin(self) -> None:
        """Note that this thread runs the call."""
        self._thread = get_ident()

    def run_author(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call code of the author's, where a signal may interrupt it."""
        self.interruptible = True
        try:
            return function(*args)
        finally:
            self.interruptible = False

    def check(self) -> None:
        """Raise Cancelled if the host no longer wants the answer."""
        if self.cancelled:
            raise Cancelled(self.reason)

    # -- waiting ---------------------------------------------------------------------------------------------

    def doze(self) -> None:
        """Forget earlier reasons to wake up; look at what one waits for after this and before wait()."""
        self._awake.clear()

    def wait(self) -> None:
        """Wait until something happens to the call: credit, a cancel, the end of the connection."""
        self._awake.wait()

    def wake(self) -> None:
        """Wake up whoever waits."""
        self._awake.set()
        if self._on_wake is not None:
            self._on_wake()

    def attach_loop(self, on_wake: Callable[[], Any] | None, on_cancel: Callable[[], Any] | None) -> None:
        """Tell an event loop, too, when the call wakes up or is cancelled; the reader calls both."""
        self._on_wake = on_wake
        self._on_cancel = on_cancel

    # -- cancelling ------------------------------------------------------------------------------------------

    def cancel(self, reason: str) -> None:
        """Note that the host no longer wants the answer; a second time changes nothing."""
        with self._lock:
            if self.cancelled:
                return
            self.reason = reason
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for incoming in (*self.nested.values(), self.input):
            if incoming is not None:
                incoming.arrived.set()
        if self._on_cancel is not None:
            self._on_cancel()
        self.wake()
        if callbacks:
            # Author's code never runs on the reader, which has to stay responsive.
            Thread(target=_run_all, args=(callbacks,), name="cellwall-on-cancel", daemon=True).start()

    def on_cancel(self, callback: Callable[[], Any]) -> None:
        """Call back once when the call is cancelled; at once if it is already."""
        with self._lock:
            if not self.cancelled:
                self._callbacks.append(callback)
                return
        callback()

    def shield(self) -> Shield:
        """Keep signals away while the SDK's own code runs on behalf of the author's."""
        return Shield(self)

    @property
    def runs_here(self) -> bool:
        """Whether this thread is the one that runs the call."""
        return get_ident() == self._thread


class Shield:
    """A context in which no signal interrupts; nested ones and those of other threads change nothing."""

    __slots__ = ("_call", "_lift")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lift = False

    def __enter__(self) -> None:
        self._lift = self._call.interruptible and self._call.runs_here
        if self._lift:
            self._call.interruptible = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lift:
            self._call.interruptible = True


def _run_all(callbacks: list[Callable[[], Any]]) -> None:
    for callback in callbacks:
        callback()
