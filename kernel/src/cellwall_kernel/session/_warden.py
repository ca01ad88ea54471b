"""The warden: hears that a cell's wall stands, serves its listed hosts, and notes what was tried in vain.

What comes over the channel after the first message are hints from inside the cell. A plugin could forge them:
they become words for the user and nothing else, few and short.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.session._attempts import refusal_of

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from cellwall_kernel.permissions import Refusal
    from cellwall_kernel.wall import Wall

__all__ = ["MOST_REFUSALS", "Warden"]

STANDS = b"walled"
"""What a cell says when its wall stands; see `cellwall_kernel.cell.wall`."""

MESSAGE_BYTES = 4096
MOST_REFUSALS = 20
"""How many different attempts are told; a plugin that tries more is understood."""

MOST_HANDED = 2
"""How many descriptors a cell hands over at most."""


class Warden:
    """Attends to one wall.

    Args:
        plugin: the plugin's name.
        wall: what was raised for its child; the warden closes what the host kept of it.

    Attributes:
        refusals: what the plugin tried in vain, in the order of the first attempts.
    """

    def __init__(self, plugin: str, wall: Wall) -> None:
        self.refusals: list[Refusal] = []
        self._plugin = plugin
        self._wall = wall
        self._channel = socket.socket(fileno=wall.report)
        self._stands = False
        self._handed: list[int] = []
        self._has_spoken = anyio.Event()

    @property
    def stands(self) -> bool:
        """Whether the cell has said that its wall stands; it says so before it answers anything."""
        if not self._stands:
            self._receive()
        return self._stands

    async def attend(self) -> None:
        """Serve until the cell has gone; cancel it then."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._serve_handed, tasks)
                while await self._next_message():
                    continue
                self._has_spoken.set()  # nothing more will be handed over
        finally:
            self.close()

    def close(self) -> None:
        """Hear what is left to hear, and let go of everything that is still held."""
        if self._channel.fileno() >= 0:
            while self._stands and len(self.refusals) < MOST_REFUSALS and self._has_more():
                continue
            self._channel.close()
        for fd in self._handed:
            os.close(fd)
        self._handed.clear()
        if self._wall.listener is not None:
            os.close(self._wall.listener)
            self._wall.listener = None

    def note(self, refusal: Refusal) -> None:
        """Note an attempt, once."""
        if refusal not in self.refusals and len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(refusal)

    async def _next_message(self) -> bool:
        await anyio.wait_readable(self._channel)
        return self._receive()

    def _has_more(self) -> bool:
        """Take a message that is there already; returns whether there was one."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        return bool(poll.poll(0)) and self._receive()

    def _receive(self) -> bool:
        """Take a message that is in the channel; returns whether more can come."""
        try:
            message, rights, _, _ = self._channel.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(MOST_HANDED * 4))
        except BlockingIOError:
            return True
        except OSError:
            return False
        handed = _descriptors(rights)
        if self._stands or message != STANDS:
            for fd in handed:
                os.close(fd)
            if message:
                self._take_hint(message)
            return bool(message)
        self._stands = True
        self._handed = handed
        self._has_spoken.set()
        return True

    def _take_hint(self, message: bytes) -> None:
        with suppress(ValueError):
            refusal = refusal_of(message, self._wall.plan.policy)
            if refusal is not None:
                self.note(refusal)

    async def _serve_handed(self, tasks: TaskGroup) -> None:
        """Serve what the cell has handed over with its first message, whoever was the one to read that."""
        await self._has_spoken.wait()
        if not self._handed:
            return
        (handed,) = self._handed
        self._handed.clear()
        if self._wall.plan.policy.network == "none":
            await _give_sockets(handed, self._wall.plan.policy.own[-1])
        else:
            self._serve_hosts(tasks, handed)

    def _serve_hosts(self, tasks: TaskGroup, handed: int) -> None:
        """Begin to serve listed hosts."""
        from cellwall_kernel.network import Broker, Proxy

        hosts = self._wall.plan.policy.hosts
        if self._wall.listener is None:  # the cell has a network of its own, and this is its end of it
            proxy = Proxy(self._plugin, hosts, on_refused=self.note)
            tasks.start_soon(proxy.serve, socket.socket(fileno=handed))
            return
        proxy = Proxy(self._plugin, hosts, on_refused=self.note, by_invitation=True)
        tasks.start_soon(proxy.serve, socket.socket(fileno=self._wall.listener))
        self._wall.listener = None
        broker = Broker(handed, proxy, self._wall.port, on_refused=self.note)
        tasks.start_soon(broker.run)


async def _give_sockets(notify_fd: int, folder: str) -> None:
    """Wait until a plugin without a network wants to listen, which few do, and see to it."""
    try:
        await anyio.wait_readable(notify_fd)
        poll = select.poll()
        poll.register(notify_fd, select.POLLIN)
        is_wanted = any(events & select.POLLIN for _, events in poll.poll(0))
    except BaseException:
        os.close(notify_fd)
        raise
    if not is_wanted:  # it has ended
        os.close(notify_fd)
        return
    from cellwall_kernel.network import Binder

    await Binder(notify_fd, folder).run()


def _descriptors(rights: list[tuple[int, int, bytes]]) -> list[int]:
    """List the descriptors that came with a message; they are ours from now on."""
    wanted = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    packed = b"".join(data[: len(data) // 4 * 4] for level, kind, data in rights if (level, kind) == wanted)
    return [fd for (fd,) in struct.iter_unpack("i", packed)]
