"""Attempts on another process: a stand-in for the host, which the host started for that."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from ._scene import Unusable, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]

MACHINE = os.uname().machine
PTRACE = {"x86_64": 101, "aarch64": 117}.get(MACHINE)
PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}.get(MACHINE)
PIDFD_GETFD = 438
PTRACE_SEIZE = 0x4206

NICENESS, OPEN_FILES = 7, 77
"""What the stand-in would show if these attempts reached it."""


def has_token(content: bytes, scene: Scene) -> None:
    if scene["token"].encode() not in content:
        raise PermissionError(1, "another process has that number here")


def read_environment(scene: Scene) -> None:
    with open(f"/proc/{scene['pid']}/environ", "rb") as file:
        has_token(file.read(), scene)


def read_memory(scene: Scene) -> None:
    with open(f"/proc/{scene['pid']}/mem", "rb", buffering=0) as file:
        file.seek(scene["address"])
        has_token(file.read(len(scene["token"])), scene)


def copy_memory(scene: Scene) -> None:
    size = len(scene["token"])
    buffer = ctypes.create_string_buffer(size)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), size)
    there = (ctypes.c_size_t * 2)(scene["address"], size)
    call(PROCESS_VM_READV, scene["pid"], ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
    has_token(buffer.raw, scene)


def trace(scene: Scene) -> None:
    call(PTRACE, PTRACE_SEIZE, scene["pid"], 0, 0)


def open_its_file(scene: Scene) -> None:
    with open(f"/proc/{scene['pid']}/fd/{scene['fd']}", "rb") as file:
        has_token(file.read(), scene)


def take_its_descriptor(scene: Scene) -> None:
    if not hasattr(os, "pidfd_open"):
        raise Unusable("this system has no such call")
    handle = os.pidfd_open(scene["pid"])
    try:
        os.close(call(PIDFD_GETFD, handle, scene["fd"], 0))
    finally:
        os.close(handle)


def find_inherited(scene: Scene) -> None:
    """Look for what the host holds open among what the cell has."""
    wanted = tuple(scene["canary_inode"])
    for fd in range(3, scene["descriptors"]):
        try:
            found = os.fstat(fd)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == wanted:
            return
    raise PermissionError(13, "nothing was inherited")


def find_variable(scene: Scene) -> None:
    """Look for a variable of the host's that nobody granted."""
    block = b""
    if os.path.exists("/proc/self/environ"):
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
    if scene["variable"] not in os.environ and scene["variable"].encode() not in block:
        raise PermissionError(13, "it was not passed on")


def send_signal(scene: Scene) -> None:
    """Send what does no harm; the stand-in counts it."""
    os.kill(scene["pid"], signal.SIGCONT)


def signal_by_handle(scene: Scene) -> None:
    if not hasattr(os, "pidfd_open"):
        raise Unusable("this system has no such call")
    handle = os.pidfd_open(scene["pid"])
    try:
        signal.pidfd_send_signal(handle, 0)
    finally:
        os.close(handle)


def find_keeper(scene: Scene) -> None:
    """Without its keeper a cell could leave processes behind, unless they end with a namespace."""
    os.kill(os.getppid(), 0)
    if scene["has_namespaces"]:
        raise Unusable("everything ends with the keeper's namespace")


def set_its_limit(scene: Scene) -> None:
    if not hasattr(resource, "prlimit"):
        raise Unusable("this system has no such call")
    _, hard = resource.prlimit(scene["pid"], resource.RLIMIT_NOFILE)
    resource.prlimit(scene["pid"], resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


def slow_it_down(scene: Scene) -> None:
    os.setpriority(os.PRIO_PROCESS, scene["pid"], NICENESS)


ATTEMPTS: dict[str, Attempt] = {
    "environ": read_environment,
    "memory": read_memory,
    "vm_read": copy_memory,
    "ptrace": trace,
    "fd": open_its_file,
    "getfd": take_its_descriptor,
    "inherited": find_inherited,
    "variable": find_variable,
    "signal": send_signal,
    "pidfd_signal": signal_by_handle,
    "keeper": find_keeper,
    "prlimit": set_its_limit,
    "renice": slow_it_down,
}
