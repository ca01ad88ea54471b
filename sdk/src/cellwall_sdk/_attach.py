"""Attach mode: a plugin under a debugger, to which `llm --attach` connects, as often as one likes.

The author starts this process, so standard input and output stay a debugger's, and the author's code runs on
the main thread, where a debugger stops it. Each connection is a conversation of its own; while one lasts, the
next waits. Nothing here has a deadline, and nobody is interrupted: a host that no longer wants an answer, or
has gone, is noticed when the model sends the next piece of it.

Ctrl-C ends the call that runs, or, between calls, the program; a debugger's own Ctrl-C is left alone.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import stat
import struct
import sys
from contextlib import suppress
from shlex import quote
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from cellwall_wire import Connection, Role

from ._child import Reader, load, unbuffer
from ._link import Link, PipeOutput
from ._session import Session

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["AttachProblem", "find_plugin", "serve_attached", "usual_folder"]

GROUP = "llm"
"""The group of entry points in which plugins are found."""

WAITING = 16
"""How many commands may wait while one is served."""

LONGEST_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""What fits into a socket's address, without its end."""


class AttachProblem(Exception):
    """Raised when nobody could attach; the message is a sentence for the author."""


def serve_attached(target: str, name: str) -> None:
    """Wait for hosts and serve each, until Ctrl-C.

    Args:
        target: the entry point's value, "module" or "module:attribute".
        name: the plugin's name.

    Raises:
        AttachProblem: no socket can be made.
    """
    faulthandler.enable(all_threads=False)
    unbuffer()
    path = os.path.join(usual_folder(), f"{name}.sock")
    listener = _listener(path, name)
    visits = _Visits(target)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, visits.interrupt)
    try:
        _say(f"plugin '{name}' waits; ask it from another terminal, and end it with Ctrl-C:")
        _say(f'    llm --attach {quote(path)} "…"')
        while True:
            connection, _ = listener.accept()
            if _is_ours(connection):
                visits.serve(connection)
            else:
                connection.close()
    except KeyboardInterrupt:
        _say("ended.")
    finally:
        listener.close()
        with suppress(OSError):
            os.unlink(path)


class _Visits:
    """Serves one host after the other.

    Args:
        target: as for `serve_attached`.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._session: Session | None = None
        self._fds: tuple[int, ...] = ()
        os.register_at_fork(after_in_child=self._leave)

    def serve(self, connection: socket.socket) -> None:
        """Talk to a host until it closes the connection and its last call has ended."""
        write_fd = os.dup(connection.fileno())  # poll() tells reading and writing apart by number
        self._fds = (connection.fileno(), write_fd)
        link = Link(Connection(Role.PLUGIN), PipeOutput(write_fd))
        session = self._session = Session(link, lambda: load(self._target))
        reader = Thread(target=_Reader(session, link, *self._fds).run, name="cellwall-reader", daemon=True)
        reader.start()
        try:
            session.serve()
        finally:
            self._session = None
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # which is what the reader waits for
            reader.join()
            self._fds = ()
            os.close(write_fd)
            connection.close()
        if session.broken:
            _say("the host broke the protocol, and was hung up on.")

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Take a Ctrl-C: not in the middle of a line, unless it is the last one of a call."""
        call = self._session.current if self._session is not None else None
        if call is None or call.interruptible or call.noticed:
            raise KeyboardInterrupt

    def _leave(self) -> None:
        """In a copy of this process, let go of the host."""
        if self._session is not None:
            self._session.forked()
        for fd in self._fds:
            os.close(fd)


class _Reader(Reader):
    """A reader that ends with the connection: it interrupts nobody, and the process goes on."""

    def see_to_cancelled(self) -> None:
        """Leave the call alone: it may stand in a debugger."""

    def leave(self) -> None:
        """Stay."""


def usual_folder() -> str:
    """Return where sockets are made; `llm --attach NAME` looks there."""
    from tempfile import gettempdir

    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):
        return os.path.join(runtime, "cellwall")
    return os.path.join(gettempdir(), f"cellwall-{os.geteuid()}")


def find_plugin(target: str | None) -> tuple[str, str]:
    """Find out which plugin is meant.

    Args:
        target: MODULE[:ATTRIBUTE]; None for the project in the working folder, which need not be installed.

    Returns:
        its target and its name.

    Raises:
        AttachProblem: there is none, or there are several.
    """
    points = _project_points()
    if target is None:
        if len(points) != 1:
            what = (
                f"pyproject.toml has {len(points)} entry points of the group '{GROUP}'"
                if points
                else (f"the working folder has no pyproject.toml with an entry point of the group '{GROUP}'")
            )
            raise AttachProblem(f"{what}; name the plugin's module: python -m cellwall_sdk --attach MODULE")
        ((name, target),) = points.items()
        return target, name
    from importlib.metadata import entry_points

    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    names = [name for name, value in {**installed, **points}.items() if value.replace(" ", "") == target]
    return target, names[0] if names else target.partition(":")[0].rpartition(".")[2]


def _project_points() -> dict[str, str]:
    """Return the entry points of the project in the working folder, and let its modules be imported."""
    import tomllib

    try:
        with open("pyproject.toml", "rb") as file:
            project: Any = tomllib.load(file)
    except OSError:
        return {}
    except ValueError as error:
        raise AttachProblem(f"pyproject.toml cannot be read: {error}") from error
    for name in ("project", "entry-points", GROUP):
        project = cast("dict[str, Any]", project).get(name, {}) if isinstance(project, dict) else {}
    if os.path.isdir("src"):
        sys.path.insert(0, os.path.abspath("src"))
    points = cast("dict[str, Any]", project) if isinstance(project, dict) else {}
    return {name: value for name, value in points.items() if isinstance(value, str)}


def _listener(path: str, name: str) -> socket.socket:
    """Make the socket, in a folder that is ours alone."""
    if "/" in name or len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        raise AttachProblem(f"{path} cannot be a socket: at most {LONGEST_PATH_BYTES} bytes are possible.")
    folder = os.path.dirname(path)
    try:
        _make_private(folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _bind(listener, path, name)
            listener.listen(WAITING)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise AttachProblem(f"the socket {path} cannot be made: {error.strerror or error}.") from error
    return listener


def _make_private(folder: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise AttachProblem(
            f"{folder} is there and is not a folder for you alone (mode 0700); remove it, or set "
            "XDG_RUNTIME_DIR or TMPDIR to a folder of yours."
        )


def _bind(listener: socket.socket, path: str, name: str) -> None:
    """Bind, after taking away what an earlier process has left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise AttachProblem(f"plugin '{name}' waits already at {path}; end that process first.")
    listener.bind(path)


def _is_ours(connection: socket.socket) -> bool:
    """Whether it is this user who has connected."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder is ours alone
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", packed)[1]
    return uid == os.geteuid()


def _say(text: str) -> None:
    sys.stderr.write(f"[cellwall] {text}\n")
    sys.stderr.flush()
