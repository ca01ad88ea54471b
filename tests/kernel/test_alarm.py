"""One timer for many waits: each ends in its own time, and news ends it earlier."""

from __future__ import annotations

import anyio
import pytest

from cellwall_kernel.session._alarm import Alarm

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0


async def test_waits_end_in_the_order_of_their_limits_and_never_early() -> None:
    """A later call may have less time than one that waits already."""
    alarm = Alarm()
    began = anyio.current_time()
    ended: list[float] = []

    async def wait(limit_s: float) -> None:
        await alarm.wait(alarm.future(), began + limit_s)
        assert anyio.current_time() >= began + limit_s
        ended.append(limit_s)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            for limit_s in (0.06, 0.02, 0.04):
                tasks.start_soon(wait, limit_s)

    assert ended == [0.02, 0.04, 0.06]


async def test_a_timer_that_was_set_for_an_answered_call_disturbs_no_other() -> None:
    """It goes off, finds that its call is long over, and is set for the next one."""
    alarm = Alarm()
    news = alarm.future()
    news.set_result(None)
    await alarm.wait(news, anyio.current_time() + 0.01)
    limit = anyio.current_time() + 0.03

    with anyio.fail_after(PATIENCE_S):
        await alarm.wait(alarm.future(), limit)

    assert anyio.current_time() >= limit


async def test_a_limit_in_the_past_ends_the_wait_at_once() -> None:
    """The time may have run out while the caller was busy."""
    alarm = Alarm()
    with anyio.fail_after(PATIENCE_S):
        await alarm.wait(alarm.future(), anyio.current_time() - 1)


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    """Whoever waited may be gone when the timer goes off."""
    alarm = Alarm()
    with anyio.move_on_after(0):
        await alarm.wait(alarm.future(), anyio.current_time() + 0.01)

    assert not alarm._waits
    alarm.stop()
    assert alarm._timer is None
