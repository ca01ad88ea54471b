"""What an attempt is told, and what it may answer."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Attempt", "Scene", "Unusable", "call", "outside", "own"]


class Unusable(Exception):
    """Raised by an attempt that cannot be made here."""


Scene = dict[str, "Any"]
"""What the host has prepared; see `cellwall_kernel.doctor._scene`."""

if TYPE_CHECKING:
    Attempt = Callable[[Scene], str | None]


def outside(scene: Scene, name: str) -> str:
    """Return a path in the folder that was not granted."""
    return os.path.join(scene["outside"], name)


def own(name: str) -> str:
    """Return a path in the cell's own folder."""
    return os.path.join(os.environ["HOME"], name)


def call(number: int | None, *arguments: int | bytes) -> int:
    """Make a system call.

    Args:
        number: the call; None where it has none.
        arguments: as for C; bytes are passed by their address.

    Raises:
        OSError: it failed.
        Unusable: there is no such call here.
    """
    if number is None:
        raise Unusable("no such call on this architecture")
    libc = ctypes.CDLL(None, use_errno=True)
    values = [
        ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments
    ]
    result: int = libc.syscall(ctypes.c_long(number), *values)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
