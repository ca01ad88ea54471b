"""Attempts to start programs, and to leave one behind."""

from __future__ import annotations

import errno
import fcntl
import os
import signal

from ._scene import Unusable, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]

SHELL = "/bin/sh"


def fork(_scene: Scene) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def execute(_scene: Scene) -> None:
    """Become a program that does not exist: where that is allowed, it is looked for."""
    try:
        os.execv("/nonexistent/program", ["program"])  # noqa: S606 - it is no shell
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def start_program(_scene: Scene) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(SHELL, ["sh", "-c", ":"])  # noqa: S606
        finally:
            os._exit(126)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise PermissionError(13, f"it ended with {os.waitstatus_to_exitcode(status)}")


def run_from_memory(_scene: Scene) -> None:
    if not hasattr(os, "memfd_create"):
        raise Unusable("this system has no such files")
    os.close(os.memfd_create("program"))


def leave_daemon(_scene: Scene) -> None:
    """Leave a process that has its own session and holds a lock; the host looks who holds it in the end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            lock = os.open(own("alive.lock"), os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(writing, b"x")
            for fd in range(256):
                if fd != lock:
                    try:
                        os.close(fd)
                    except OSError:
                        continue
            while True:
                signal.pause()
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    if not os.read(reading, 1):
        raise Unusable("it did not start")
    os.close(reading)


ATTEMPTS: dict[str, Attempt] = {
    "fork": fork,
    "exec": execute,
    "program": start_program,
    "memfd": run_from_memory,
    "daemon": leave_daemon,
}
