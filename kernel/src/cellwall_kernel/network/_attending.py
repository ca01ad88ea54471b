"""Attending to a filter's notices: one at a time, until nobody is left behind the filter."""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from cellwall_kernel.network._notices import answer, receive

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.network._notices import Notice

__all__ = ["attend"]


async def attend(notify_fd: int, decide: Callable[[Notice], int]) -> None:
    """Answer notices until the plugin has gone, or until cancelled; then the descriptor is closed.

    Args:
        notify_fd: the filter's descriptor; it belongs to this function.
        decide: gets a notice and returns what the call returns, as a positive error number; 0 for success. It
            never waits; an OSError that it raises is the answer.
    """
    poll = select.poll()
    poll.register(notify_fd, select.POLLIN)
    try:
        while True:
            await anyio.wait_readable(notify_fd)
            events = dict(poll.poll(0)).get(notify_fd, 0)
            if events & select.POLLIN:
                _answer_next(notify_fd, decide)
            elif events:
                return  # nobody is left behind the filter
            await anyio.lowlevel.checkpoint()  # the proxy accepts, before there is more to accept
    finally:
        anyio.notify_closing(notify_fd)
        os.close(notify_fd)


def _answer_next(notify_fd: int, decide: Callable[[Notice], int]) -> None:
    """Take one notice and answer it; nothing in between waits."""
    notice = receive(notify_fd)
    if notice is None:
        return
    try:
        number = decide(notice)
    except OSError as error:
        number = error.errno or errno.EPERM
    answer(notify_fd, notice, number)
