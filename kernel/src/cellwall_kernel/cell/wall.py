"""The wall, as the plugin's process builds it around itself: the host's plan, carried out step by step.

Which layers there are and what they allow is decided by `cellwall_kernel.wall` in the host; here is no
policy. What cannot be built ends the process.
"""

from __future__ import annotations

import _ctypes
import errno
import marshal
import os
import struct

from cellwall_kernel.cell.system import array_of, call_c, prctl, system_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["EXIT_NO_WALL", "build_wall", "is_fd", "read_plan"]

EXIT_NO_WALL = 95
"""The exit code of a child whose wall could not be built; the sentence is on stderr."""

LISTEN_BACKLOG = 128
"""How many connections may wait for the host's proxy."""

# From linux/capability.h, linux/landlock.h and linux/seccomp.h. These numbers are the same on every
# architecture that we know; the number of seccomp() is not, and is part of the plan.
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LAST_CAPABILITY, CAPABILITY_VERSION = 63, 0x20080522
SYS_LANDLOCK_ADD_RULE, SYS_LANDLOCK_RESTRICT_SELF, LANDLOCK_RULE_PATH_BENEATH = 445, 446, 1
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 3, 1 << 5


class WallFailed(Exception):
    """Raised when a layer cannot be built; ends in EXIT_NO_WALL."""


def read_plan(descriptors: list[int]) -> dict[str, Any]:
    """Read the plan of the wall; empty without one.

    `marshal` is there in every interpreter without an import; who wrote the plan is the host, which we trust.
    """
    if not descriptors:
        return {}
    content = b""
    while chunk := os.read(descriptors[0], 65536):
        content += chunk
    os.close(descriptors[0])
    plan: dict[str, Any] = marshal.loads(content)  # noqa: S302 - from the host
    return plan


def is_fd(number: int) -> bool:
    """Whether a number of the plan is a descriptor: -1 stands for none."""
    return number >= 0


def build_wall(plan: dict[str, Any], report: int) -> None:
    """Build all layers of the plan and tell the host; does not return if one of them cannot be built.

    The order matters: limits and what needs a privilege come first, then privileges are given up for ever,
    then files (Landlock), and system calls (seccomp) last, because the filter forbids building what is above.
    """
    os.set_inheritable(report, False)
    try:
        set_limits(plan["limits"])
        handed = [make_listener(plan["listen"])] if plan["listen"] else []
        check("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1))
        if plan["drops_capabilities"]:
            drop_capabilities()
        if is_fd(plan["ruleset"]):
            restrict_files(plan["ruleset"], plan["late_rules"])
        if plan["filter"]:
            handed += restrict_calls(plan)
        tell_host(report, handed)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the plugin may run
        os.write(
            2, f"the wall around this plugin could not be built: {error}; it was not started.\n".encode()
        )
        os._exit(EXIT_NO_WALL)


def check(layer: str, result: int) -> int:
    """Return the result of a system call that built a part of a layer.

    Raises:
        WallFailed: it failed.
    """
    if result < 0:
        raise WallFailed(f"{layer}: {os.strerror(-result)}")
    return result


def set_limits(limits: list[tuple[int, int, int]]) -> None:
    """Set limits of resources: their numbers, soft and hard; one that is lower already stays."""
    import resource

    for number, soft, hard in limits:
        _, most = resource.getrlimit(number)
        hard = hard if most == resource.RLIM_INFINITY else min(hard, most)  # noqa: PLW2901
        resource.setrlimit(number, (min(soft, hard), hard))


def make_listener(port: int) -> int:
    """Open the place where the host's proxy listens inside this network namespace.

    Returns:
        its descriptor, for the host.
    """
    import _socket

    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(LISTEN_BACKLOG)
    return listener.detach()


def drop_capabilities() -> None:
    """Give up root's powers: neither this process nor a program that it executes has one.

    For an ordinary user there is nothing to drop, and the calls change nothing.
    """
    for number in range(LAST_CAPABILITY + 1):
        prctl(PR_CAPBSET_DROP, number)  # fails without CAP_SETPCAP and for numbers that this kernel lacks
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    check("capset", call_c("capset", header, bytes(24)))


def restrict_files(ruleset: int, late_rules: list[tuple[str, int]]) -> None:
    """Enter the Landlock domain that the host prepared.

    Args:
        ruleset: the host's; its rules name files of the host's view.
        late_rules: path and rights of what exists only here: our own part of /proc, private folders of a
            namespace. What is missing is not added.
    """
    for path, rights in late_rules:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rule = struct.pack("=Qi", rights, fd)
        check(
            "Landlock rule", system_call(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
        )
        os.close(fd)
    check("Landlock", system_call(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def restrict_calls(plan: dict[str, Any]) -> list[int]:
    """Load the filter of system calls.

    Returns:
        the descriptor on which the host is asked about calls, if the plan wants one.
    """
    program = bytearray(plan["filter"])
    for slot in plan["pid_slots"]:
        struct.pack_into("=I", program, slot, os.getpid())
    instructions = array_of(bytes(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, _ctypes.addressof(instructions))
    if not plan["asks"]:
        check("seccomp", system_call(plan["sys_seccomp"], SECCOMP_SET_MODE_FILTER, 0, head))
        return []
    # Once the host has taken a call, only a deadly signal may interrupt it: else it would be made twice, and
    # `connect` would find its socket connected. Kernels before 5.19 know no such flag.
    flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    result = system_call(plan["sys_seccomp"], SECCOMP_SET_MODE_FILTER, flags, head)
    if result == -errno.EINVAL:
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER
        result = system_call(plan["sys_seccomp"], SECCOMP_SET_MODE_FILTER, flags, head)
    if result == -errno.EBUSY and plan["asks"] == "bind":
        # A container's own filter is listened to already, and there can be only one. The calls that would be
        # asked about fail then, which costs a plugin its idle server and opens nothing.
        check("seccomp", system_call(plan["sys_seccomp"], SECCOMP_SET_MODE_FILTER, 0, head))
        return []
    return [check("seccomp", result)]


def tell_host(report: int, handed: list[int]) -> None:
    """Say that the wall stands, and hand over what the host attends to."""
    import _socket

    channel = _socket.socket(fileno=report)
    rights = (
        [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(handed)}i", *handed))] if handed else []
    )
    channel.sendmsg([b"walled"], rights)
    channel.detach()
    for fd in handed:
        os.close(fd)
