"""The kernel's notices about system calls that a filter sends to us: `linux/seccomp.h` in Python.

A notice stands for a thread that waits inside a system call until it is answered. What it points at lies in
the memory of that thread's process, which can change it at any time: read once, decide on the copy, and never
let the call go on by itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

import msgspec

from cellwall_kernel.cell.system import system_call

__all__ = ["Notice", "answer", "is_valid", "put_descriptor", "receive", "take_descriptor"]

NOTICE = struct.Struct("=QIIiIQ6Q")
"""struct seccomp_notif: id, pid, flags, and struct seccomp_data: nr, arch, instruction pointer, arguments."""

ANSWER = struct.Struct("=QqiI")
"""struct seccomp_notif_resp: id, value, error, flags."""

READ_WRITE, WRITE = 3, 1


def _ioctl_number(direction: int, number: int, size: int) -> int:
    """Compute a request as `asm-generic/ioctl.h` does, which x86_64 and aarch64 share."""
    return direction << 30 | size << 16 | ord("!") << 8 | number


RECEIVE = _ioctl_number(READ_WRITE, 0, NOTICE.size)
SEND = _ioctl_number(READ_WRITE, 1, ANSWER.size)
ID_VALID = _ioctl_number(WRITE, 2, 8)
ADDFD = _ioctl_number(WRITE, 3, 24)

BUFFER_BYTES = 512
"""More than any kernel's notice: newer ones may write more than we know of."""

CALLS = {
    (0xC000003E, 42): "connect",
    (0xC000003E, 49): "bind",
    (0xC00000B7, 203): "connect",
    (0xC00000B7, 200): "bind",
}
"""The calls that filters send to us, by architecture (x86_64 and aarch64) and number."""

REPLACEMENT = struct.Struct("=QIIII")
"""struct seccomp_notif_addfd: id, flags, our descriptor, its number there, flags of the new one."""

ADDFD_FLAG_SETFD = 1 << 0

PIDFD_GETFD = 438
"""The same everywhere."""


class Notice(msgspec.Struct, frozen=True):
    """A thread that waits in a system call.

    Args:
        id: what the answer must name.
        thread: its thread id, as this process sees it; 0 if it cannot be seen.
        call: the name of the call, if it is one of those that filters send.
        arguments: of the call.
    """

    id: int
    thread: int
    call: str | None
    arguments: tuple[int, ...]

    def read_memory(self, address: int, size: int) -> bytes:
        """Copy bytes of its memory; only meant for it if the notice is still valid afterwards.

        Raises:
            OSError: it cannot be read, or is not there.
        """
        memory = os.open(f"/proc/{self.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(memory, size, address)
        except (OSError, OverflowError):
            data = b""  # nothing is there
        finally:
            os.close(memory)
        if len(data) < size:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return data


def receive(notify_fd: int) -> Notice | None:
    """Take the next notice, of which the descriptor must have said that it is there.

    Returns:
        None if its thread has gone meanwhile.

    Raises:
        OSError: there is nobody left who could send one.
    """
    buffer = bytearray(BUFFER_BYTES)  # the kernel insists on zeros
    try:
        fcntl.ioctl(notify_fd, RECEIVE, buffer)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR, errno.EAGAIN}:
            return None
        raise
    identity, thread, _, number, architecture, _, *arguments = NOTICE.unpack_from(buffer)
    return Notice(identity, thread, CALLS.get((architecture, number)), tuple(arguments))


def is_valid(notify_fd: int, notice: Notice) -> bool:
    """Whether the thread still waits, so that what was read by its number was its own."""
    try:
        fcntl.ioctl(notify_fd, ID_VALID, struct.pack("=Q", notice.id))
    except OSError:
        return False
    return True


def answer(notify_fd: int, notice: Notice, error_number: int) -> None:
    """Let the call return.

    Args:
        notify_fd: where the notice came from.
        notice: what is answered.
        error_number: 0 for success.
    """
    try:
        fcntl.ioctl(notify_fd, SEND, ANSWER.pack(notice.id, 0, -error_number, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:  # the thread has gone, or was interrupted and will ask again
            raise


def take_descriptor(notify_fd: int, notice: Notice, number: int) -> int:
    """Return a descriptor of ours for the same open file as one of the waiting process.

    Args:
        notify_fd: where the notice came from.
        notice: of a thread of that process.
        number: the descriptor's number there.

    Raises:
        OSError: there is none, or this machine does not allow it.
    """
    pidfd = os.pidfd_open(_process_of(notice.thread))
    try:
        if not is_valid(notify_fd, notice):
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        taken = system_call(PIDFD_GETFD, pidfd, number, 0)
        if taken < 0:
            raise OSError(-taken, os.strerror(-taken))
        return taken
    finally:
        os.close(pidfd)


def put_descriptor(notify_fd: int, notice: Notice, ours: int, number: int) -> None:
    """Put a descriptor of ours into the waiting process, in place of the one that it has under that number.

    Args:
        notify_fd: where the notice came from.
        notice: of a thread of that process.
        ours: the descriptor here.
        number: the descriptor's number there.

    Raises:
        OSError: the thread has gone, or the kernel (before 5.9) cannot do this.
    """
    wanted = REPLACEMENT.pack(notice.id, ADDFD_FLAG_SETFD, ours, number, os.O_CLOEXEC)
    fcntl.ioctl(notify_fd, ADDFD, wanted)


def _process_of(thread: int) -> int:
    with open(f"/proc/{thread}/status", "rb") as status:  # noqa: PTH123 - one line of a file of the kernel
        for line in status:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
