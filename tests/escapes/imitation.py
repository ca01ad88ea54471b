"""An imitation of a container's default profile: refuses what such a profile refuses, then becomes a program.

    python -m tests.escapes.imitation PROGRAM ARGUMENT…

The list is our own reading of what container engines refuse to a container without extra rights: calls that
make or enter namespaces, mount, trace, load code into the kernel, and most of a root's capabilities.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

__all__ = ["main"]

LIBC = ctypes.CDLL(None, use_errno=True)

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED: dict[str, tuple[int, int]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "fanotify_init": (300, 262),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "swapon": (167, 224),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
CLONE, CLONE3 = (56, 220), 435
NEW_NAMESPACES = 0x7E020000

KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31})
"""What a container's root keeps: files, identities, low ports, raw sockets, chroot, devices, audit lines."""

LOAD, JUMP_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAPBSET_DROP = 38, 22, 24


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Write one instruction of the filter."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def profile(machine: str) -> bytes:
    """Write the filter."""
    place = 0 if machine == "x86_64" else 1
    lines = [
        instruction(LOAD, 4),
        instruction(JUMP_EQUAL, ARCHITECTURE[machine], 1, 0),
        instruction(RETURN, ALLOW),
        instruction(LOAD, 0),
    ]
    for numbers in REFUSED.values():
        lines += [instruction(JUMP_EQUAL, numbers[place], 0, 1), instruction(RETURN, REFUSE)]
    lines += [instruction(JUMP_EQUAL, CLONE3, 0, 1), instruction(RETURN, UNKNOWN)]
    lines += [
        instruction(JUMP_EQUAL, CLONE[place], 0, 3),
        instruction(LOAD, 16),
        instruction(JUMP_BITS, NEW_NAMESPACES, 0, 1),
        instruction(RETURN, REFUSE),
        instruction(RETURN, ALLOW),
    ]
    return b"".join(lines)


def confine() -> None:
    """Put the profile around this process and all that come from it.

    Raises:
        OSError: the kernel does not take it.
    """
    for number in set(range(64)) - KEPT_CAPABILITIES:
        LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = profile(os.uname().machine)
    held = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(held)), 16)
    if LIBC.prctl(PR_SET_SECCOMP, 2, head, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    """Become the program behind the profile; does not return."""
    confine()
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
