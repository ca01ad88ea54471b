"""Starting a child, without an event loop: the host's own imports go on while the child begins to run."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec

from cellwall_kernel.errors import PluginBroken

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO

    from cellwall_kernel.launch import Launch
    from cellwall_kernel.process._greeting import Greeting

__all__ = ["Exit", "Spawned", "spawn"]

PRIVATE_UMASK = 0o077
"""What a plugin writes is for the user alone."""


class Exit(msgspec.Struct, frozen=True):
    """How a child ended.

    Args:
        status: its exit code, or minus the signal's number; None if it could not be made to end.
    """

    status: int | None

    @property
    def cause(self) -> str:
        """In words: "exit code 7", "signal SIGSEGV"."""
        if self.status is None:
            return "it cannot be ended"
        if self.status >= 0:
            return f"exit code {self.status}"
        try:
            return f"signal {signal.Signals(-self.status).name}"
        except ValueError:
            return f"signal {-self.status}"


class Spawned:
    """A child that runs and that nobody attends to yet; give it to `Child` inside an event loop.

    Should that never happen, the child goes with the host: its keeper notices.

    Attributes:
        plugin: the plugin's name.
        stdin: the descriptor to write to, non-blocking; likewise `stdout` and `stderr` to read from.
        pidfd: readable once the child has ended; None where the system has no such thing.
        greeting: the conversation, once `greet` has begun it.
    """

    def __init__(self, plugin: str, popen: subprocess.Popen[bytes]) -> None:
        self.plugin = plugin
        self._popen = popen
        files = [cast("FileIO", file) for file in (popen.stdin, popen.stdout, popen.stderr)]
        self.stdin, self.stdout, self.stderr = (_own(file) for file in files)
        self.pidfd = _pidfd(popen.pid)
        self.greeting: Greeting | None = None

    @property
    def pid(self) -> int:
        """The keeper's process id, also its group's and session's; it means something until `collect`."""
        return self._popen.pid

    @property
    def exit(self) -> Exit | None:
        """How it ended, once `collect` has found out."""
        status = self._popen.returncode
        return None if status is None else Exit(status)

    def greet(self, greeting: Greeting) -> None:
        """Say the first word, as far as the pipe takes it, which is mostly all of it; never waits.

        A child that no longer listens shows that by its end, to who attends to it.
        """
        try:
            written = os.write(self.stdin, greeting.unsent)
        except BlockingIOError:
            written = 0
        except OSError:
            written = len(greeting.unsent)
        self.greeting = msgspec.structs.replace(greeting, unsent=greeting.unsent[written:])

    def has_ended(self) -> bool:
        """Whether it has ended, without collecting it: its process id stays its own."""
        if self._popen.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return self._popen.poll() is not None
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        except ChildProcessError:
            return True

    def collect(self) -> None:
        """Take the end of a child that has ended, after killing what a murdered keeper left in its group."""
        self.signal_group(signal.SIGKILL)
        self._popen.poll()

    def signal_group(self, number: int) -> None:
        """Send a signal to the child, the plugin and what they started, except what has left the group."""
        self._send(os.killpg, number)

    def signal_keeper(self, number: int) -> None:
        """Send a signal to the child itself."""
        self._send(os.kill, number)

    def kill_now(self) -> None:
        """Have the keeper kill everything at once, and return; safe in a signal handler."""
        self.signal_keeper(signal.SIGCONT)
        self.signal_keeper(signal.SIGUSR1)

    def _send(self, send: Callable[[int, int], None], number: int) -> None:
        if self._popen.returncode is not None:
            return  # collected: the number may belong to a stranger by now
        with suppress(ProcessLookupError, PermissionError):  # nothing is left that could be signalled
            send(self.pid, number)


def spawn(launch: Launch) -> Spawned:
    """Start a child; only from the main thread, for it is told of the death of the *thread* that started it.

    Args:
        launch: what to start.

    Raises:
        PluginBroken: the system cannot start it.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("children are started by the main thread")
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(
            signal.SIGCHLD, signal.SIG_DFL
        )  # inherited from some daemons; no exit status would reach us
    try:
        popen = subprocess.Popen(
            launch.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=launch.cwd,
            env=launch.env,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
    except OSError as error:
        raise PluginBroken(
            launch.plugin,
            f"plugin '{launch.plugin}' cannot be started: {error.strerror or error} "
            f"({error.filename or launch.argv[0]}).",
        ) from error
    return Spawned(launch.plugin, popen)


def _own(file: FileIO) -> int:
    """Take the descriptor out of a file object, which would close it behind our back."""
    fd = os.dup(file.fileno())
    file.close()
    os.set_blocking(fd, False)
    return fd


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # a kernel before 5.3, or a container that forbids it
