"""One timer for all waits of a session: calls come and go in microseconds, a timer for each costs as much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future, TimerHandle

__all__ = ["Alarm"]


class Alarm:
    """Wakes those who have waited long enough.

    The timer is set for the earliest end that was ever asked for. When it goes off and that wait is long
    over, as it mostly is, it is set again for the earliest that is left; so a call that is answered in time
    sets no timer and takes none back.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waits: dict[Future[None], float] = {}
        self._timer: TimerHandle | None = None

    def future(self) -> Future[None]:
        """Make what `wait` waits for; whoever has news sets it."""
        return self._loop.create_future()

    async def wait(self, news: Future[None], until: float) -> None:
        """Wait for news, or until a time; the caller looks which it was.

        Args:
            news: made by `future`.
            until: on the event loop's clock, in seconds.
        """
        if self._timer is None or until < self._timer.when():
            self._set(until)
        self._waits[news] = until
        try:
            await news
        finally:
            del self._waits[news]

    def stop(self) -> None:
        """Take the timer back; nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, when: float) -> None:
        self.stop()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        for news, until in self._waits.items():
            if until <= now and not news.done():
                news.set_result(None)
        left = [until for news, until in self._waits.items() if not news.done()]
        if left:
            self._set(min(left))
