"""Attempts on parts of the kernel that no plugin needs, and on terminals.

Where a call is let through, it finds arguments with which it can do nothing: that shows in its error.
"""

from __future__ import annotations

import ctypes
import errno
import os

from ._scene import Unusable, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]

MACHINE = os.uname().machine
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(MACHINE)
BPF = {"x86_64": 321, "aarch64": 280}.get(MACHINE)
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}.get(MACHINE)
USERFAULTFD = {"x86_64": 323, "aarch64": 282}.get(MACHINE)
UNSHARE = {"x86_64": 272, "aarch64": 97}.get(MACHINE)
IO_URING_SETUP = 425
KEYCTL_GET_KEYRING_ID, SESSION_KEYRING = 0, -3
NEW_USER_NAMESPACE = 0x1000_0000
TIOCSTI = 0x5412
HIGH_BIT = 1 << 32
REACHED = frozenset({errno.EINVAL, errno.EFAULT, errno.EBADF, errno.ENOKEY, errno.E2BIG, errno.ENOTTY})


def reach(number: int | None, *arguments: int | bytes) -> None:
    """Make a call that can only fail; how, tells whether the kernel looked at it."""
    try:
        call(number, *arguments)
    except OSError as error:
        if error.errno not in REACHED:
            raise


def use_keyring(_scene: Scene) -> None:
    reach(KEYCTL, KEYCTL_GET_KEYRING_ID, SESSION_KEYRING, 0)


def use_io_uring(_scene: Scene) -> None:
    reach(IO_URING_SETUP, 0, 0)


def load_bpf(_scene: Scene) -> None:
    reach(BPF, 0xFFFF, 0, 0)


def watch_performance(_scene: Scene) -> None:
    reach(PERF_EVENT_OPEN, 0, 0, -1, -1, 0)


def handle_faults(_scene: Scene) -> None:
    os.close(call(USERFAULTFD, 1))  # UFFD_USER_MODE_ONLY, which needs no privilege


def make_user_namespace(_scene: Scene) -> None:
    call(UNSHARE, NEW_USER_NAMESPACE)


def type_for_user(_scene: Scene) -> None:
    """Put a character into the input of no terminal; likewise with a bit that the kernel does not look at."""
    libc = ctypes.CDLL(None, use_errno=True)
    errors: set[int] = set()
    for request in (TIOCSTI, HIGH_BIT | TIOCSTI):
        libc.ioctl(-1, ctypes.c_ulong(request), b"x")
        errors.add(ctypes.get_errno())
    if not errors & REACHED:
        number = errors.pop()
        raise PermissionError(number, os.strerror(number))


def open_terminal(scene: Scene) -> None:
    if not scene["terminal"]:
        raise Unusable("there are no terminals here")
    os.close(os.open(scene["terminal"], os.O_RDWR | os.O_NOCTTY))


def open_own_terminal(_scene: Scene) -> None:
    """Open the terminal that the user sits at."""
    os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))


ATTEMPTS: dict[str, Attempt] = {
    "keyring": use_keyring,
    "io_uring": use_io_uring,
    "bpf": load_bpf,
    "perf": watch_performance,
    "userfaultfd": handle_faults,
    "user_namespace": make_user_namespace,
    "tiocsti": type_for_user,
    "terminal": open_terminal,
    "controlling_tty": open_own_terminal,
}
