"""System calls by number, for what Python has no function for; both machines that the wall knows."""

from __future__ import annotations

import ctypes
import os

__all__ = ["LIBC", "MACHINE", "call", "link_descriptor", "needs"]

MACHINE = os.uname().machine

LIBC = ctypes.CDLL(None, use_errno=True)

# name: (x86_64, aarch64); -1 where the machine has no such call. From the kernel's own tables.
NUMBERS: dict[str, tuple[int, int]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "copy_file_range": (326, 285),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fchmodat2": (452, 452),
    "fcntl": (72, 25),
    "fork": (57, -1),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kill": (62, 129),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, -1),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "renameat2": (316, 276),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "seccomp": (317, 277),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "socket": (41, 198),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vmsplice": (278, 75),
}


def number_of(name: str) -> int:
    """Look up a call's number on this machine.

    Raises:
        NotImplementedError: this machine has no such call.
    """
    found = NUMBERS[name][0 if MACHINE == "x86_64" else 1]
    if MACHINE not in {"x86_64", "aarch64"} or found < 0:
        raise NotImplementedError(f"{name} on {MACHINE}")
    return found


def call(name: str | int, *arguments: object) -> int:
    """Make a system call by its name or number.

    Raises:
        OSError: it was refused.
    """
    number = name if isinstance(name, int) else number_of(name)
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = LIBC.syscall(ctypes.c_long(number), *passed)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(name))
    return result


def link_descriptor(fd: int, path: str) -> None:
    """Give a name to what a descriptor stands for; `os.link` does not follow the link in /proc."""
    source, follow = f"/proc/self/fd/{fd}".encode(), 0x400
    needs(LIBC.linkat(-100, source, -100, path.encode(), follow))


def needs(result: int) -> int:
    """Give a C function's result, or raise what errno says if it is negative."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
