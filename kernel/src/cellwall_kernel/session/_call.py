"""One call to a plugin: its items, the credit for them, the limits of patience, and exactly one outcome."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import anyio

from cellwall_kernel.errors import CellwallError, DeadlineExceeded
from cellwall_kernel.process import unsendable
from cellwall_kernel.session._deadline import CANCEL_GRACE_S, STOP_S, Deadline
from cellwall_wire import LocalError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Generator
    from types import TracebackType

    from cellwall_kernel.session._alarm import Alarm
    from cellwall_kernel.session._calls import Calls
    from cellwall_kernel.session._outflow import Outflow
    from cellwall_kernel.session._services import ServiceCall
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

    A call whose input streams takes it by `feed` and `end_input`, from one task, while another one iterates.

    Attributes:
        id: on the wire.
        method: what was called.
        origin: the plugin's call that this one is made for; None for the user's own.
        depth: 1 for the user's own call, one more for each call that it is nested in.
        cancelled: the reason if it was cancelled, else None.
        progress: the plugin's last word on how far it is.
    """

    def __init__(
        self,
        calls: Calls,
        call_id: str,
        method: str,
        deadline: Deadline,
        *,
        window: int,
        alarm: Alarm,
        origin: ServiceCall | None = None,
        input_: Outflow | None = None,
    ) -> None:
        self.id = call_id
        self.method = method
        self.origin = origin
        self.depth = 1 if origin is None else origin.depth + 1
        self.cancelled: str | None = None
        self.progress: Progress | None = None
        self._calls = calls
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
        self._expired: CellwallError | None = None
        self._input = input_
        self._is_feeding = False
        self._pauses = 0
        self._paused_at = 0.0

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
        self._tell()
        self._calls.cancel(self, reason)

    def remaining_s(self) -> float:
        """Return how much of its time in all is left, in seconds; at least 0."""
        now = self._paused_at if self._pauses else anyio.current_time()
        return max(0.0, self._began + self._deadline.total_s - now)

    @contextmanager
    def paused(self) -> Generator[None]:
        """Stop the clock of the call, as long as somebody else than the plugin is waited for."""
        if not self._pauses:
            self._paused_at = anyio.current_time()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                lost = anyio.current_time() - self._paused_at
                self._began += lost
                self._heard += lost
                self._tell()

    async def feed(self, items: list[Any]) -> None:
        """Send items of the input; waits for the plugin's credit, and for it to read.

        Once the call is answered or cancelled nobody wants them any more, and they are dropped.

        Raises:
            DeadlineExceeded: the plugin took too long.
            CallFailed: an item cannot be sent.
            PluginError: the call failed.
        """
        if items:
            await self._send(list(items), end=False)

    async def end_input(self) -> None:
        """Send the end of the input; raises as `feed`."""
        await self._send([], end=True)

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
        self._error = self._expired or error
        self._result = None if self._error is not None else result
        self._tell()
        if self._done is not None:
            self._done.set()

    def note_credit(self) -> None:
        """Note that the plugin takes more of the input, which is a sign of life."""
        self._heard = anyio.current_time()
        if self._input is not None:
            self._input.tell()

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
            await self._be_patient(self._news)

    async def _be_patient(self, news: Future[None]) -> None:
        """Wait for news of the call, but not longer than its limits allow."""
        limit = self._next_limit()[0]
        if limit == math.inf:
            await news
            return
        await self._alarm.wait(news, limit)
        limit, name = self._next_limit()  # a sign of life may have moved it
        if not self._is_done and anyio.current_time() >= limit:
            await self._expire(name)

    async def _send(self, rest: list[Any], *, end: bool) -> None:
        if self._input is None:
            raise RuntimeError(f"{self.method} takes no input")
        self._is_feeding = True
        self._heard = anyio.current_time()  # the plugin is not to blame for the time that the caller took
        try:
            while not self._is_done and self.cancelled is None and not self._pushed(rest, end=end):
                await self._be_patient(self._input.news())
        finally:
            self._is_feeding = False
            self._heard = anyio.current_time()
            self._tell()  # another limit holds from now on
        if self.cancelled is not None and not self._is_done:
            await self._end_of_cancelled()
        if end:
            self._input = None
        if self._error is not None:
            raise self._error

    def _pushed(self, rest: list[Any], *, end: bool) -> bool:
        if self._input is None:
            return True
        try:
            return self._input.push(rest, end=end)
        except LocalError as error:
            raise unsendable(self._calls.plugin, error) from error

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        if self._input is not None:
            self._input.tell()

    def _lacks_news(self) -> bool:
        return not self._items and not self._is_done

    def _next_limit(self) -> tuple[float, str]:
        limits = self._deadline
        if self._pauses:
            return math.inf, ""
        total = self._began + limits.total_s, "total"
        silence = limits.idle_s if self._has_items else limits.first_s
        owes_input = self._input is not None and not self._is_feeding
        if silence is None or self.cancelled is not None or owes_input or self._items:
            return total
        return min(total, (self._heard + silence, "idle" if self._has_items else "first"))

    async def _expire(self, name: str) -> None:
        plugin, deadline = self._calls.plugin, self._deadline
        advice = deadline.advice(_DEADLINES.get(self.method, name), plugin)
        self._expired = DeadlineExceeded(
            f"plugin '{plugin}' did not finish {_spoken(self.method)} {deadline.words(name)}{advice}",
            detail=self._calls.last_lines(),
        )
        self.cancel("deadline")
        await self._end_of_cancelled()
        self._items = []

    async def _end_of_cancelled(self) -> None:
        with anyio.CancelScope(shield=True):
            is_limited = math.isfinite(self._deadline.total_s)  # else it is attached, and nobody presses it
            # The session settles it before that.
            await self.done_within(CANCEL_GRACE_S + STOP_S if is_limited else math.inf)
        self.settle()

    def _give_credit(self) -> None:
        if not self._is_done and self.cancelled is None and self._taken * 2 >= self._window:
            self._calls.grant(self, self._taken)
            self._taken = 0


_DEADLINES = {"initialize": "start", "plugin/describe": "describe"}
"""Methods whose total time has a name of its own."""


def _spoken(method: str) -> str:
    words = {"model/prompt": "its answer", "initialize": "loading", "plugin/describe": "describing itself"}
    return words.get(method, f"'{method}'")
