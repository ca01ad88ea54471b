"""Run as a program: takes on filters from stdin, as the bootstrap would, and prints what it can still do.

    filtered.py loads      each filter in a child of its own -> a list of error numbers, 0 where it loaded
    filtered.py tries      the first filter -> what became of a few calls
    filtered.py connects   the first filter with a listener, which its parent holds and answers

A filter is `[program in hexadecimal, offsets for the process's number, whether it needs a listener]`.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
SYS_IOCTL = {"x86_64": 16, "aarch64": 29}[platform.machine()]
SYS_FCHMOD = {"x86_64": 91, "aarch64": 52}[platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1
SET_MODE_FILTER, NEW_LISTENER = 1, 1 << 3
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
TIOCSTI_WITH_HIGH_BITS = 0xDEAD_0000_5412
ANSWER = errno.EHOSTDOWN
"""What the listener says to every connection: an error that nothing else would give here."""

FilterText = tuple[str, list[int], bool]
C = ctypes.CDLL(None, use_errno=True)


def load(text: FilterText) -> int:
    """Take a filter on; returns the listener, 0 without one, or minus the error's number."""
    program = bytearray.fromhex(text[0])
    for slot in text[1]:
        struct.pack_into("<I", program, slot, os.getpid())
    code = (ctypes.c_char * len(program)).from_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    C.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    found = C.syscall(SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER if text[2] else 0, header)
    return -ctypes.get_errno() if found < 0 else int(found)


def loads(filters: list[FilterText]) -> list[int]:
    """Load each in a child."""
    codes: list[int] = []
    for text in filters:
        child = os.fork()
        if child == 0:
            os._exit(-min(load(text), 0))
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return codes


def outcome(attempt: Callable[[], object]) -> str:
    """Return the name of the error, or "done"."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def by_number(number: int, *arguments: int) -> None:
    """Make a call that the C library has no function for, or would mend."""
    if C.syscall(number, *(ctypes.c_long(argument) for argument in arguments)) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def changes_its_mode(path: Path) -> bool:
    """Whether chmod has an effect."""
    before = path.stat().st_mode
    path.chmod(0o701)
    return path.stat().st_mode != before


async def use_loop() -> str:
    """Use what an event loop needs: a pair of sockets, a thread, a timer."""
    await asyncio.sleep(0)
    return await asyncio.to_thread(lambda: "done")


def use_thread() -> None:
    """Start one, and have it signalled."""
    thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), 0))
    thread.start()
    thread.join()


def copy(folder: Path) -> None:
    """Copy a file with its metadata, and use a database."""
    (folder / "from").write_text("text", encoding="utf-8")
    shutil.copy2(folder / "from", folder / "to")
    with sqlite3.connect(folder / "database") as database:
        database.execute("create table t (x)")
    database.close()


def tries(filters: list[FilterText]) -> dict[str, object]:
    """Try a few calls from inside."""
    parent = os.getppid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "file").touch(0o600)
        if load(filters[0]) < 0:
            raise SystemExit("the filter did not load")
        with (folder / "file").open("rb") as held:
            found: dict[str, object] = {
                "socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
                "unix socket": outcome(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
                "datagram pair": outcome(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
                "fork": outcome(os.fork),
                "exec": outcome(lambda: os.execv(sys.executable, ["python"])),
                "spawn": outcome(lambda: os.posix_spawn(sys.executable, ["python", "-c", ""], {})),
                "signal to the parent": outcome(lambda: os.kill(parent, 0)),
                "signal to itself": outcome(lambda: os.kill(os.getpid(), 0)),
                "memory file": outcome(lambda: os.memfd_create("x")),
                "affinity of the parent": outcome(lambda: os.sched_setaffinity(parent, {0})),
                "affinity of itself": outcome(lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))),
                "typing": outcome(lambda: by_number(SYS_IOCTL, held.fileno(), TIOCSTI_WITH_HIGH_BITS, 0)),
                "owner": outcome(lambda: fcntl.fcntl(held, fcntl.F_SETOWN, parent)),
                "emptying": outcome(lambda: os.open(held.name, os.O_RDONLY | os.O_TRUNC)),
                "truncate": outcome(lambda: os.truncate(held.name, 0)),
                "fchmod": outcome(lambda: by_number(SYS_FCHMOD, held.fileno(), 0o777)),
                "chmod": changes_its_mode(folder / "file"),
                "death signal": outcome(clear_death_signal),
                "thread": outcome(use_thread),
                "loop": asyncio.run(use_loop()),
                "copy": outcome(lambda: copy(folder)),
            }
    return found


def clear_death_signal() -> None:
    """Let the own life no longer depend on the parent's."""
    if C.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def connects(filters: list[FilterText]) -> list[str]:
    """Connect in a child whose `connect` this process answers."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        listener = load(filters[0])
        socket.send_fds(theirs, [b"listener"], [listener])
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
            theirs.send(outcome(lambda: one.connect(("127.0.0.1", 9))).encode())
        os._exit(0)
    theirs.close()
    _, (listener,), _, _ = socket.recv_fds(mine, 64, 1)
    notice = bytearray(80)
    fcntl.ioctl(listener, NOTIF_RECV, notice)
    identity, pid = struct.unpack_from("<QI", notice)
    fcntl.ioctl(listener, NOTIF_SEND, struct.pack("<QqiI", identity, 0, -ANSWER, 0))
    told = mine.recv(64).decode()
    os.waitpid(child, 0)
    return [told, "the child asked" if pid == child else "a stranger asked"]


if __name__ == "__main__":
    what = {"loads": loads, "tries": tries, "connects": connects}[sys.argv[1]]
    print(json.dumps(what(json.load(sys.stdin))))
