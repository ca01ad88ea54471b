"""A plugin that somebody else has started: connected to, talked to, and let go of; never signalled or killed.

`Attached` and `AttachedChild` stand in for `Spawned` and `Child`. The connection is all there is: its end is
the end, there is no exit code, and what the plugin prints goes to the terminal that it was started in.
"""

# ruff: noqa: PTH116 - one look at a path, before any event loop

from __future__ import annotations

import errno
import math
import os
import socket
import stat
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.errors import NotFound, PluginError, UsageProblem
from cellwall_kernel.process._spawn import Exit, Spawned
from cellwall_kernel.process.child import CLOSE_S, Child

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.attaching import Attachment
    from cellwall_kernel.process._stderr import StderrLog

__all__ = ["Attached", "AttachedChild", "attach"]

LONGEST_PATH_BYTES = 107 if os.uname().sysname == "Linux" else 103
"""What fits into a socket's address, without its end."""

GONE = Exit(0)
"""What stands for the end: a connection has no exit code."""


class Attached(Spawned):
    """A plugin that is connected to and that nobody attends to yet; give it to `AttachedChild`.

    Args:
        plugin: its name.
        connection: it belongs to this object from now on.
    """

    is_attached = True

    def __init__(self, plugin: str, connection: socket.socket) -> None:  # nothing of a process is there
        self.plugin = plugin
        self.wall = None
        self.greeting = None
        self.tape = None
        self.pidfd = None
        self.stderr = -1
        self.is_over = False
        connection.setblocking(False)
        self._connection = connection.dup()  # to hang up with: the two below are closed by who uses them
        self.stdin = os.dup(connection.fileno())
        self.stdout = connection.detach()

    @property
    def pid(self) -> int:
        """Nobody's: there is nothing to signal."""
        return 0

    @property
    def exit(self) -> Exit | None:
        """Whether the connection has ended."""
        return GONE if self.is_over else None

    def has_ended(self) -> bool:
        """Whether the connection has ended."""
        return self.is_over

    def collect(self) -> None:
        """Let go of the connection."""
        self.is_over = True
        self._connection.close()

    def kill_now(self) -> None:
        """Hang up; the plugin goes on running. Safe in a signal handler."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def signal_group(self, number: int) -> None:
        """Do nothing: the process is its author's."""

    def signal_keeper(self, number: int) -> None:
        """Do nothing: it has none."""


class AttachedChild(Child):
    """A conversation with a plugin that somebody else has started, in an event loop.

    Args:
        attached: as `attach` gave it; it belongs to this object from now on.
        log: takes what stands on the wire and is no message.
    """

    is_attached = True

    def __init__(self, attached: Spawned, log: StderrLog) -> None:
        super().__init__(attached, log)
        self._has_hung_up = anyio.Event()

    async def attend(self) -> None:
        """Wait for the end of the connection."""
        await self._has_hung_up.wait()
        self._spawned.collect()
        if self._tape is not None:
            self._tape.ended("the connection is closed")
        self.log.close()
        self.close_stdin()
        self._ended.set()

    async def listen(self, take: Callable[[bytes], None]) -> None:
        """Hand over what the plugin writes; the end of that is the end."""
        try:
            await super().listen(take)
        finally:
            self._has_hung_up.set()

    async def stop(self, *, patience_s: float = CLOSE_S) -> Exit:  # noqa: ARG002 - nobody waits for anything
        """Close the connection, and leave the plugin to its author."""
        with anyio.CancelScope(shield=True):
            self.note("disconnected")
            self.kill_now()
            self._has_hung_up.set()
            await self.ends_within(math.inf)  # `attend` has nothing left to wait for
        return GONE


def attach(attachment: Attachment) -> Attached:
    """Connect to a plugin that waits.

    Raises:
        NotFound: nothing waits there.
        UsageProblem: it is no socket, or not of this user.
        PluginError: the system does not let us connect.
    """
    attachment.is_used = True
    plugin, path = attachment.plugin, attachment.socket
    _refuse_others(plugin, path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
        _refuse_strangers(plugin, path, connection)
    except BaseException as error:
        connection.close()
        if not isinstance(error, OSError):
            raise
        if error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK}:
            raise _not_there(plugin, path, "no program listens there any more") from error
        raise PluginError(
            plugin, f"plugin '{plugin}' cannot be attached to at {path}: {error.strerror or error}."
        ) from error
    attachment.connected()
    return Attached(plugin, connection)


def _refuse_others(plugin: str, path: str) -> None:
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        raise UsageProblem(
            f"plugin '{plugin}' cannot be attached to at {path}: a socket's path has at most "
            f"{LONGEST_PATH_BYTES} bytes; use a shorter one."
        )
    try:
        found = os.stat(path)
    except OSError as error:
        raise _not_there(plugin, path, f"{error.strerror}".lower()) from error
    if not stat.S_ISSOCK(found.st_mode):
        raise UsageProblem(f"plugin '{plugin}' cannot be attached to at {path}: it is not a socket.")
    if found.st_uid != os.geteuid():
        raise _foreign(plugin, path)


def _refuse_strangers(plugin: str, path: str, connection: socket.socket) -> None:
    """Look who listens: prompts and keys are not for another user's program."""
    if not hasattr(socket, "SO_PEERCRED"):
        return  # the owner of the socket has to do
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", packed)[1] != os.geteuid():
        raise _foreign(plugin, path)


def _foreign(plugin: str, path: str) -> UsageProblem:
    return UsageProblem(
        f"plugin '{plugin}' was not attached to: {path} is another user's, who would see your prompts."
    )


def _not_there(plugin: str, path: str, cause: str) -> NotFound:
    return NotFound(
        f"plugin '{plugin}' does not wait at {path} ({cause}); start it with "
        "'python -m cellwall_sdk --attach', and use the line that it prints."
    )
