"""Bubblewrap around a cell: other files are not there at all, nor other processes, nor the network.

It is an addition and never the wall by itself: Landlock and seccomp are built inside it all the same, because
it leaves the kernel's whole surface open (sandbox.md §2, columns 6 and 9).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.wall._policy import Policy

__all__ = ["PRIVATE_FOLDERS", "probe_arguments", "wrapping_arguments"]

PRIVATE_FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 - the namespace's own, empty at every start
"""Folders of memory that a cell gets for itself."""

SHARE_OF_MEMORY = 4
"""Each private folder takes at most a quarter of the memory that a process may use: it is memory, too."""

NAMESPACES = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--cap-drop", "ALL"),
)


def wrapping_arguments(
    bubblewrap: str, policy: Policy, *, bounds: bool, code: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return what stands before a cell's own argument list.

    Args:
        bubblewrap: the program.
        policy: what the cell may do.
        bounds: whether this bubblewrap can bound the size of a private folder; where it cannot, the host
            notices too much a second later.
        code: files of Cellwall that the cell begins with.
    """
    network = () if policy.network == "any" else ("--unshare-net",)
    return (
        bubblewrap,
        *NAMESPACES,
        *network,
        *("--proc", "/proc", "--dev", "/dev"),
        *_private_folders(policy.resources.memory_bytes // SHARE_OF_MEMORY if bounds else None),
        *_binds("--ro-bind-try", (*policy.read, *policy.execute, *code)),
        *_binds("--bind-try", (*policy.write, *policy.sockets)),
        *_binds("--dev-bind-try", policy.devices),
        *("--chdir", policy.cwd, "--"),
    )


def probe_arguments(bubblewrap: str, *, bounds: bool) -> list[str]:
    """Return a command that ends with 0 where bubblewrap can do what a cell needs of it.

    Args:
        bubblewrap: the program.
        bounds: as for `wrapping_arguments`.
    """
    return [
        bubblewrap,
        *NAMESPACES,
        "--unshare-net",
        *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
        *_private_folders(1 << 20 if bounds else None),
        *("--ro-bind-try", "/nowhere", "/nowhere"),
        "--",
        "/bin/true",
    ]


def _private_folders(size_bytes: int | None) -> Iterator[str]:
    bound = () if size_bytes is None else ("--size", str(size_bytes))
    for folder in PRIVATE_FOLDERS:
        yield from ("--perms", "0700", *bound, "--tmpfs", folder)


def _binds(option: str, paths: tuple[str, ...]) -> Iterator[str]:
    """Show each path under its name and, where that leads elsewhere, under its real one too.

    What lies in a folder that is shown already is there; every mount costs a start some 50 microseconds.
    """
    shown: list[str] = []
    for path in dict.fromkeys(name for given in paths for name in (given, os.path.realpath(given))):
        is_there = any(path.startswith(folder + "/") for folder in shown)
        if is_there or path.startswith("/proc/"):  # the namespace has its own /proc
            continue
        shown.append(path)
        yield from (option, path, path)
