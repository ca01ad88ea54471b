"""The architectures that the filter knows: their codes, the numbers of their system calls, and the gaps.

A number that no kernel has given out when this was written is treated as a kernel would that has no such
call: what a later one puts there is a call that nobody has thought about yet. Programs are used to that.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cellwall_kernel.wall import _syscalls_aarch64, _syscalls_x86_64

__all__ = ["ARCHITECTURES", "CALLS", "NEWER", "Calls"]

NEWER: Mapping[str, int] = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "pidfd_getfd": 438,
    "faccessat2": 439,
    "process_madvise": 440,
    "epoll_pwait2": 441,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "memfd_secret": 447,
    "process_mrelease": 448,
    "futex_waitv": 449,
    "set_mempolicy_home_node": 450,
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
    "listns": 470,
}
"""All calls since 424, where the architectures began to count together (Linux 5.1)."""

X32_BIT = 0x4000_0000
"""Added to the number by programs of x86_64 with short pointers, for which the kernel has other code."""


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The system calls of one architecture.

    Args:
        audit: the architecture's code (AUDIT_ARCH_*), which tells a filter what a number means.
        numbers: name -> number, of the calls that a rule names.
        gaps: ranges without a call, each as its first number and the first one behind it.
        foreign_from: numbers from here on belong to another calling convention; None if there is none.
    """

    audit: int
    numbers: Mapping[str, int]
    gaps: tuple[tuple[int, int], ...]
    foreign_from: int | None


_FIRST_UNKNOWN = max(NEWER.values()) + 1
_END = 1 << 32

CALLS: Mapping[str, Calls] = {
    "x86_64": Calls(
        audit=0xC000_003E,
        numbers={**_syscalls_x86_64.NUMBERS, **NEWER},
        gaps=((337, 424), (_FIRST_UNKNOWN, X32_BIT)),
        foreign_from=X32_BIT,
    ),
    "aarch64": Calls(
        audit=0xC000_00B7,
        numbers={**_syscalls_aarch64.NUMBERS, **NEWER},
        gaps=((244, 260), (295, 424), (_FIRST_UNKNOWN, _END)),
        foreign_from=None,
    ),
}
"""Architecture, as `platform.machine()` names it -> its calls."""

ARCHITECTURES = frozenset(CALLS)
"""The architectures for which a filter can be built."""
