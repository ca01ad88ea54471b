"""Starting programs and processes, which the default does not allow: each way that the system offers."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
import time

from ._registry import attempt
from ._system import LIBC, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import Scene

LIFE_S = 10.0
"""How long a process that outlives its parent stays at most, in case nobody deletes its lock file."""


def leave_trace(scene: Scene) -> list[str]:
    """Say what a foreign program shall do to show that it has run."""
    return ["/bin/sh", "-c", f"echo ran > '{scene.trace}'"]


def shell() -> str:
    """Find the shell's file."""
    return os.path.realpath("/bin/sh")


@attempt("run_program", kind="kernel")
def run_program(scene: Scene) -> None:
    """Start a program as one does."""
    import subprocess

    subprocess.run(leave_trace(scene), check=True)


@attempt("run_program_by_shell", kind="kernel")
def run_program_by_shell(scene: Scene) -> None:
    """Start a program by system()."""
    os.system(leave_trace(scene)[2])  # pyright: ignore[reportDeprecated]  # it is what this is about


@attempt("run_program_by_posix_spawn", kind="kernel")
def run_program_by_posix_spawn(scene: Scene) -> None:
    """Start a program by the call that joins both steps."""
    os.waitpid(os.posix_spawn("/bin/sh", leave_trace(scene), {}), 0)


@attempt("become_program", kind="kernel")
def become_program(scene: Scene) -> None:
    """Become a program, without a second process."""
    os.execv("/bin/sh", leave_trace(scene))


@attempt("become_written_program", kind="kernel")
def become_written_program(scene: Scene) -> None:
    """Become a program that it has written itself."""
    import shutil

    with (
        open(os.open(scene.own("program"), os.O_CREAT | os.O_WRONLY, 0o755), "wb") as target,
        open(shell(), "rb") as source,
    ):
        shutil.copyfileobj(source, target)
    os.execv(scene.own("program"), leave_trace(scene))


@attempt("become_written_script", kind="kernel")
def become_written_script(scene: Scene) -> None:
    """Become a script that it has written itself."""
    with open(os.open(scene.own("script"), os.O_CREAT | os.O_WRONLY, 0o755), "w", encoding="utf-8") as target:
        target.write("#!/bin/sh\n" + leave_trace(scene)[2] + "\n")
    os.execv(scene.own("script"), ["script"])


@attempt("become_program_in_memory", kind="kernel")
def become_program_in_memory(scene: Scene) -> None:
    """Become a program that no file system holds."""
    memory = os.memfd_create("program")
    with open(shell(), "rb") as source:
        os.write(memory, source.read())
    os.execve(memory, leave_trace(scene), {})


@attempt("become_program_by_descriptor", kind="kernel")
def become_program_by_descriptor(scene: Scene) -> None:
    """Become a program by its descriptor."""
    os.execve(os.open(shell(), os.O_RDONLY), leave_trace(scene), {})


@attempt("become_program_by_loader", kind="kernel")
def become_program_by_loader(scene: Scene) -> None:
    """Have the loader run a copy that is not executable itself."""
    import glob
    import shutil

    shutil.copyfile(shell(), scene.own("program"))
    loader = next(iter(glob.glob("/lib64/ld-linux*.so.*") + glob.glob("/lib/ld-*.so.*")))
    os.execv(loader, [loader, scene.own("program"), *leave_trace(scene)[1:]])


@attempt("fork", kind="kernel", takes_word=True)
def fork(scene: Scene) -> object:
    """Split into two."""
    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@attempt("fork_by_clone", kind="kernel", takes_word=True)
def fork_by_clone(scene: Scene) -> object:
    """Split into two with the call that threads are made with."""
    child = call("clone", signal.SIGCHLD, None, None, None, None)
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@attempt("fork_by_younger_clone", kind="kernel", takes_word=True)
def fork_by_younger_clone(scene: Scene) -> object:
    """Split into two with the call whose flags no filter can see."""
    arguments = ctypes.create_string_buffer(struct.pack("8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0))
    child = call("clone3", arguments, 64)
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@attempt("fork_by_number", kind="kernel", takes_word=True)
def fork_by_number(scene: Scene) -> object:
    """Split into two with the oldest call, which the C library no longer makes."""
    child = call("fork")
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@attempt("outlive_parent", kind="kernel")
def outlive_parent(scene: Scene) -> None:
    """Leave a process behind; it holds a lock, by which the harness knows that it lives."""
    reads, writes = os.pipe()
    if os.fork() == 0:
        os.setsid()
        LIBC.prctl(1, 0, 0, 0, 0)
        if os.fork() != 0:
            os._exit(0)
        stay(scene, writes)
    os.close(writes)
    os.wait()
    os.read(reads, 1)


def stay(scene: Scene, ready: int) -> None:
    """Let go of everything but a lock, and live until the lock file is gone."""
    lock = os.open(scene.own("alive.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(ready, b"x")
    for fd in range(256):
        if fd != lock:
            try:
                os.close(fd)
            except OSError:
                continue
    end = time.monotonic() + LIFE_S
    while time.monotonic() < end and os.fstat(lock).st_nlink:
        time.sleep(0.02)
    os._exit(0)
