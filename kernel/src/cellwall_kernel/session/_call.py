"""One call to a plugin: its items, the credit for them, the limits of patience, and exactly one outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import anyio

from cellwall_kernel.errors import CellwallError, DeadlineExceeded
from cellwall_kernel.session._deadline import CANCEL_GRACE_S, STOP_S, Deadline

if TYPE_CHECKING:
    from asyncio import Future
    from types import TracebackType

    from cellwall_kernel.session._alarm import Alarm
    from cellwall_kernel.session._session import Session
    from cellwall_wire import Progress

__all__ = ["Call"]


class Call:
    """An open call; an async context manager and an async iterator of lists of items.

        async with session.open("model/prompt", params, deadline=Deadline()) as call:
            async for items in call:
                ...
        call.result

    Each list holds all that had arrived. Coming back for the next one is what gives the plugin new credit for
    the last, so a consumer that stops reading stops the plugin, at a bounded amount. Leaving the block early
    cancels the call and sees to it that it ends.

    Attributes:
        id: on the wire.
        method: what was called.
        cancelled: the reason if it was cancelled, else None.
        progress: the plugin's last word on how far it is.
    """

    def __init__(
        self, session: Session, call_id: str, method: str, deadline: Deadline, *, window: int, alarm: Alarm
    ) -> None:
        self.id = call_id
        self.method = method
        self.cancelled: str | None = None
        self.progress: Progress | None = None
        self._session = session
        self._deadline = deadline
        self._window = window
        self._alarm = alarm
        self._items: list[Any] = []
        self._cost = 0
        self._taken = 0
        self._result: Any = None
        self._error: CellwallError | None = None
        self._is_done = False
        self._news: Future[None] | None = None  # made by who waits
        self._done: anyio.Event | None = None  # likewise
        self._began = self._heard = anyio.current_time()
        self._has_items = False

    # -- for who called --------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether the outcome is known; items may still wait to be taken."""
        return self._is_done

    @property
    def result(self) -> Any:
        """The result, of the method's type; None if the call was cancelled and answered so.

        Raises:
            RuntimeError: the call is not done yet.
            CellwallError: the call failed.
        """
        if not self._is_done:
            raise RuntimeError(f"{self.method} is not done")
        if self._error is not None:
            raise self._error
        return self._result

    def cancel(self, reason: str = "") -> None:
        """Tell the plugin that the answer is no longer wanted; go on iterating to see how it ends.

        A plugin that has not answered after a grace of CANCEL_GRACE_S seconds is stopped.
        """
        if self._is_done or self.cancelled is not None:
            return
        self.cancelled = reason or "cancelled"
        self._session.cancel_call(self, reason)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        """Return all items that have arrived since, at least one.

        Raises:
            DeadlineExceeded: the plugin took too long.
            PluginError: it failed, crashed or broke the protocol.
        """
        if self._taken:
            self._give_credit()
        if self._lacks_news():
            await self._wait()
        if self._items:
            items, self._items = self._items, []
            self._taken += self._cost
            self._cost = 0
            return items
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def finish(self) -> Any:
        """Wait for the end, dropping items, and return the result."""
        async for _ in self:
            pass
        return self.result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_done:
            self.cancel("the caller left")
            await self._end_of_cancelled()

    # -- for the session -------------------------------------------------------------------------------------

    def add(self, items: list[Any], cost: int) -> None:
        """Take items that arrived."""
        if self._items:
            self._items += items
        else:
            self._items = items
            self._tell()
        self._cost += cost
        self._has_items = True

    def note_progress(self, progress: Progress) -> None:
        """Take a sign of life: it renews the limits on silence, never the total one."""
        self.progress = progress
        self._heard = anyio.current_time()

    def settle(self, result: Any = None, error: CellwallError | None = None) -> None:
        """Decide the outcome; the first decision stands."""
        if self._is_done:
            return
        self._is_done = True
        self._result, self._error = result, error
        self._tell()
        if self._done is not None:
            self._done.set()

    async def done_within(self, patience_s: float) -> bool:
        """Wait for the outcome for at most `patience_s` seconds; whether it is known."""
        if not self._is_done:
            self._done = self._done or anyio.Event()
            with anyio.move_on_after(patience_s):
                await self._done.wait()
        return self._is_done

    # -- waiting ---------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Wait for an item or the outcome; the limits of patience are kept here and nowhere else."""
        if self._has_items:
            self._heard = anyio.current_time()  # the plugin is not to blame for the time that the caller took
        while self._lacks_news():
            self._news = self._alarm.future()
            await self._alarm.wait(self._news, self._next_limit()[0])
            limit, what = self._next_limit()  # a sign of life may have moved it
            if self._lacks_news() and anyio.current_time() >= limit:
                await self._expire(what)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _lacks_news(self) -> bool:
        return not self._items and not self._is_done

    def _next_limit(self) -> tuple[float, str]:
        limits = self._deadline
        total = self._began + limits.total_s, f"within {limits.total_s:g} s"
        silence = limits.idle_s if self._has_items else limits.first_s
        if silence is None or self.cancelled is not None:
            return total
        what = "nothing more" if self._has_items else "nothing"
        return min(total, (self._heard + silence, f"and sent {what} for {silence:g} s"))

    async def _expire(self, what: str) -> None:
        error = DeadlineExceeded(
            f"plugin '{self._session.plugin}' did not finish {_spoken(self.method)} {what}.",
            detail=self._session.last_lines(),
        )
        self.cancel("deadline")
        await self._end_of_cancelled()
        self._items, self._result, self._error = [], None, error

    async def _end_of_cancelled(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.done_within(CANCEL_GRACE_S + STOP_S)  # the session settles it before that
        self.settle()

    def _give_credit(self) -> None:
        if not self._is_done and self.cancelled is None and self._taken * 2 >= self._window:
            self._session.grant(self, self._taken)
            self._taken = 0


def _spoken(method: str) -> str:
    words = {"model/prompt": "its answer", "initialize": "loading", "plugin/describe": "describing itself"}
    return words.get(method, f"'{method}'")
