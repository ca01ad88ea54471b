"""Attempts to use more of the machine than was granted."""

from __future__ import annotations

import _thread
import json
import os
import resource

from ._scene import Unusable, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]

STACK_BYTES = 64 * 1024
LIMITS = ("RLIMIT_DATA", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_CORE")


def tell_limits(_scene: Scene) -> str:
    """Tell the hard limits; None for none."""
    found: dict[str, int | None] = {}
    for name in LIMITS:
        _, hard = resource.getrlimit(getattr(resource, name))
        found[name] = None if hard == resource.RLIM_INFINITY else hard
    return json.dumps(found)


def take_memory(scene: Scene) -> None:
    """Reserve memory without touching it."""
    bytes(scene["memory_bytes"])


def write_large_file(scene: Scene) -> None:
    """Make a file large without writing to it."""
    path = own("large")
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.ftruncate(fd, scene["file_bytes"])
    finally:
        os.close(fd)
        os.unlink(path)


def start_threads(scene: Scene) -> None:
    """Start more than the limit allows, if that is not too many to be tried."""
    if not scene["threads"]:
        raise Unusable("nothing bounds root's processes")
    _, limit = resource.getrlimit(resource.RLIMIT_NPROC)
    if scene["is_walled"] and limit >= scene["threads"]:
        raise Unusable(f"{limit} are too many to try")
    before = _thread.stack_size(STACK_BYTES)
    gate = _thread.allocate_lock()
    gate.acquire()

    def wait() -> None:
        with gate:
            pass

    try:
        for _ in range(scene["threads"]):
            _thread.start_new_thread(wait, ())
    except RuntimeError:  # what Python makes of EAGAIN
        raise BlockingIOError(11, "no more threads") from None
    finally:
        gate.release()
        _thread.stack_size(before)


ATTEMPTS: dict[str, Attempt] = {
    "limit_values": tell_limits,
    "memory_limit": take_memory,
    "file_size": write_large_file,
    "threads": start_threads,
}
