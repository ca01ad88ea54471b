"""The seccomp filter of a plugin: from a policy to the program that the bootstrap loads.

The program is one decision:

    architecture? --- another: the process is killed, for there a number means another call (`int 0x80`)
      |
    number of the call, by halves, until one range is left
      |
    range --- allowed or refused as a whole, or one call whose arguments are looked at

Ranges without a call yet are "no such call", numbers of x32 are refused. The halving is by weight, so that
what every program does all the time is decided after four comparisons or so. Kernels since 5.11 find out at
loading time which calls are allowed whatever their arguments are, and do not run the filter for those.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.wall._bpf import ARCHITECTURE, NUMBER, Question, assemble
from cellwall_kernel.wall._seccomp_rules import ABSENT, ALLOW, KILL, REFUSE, FilterPolicy, rules
from cellwall_kernel.wall._syscalls import ARCHITECTURES, CALLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwall_kernel.wall._bpf import Decision
    from cellwall_kernel.wall._syscalls import Calls

__all__ = ["ARCHITECTURES", "Filter", "FilterPolicy", "build_filter"]

HOT = (
    *(
        "read",
        "write",
        "close",
        "pread64",
        "pwrite64",
        "readv",
        "writev",
        "lseek",
        "openat",
        "newfstatat",
        "fstat",
    ),
    *("stat", "ioctl", "getdents64", "mmap", "munmap", "mprotect", "madvise", "brk", "futex", "sched_yield"),
    *(
        "poll",
        "ppoll",
        "select",
        "pselect6",
        "epoll_wait",
        "epoll_pwait",
        "recvfrom",
        "recvmsg",
        "sendto",
        "sendmsg",
    ),
    *("rt_sigaction", "rt_sigprocmask", "clock_nanosleep", "getrandom"),
)
"""The calls that a busy program makes most."""

HOT_WEIGHT = 40
"""How much more one of them counts than a range of others."""

_LAST = (1 << 32) - 1


class Filter(msgspec.Struct, frozen=True):
    """A program for the kernel.

    Args:
        program: an array of `struct sock_filter`, as the machine it is for lays them out.
        pid_slots: byte offsets of the constants of 32 bits into which the process to be filtered writes its
            own number before it loads the program; if that is forgotten, it may not even signal itself.
    """

    program: bytes
    pid_slots: tuple[int, ...]


def build_filter(policy: FilterPolicy, arch: str) -> Filter:
    """Build the filter of a policy.

    Args:
        policy: what is allowed.
        arch: one of `ARCHITECTURES`.

    Raises:
        ValueError: the architecture is not known, or the policy contradicts itself.
    """
    if arch not in CALLS:
        raise ValueError(f"there is no table of system calls for {arch!r}")
    calls = CALLS[arch]
    decision = _by_number(_ranges(calls, rules(policy)), calls)
    program, slots = assemble(Question(offset=ARCHITECTURE, value=calls.audit, yes=decision, no=KILL))
    return Filter(program, slots)


def _ranges(calls: Calls, ruled: Mapping[str, Decision]) -> list[tuple[int, Decision]]:
    """Return where each range of numbers with the same decision begins; the first is 0."""
    by_number = {calls.numbers[name]: decision for name, decision in ruled.items() if name in calls.numbers}
    starts: dict[int, Decision] = dict.fromkeys([0, *(number + 1 for number in by_number)], ALLOW)
    starts |= dict.fromkeys((end for _, end in calls.gaps if end <= _LAST), ALLOW)
    starts |= dict.fromkeys((start for start, _ in calls.gaps), ABSENT)
    if calls.foreign_from is not None:
        starts[calls.foreign_from] = REFUSE
    starts |= by_number
    found: list[tuple[int, Decision]] = []
    for start, decision in sorted(starts.items(), key=lambda item: item[0]):
        if not found or found[-1][1] != decision:
            found.append((start, decision))
    return found


def _by_number(ranges: Sequence[tuple[int, Decision]], calls: Calls) -> Decision:
    """Return the decision that finds the range of a number."""
    hot = [calls.numbers[name] for name in HOT if name in calls.numbers]
    ends = [*(start for start, _ in ranges[1:]), _LAST]
    weights = (
        1 + HOT_WEIGHT * sum(start <= number < end for number in hot)
        for (start, _), end in zip(ranges, ends, strict=True)
    )
    before = [0, *accumulate(weights)]  # of range i: the weight of all in front of it

    def halve(first: int, end: int) -> Decision:
        if end - first == 1:
            return ranges[first][1]
        half = (before[first] + before[end]) / 2
        middle = min(range(first + 1, end), key=lambda index: abs(before[index] - half))
        return Question(
            offset=NUMBER,
            kind="at_least",
            value=ranges[middle][0],
            yes=halve(middle, end),
            no=halve(first, middle),
        )

    return halve(0, len(ranges))
