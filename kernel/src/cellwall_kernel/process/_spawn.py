"""Starting a child, without an event loop: the host's own imports go on while the child begins to run."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

import msgspec

from cellwall_kernel.cell.system import prctl
from cellwall_kernel.errors import CellwallError, PluginBroken
from cellwall_kernel.wall import raise_wall

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from io import FileIO

    from cellwall_kernel.launch import Launch
    from cellwall_kernel.process._greeting import Greeting
    from cellwall_kernel.tracing._tape import Tape
    from cellwall_kernel.wall import Wall

__all__ = ["Exit", "Spawned", "spawn"]

PR_SET_DUMPABLE = 4

SIGNALLED = 128
"""What a shell, and bubblewrap, add to the number of the signal that ended a process."""

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
        wall: what stands around it; None if nothing does.
        greeting: the conversation, once `greet` has begun it.
        tape: records what is said; None if nobody wants a trace.
        is_attached: somebody else has started it; see `attached`.
    """

    is_attached = False

    def __init__(
        self, plugin: str, popen: subprocess.Popen[bytes], ends: tuple[int, int], wall: Wall | None = None
    ) -> None:
        self.plugin = plugin
        self.wall = wall
        self._popen = popen
        self.stdin, self.stdout = ends
        self.stderr = _own(cast("FileIO", popen.stderr))
        self.pidfd = _pidfd(popen.pid)
        self.greeting: Greeting | None = None
        self.tape: Tape | None = None

    @property
    def pid(self) -> int:
        """The keeper's process id, also its group's and session's; it means something until `collect`."""
        return self._popen.pid

    @property
    def exit(self) -> Exit | None:
        """How it ended, once `collect` has found out."""
        status = self._popen.returncode
        if status is not None and self._is_wrapped:
            status = _without_wrapping(status)
        return None if status is None else Exit(status)

    @property
    def _is_wrapped(self) -> bool:
        """Whether our child is bubblewrap, with the keeper inside."""
        return self.wall is not None and self.wall.plan.has_namespaces

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
        if self.tape is not None:
            self.tape.sent(greeting.unsent[:written])
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
        """Have everything killed at once, and return; safe in a signal handler.

        The keeper does it when it is told. Bubblewrap would not pass that on, but its end is the end of the
        namespace and of everything in it.
        """
        self.signal_keeper(signal.SIGCONT)
        self.signal_keeper(signal.SIGKILL if self._is_wrapped else signal.SIGUSR1)

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
    hide_memory()
    try:
        with _wire() as (ours, theirs):
            if launch.wall is None:
                return Spawned(launch.plugin, _start(launch, launch.argv, launch.env, theirs), ours)
            with raise_wall(launch.wall) as wall:
                return Spawned(launch.plugin, _start_walled(launch, wall, theirs), ours, wall)
    except OSError as error:
        raise PluginBroken(
            launch.plugin,
            f"plugin '{launch.plugin}' cannot be started: {error.strerror or error} "
            f"({error.filename or launch.argv[0]}).",
        ) from error
    except CellwallError as error:
        raise PluginBroken(
            launch.plugin,
            f"plugin '{launch.plugin}' was not started, because its wall fails: {error.message}",
        ) from error


def hide_memory() -> None:
    """Keep our memory and environment from every process that is not root's, and leave no core file."""
    prctl(PR_SET_DUMPABLE, 0)


@contextmanager
def _wire() -> Generator[tuple[tuple[int, int], tuple[int, int]]]:
    """Make the wire: the ends that we write to and read from, and those of the child, closed on leaving."""
    their_input, stdin = os.pipe()
    stdout, their_output = os.pipe()
    ours, theirs = (stdin, stdout), (their_input, their_output)
    try:
        for fd in ours:
            os.set_blocking(fd, False)
        yield ours, theirs
    except BaseException:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)


def _start_walled(launch: Launch, wall: Wall, wire: tuple[int, int]) -> subprocess.Popen[bytes]:
    """Start a child behind a wall.

    Bubblewrap stays, and it would hold on to descriptors 0 and 1 and hide from us that the plugin has closed
    them. All others it lets go of, so the wire comes under other numbers, which the cell is told.

    A SIGTERM to the group is for the plugin: bubblewrap, whose end would be everybody's, begins with that
    signal blocked.
    """
    argv, env = wall.around(launch.argv), launch.env | wall.variables
    if not wall.plan.has_namespaces:
        return _start(launch, argv, env, wire, wall.descriptors)
    argv = (*argv, *(f"wire={fd}" for fd in wire))
    nothing = (subprocess.DEVNULL, subprocess.DEVNULL)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return _start(launch, argv, env, nothing, (*wall.descriptors, *wire))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start(
    launch: Launch,
    argv: tuple[str, ...],
    env: dict[str, str],
    wire: tuple[int, int],
    descriptors: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    stdin, stdout = wire
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=launch.cwd,
        env=env,
        pass_fds=descriptors,
        start_new_session=True,
        umask=PRIVATE_UMASK,
    )


def _without_wrapping(status: int) -> int:
    """Undo what bubblewrap does to the end of what it wraps: signal 11 comes as exit code 139."""
    return SIGNALLED - status if SIGNALLED < status < SIGNALLED + signal.NSIG else status


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
