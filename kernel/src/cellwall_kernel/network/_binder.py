"""The binder: gives a plugin without a network a socket that it may listen on and that nobody can reach.

Some libraries open a server whether it is wanted or not, and do not start without one. A plugin without a
network may make Unix sockets, and connect none. When it binds one, the filter asks here, and the plugin's
descriptor is replaced by a socket of ours, which is bound to a name that is gone before anybody could see it.
What the plugin wrote as the address is never looked at.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from cellwall_kernel.network._attending import attend
from cellwall_kernel.network._notices import put_descriptor

if TYPE_CHECKING:
    from cellwall_kernel.network._notices import Notice

__all__ = ["Binder"]

MOST_SOCKETS = 64
"""How many a plugin is given in all."""


class Binder:
    """Answers the notices of one plugin.

    Args:
        notify_fd: the filter's descriptor; it belongs to this object from now on.
        folder: a folder of the plugin's own, where a name exists for an instant.
    """

    def __init__(self, notify_fd: int, folder: str) -> None:
        self._notify_fd = notify_fd
        self._folder = folder
        self._given = 0

    async def run(self) -> None:
        """Answer notices until the plugin has gone, or until cancelled; then the descriptor is closed."""
        await attend(self._notify_fd, self._bind)

    def _bind(self, notice: Notice) -> int:
        if notice.call != "bind" or self._given >= MOST_SOCKETS:
            return errno.EPERM
        self._given += 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
            self._bind_nowhere(ours)
            put_descriptor(self._notify_fd, notice, ours.fileno(), notice.arguments[0] & 0xFFFFFFFF)
        return 0

    def _bind_nowhere(self, ours: socket.socket) -> None:
        """Bind a socket to a name and remove the name.

        The folder is the plugin's to change, but not its descriptor: whatever is put in its place, nothing
        outside of it is touched, and a name that exists already is refused.
        """
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        name = f".{os.urandom(8).hex()}"
        try:
            ours.bind(f"/proc/self/fd/{folder}/{name}")
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)
