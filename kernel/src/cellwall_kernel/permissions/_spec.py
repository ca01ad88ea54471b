"""The vocabulary: what a plugin may be allowed, as a manifest asks for it and as a user grants it.

The same types serve for both, so that asked and granted can be compared. Texts stand as they were written
(`~`, `.` and `${XDG_CACHE_HOME}` included); they become real paths at launch, in `cellwall_kernel.wall`.
"""

from __future__ import annotations

import os
from typing import Literal

import msgspec

__all__ = ["DEFAULT_LIMITS", "Limits", "Permissions", "Reasons"]

Reasons = dict[str, str]
"""Why a plugin asks for something, in its author's words: a name of `[permissions]` -> a line."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of the machine a plugin may use; None leaves it at the default.

    Args:
        memory_bytes: private memory of each of its processes.
        processes: processes and threads.
        file_size_bytes: the largest file that it may write.
        data_bytes: all files in its own folders together.
        cpu_s: seconds of processor time of each process; 0 for no limit.
        deadline_s: seconds that one prompt may take; 0 for the user's own setting.
    """

    memory_bytes: int | None = None
    processes: int | None = None
    file_size_bytes: int | None = None
    data_bytes: int | None = None
    cpu_s: int | None = None
    deadline_s: int | None = None


DEFAULT_LIMITS = Limits(
    memory_bytes=1 << 30,
    processes=max(64, 2 * (os.cpu_count() or 1) + 32),  # numerical libraries start one for each processor
    file_size_bytes=1 << 30,
    data_bytes=5 << 30,
    cpu_s=0,
    deadline_s=0,
)
"""What every plugin may use without being granted anything."""


class Permissions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a plugin may do beyond its default: no network, no keys, its own folders only.

    Args:
        network: "none", "any" (this machine's own services included), or the hosts that may be reached, such
            as `api.openai.com`, `*.example.com:8443`, `localhost:11434`.
        read: files and folders that it may read; `.` is the folder in which the command was called.
        write: files and folders that it may change and read.
        keys: names of API keys that it may ask the host for.
        env: environment variables that it may see.
        spawn: whether it may start programs, inside the same wall; names are a hint for people.
        devices: groups of devices, such as `gpu`.
        host: services of the host that reach beyond the plugin: `prompt` to run prompts on any model, `ask`
            to put questions to the user.
        sockets: `docker`, `ssh-agent`, or the path of a Unix socket.
        limits: how much of the machine it may use.
    """

    network: Literal["none", "any"] | tuple[str, ...] = "none"
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    spawn: bool | tuple[str, ...] = False
    devices: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    limits: Limits = Limits()
