"""Landlock: which files a process may open, by a ruleset that this process makes and the cell enters.

Landlock knows only what its version handles; what it never sees (chmod, utime, Unix sockets by path, UDP) is
the filter's business (`_seccomp`). The numbers are from linux/landlock.h; the versions: 2 renames between
folders, 3 truncation, 4 TCP, 5 device controls, 6 signals and abstract sockets.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

from cellwall_kernel.cell.system import system_call
from cellwall_kernel.errors import CellwallError

if TYPE_CHECKING:
    from cellwall_kernel.wall._policy import Policy

__all__ = ["READ", "WRITE", "make_ruleset"]

SYS_CREATE_RULESET, SYS_ADD_RULE = 444, 445
RULE_PATH_BENEATH, RULE_NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 9, 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
SCOPE_ABSTRACT_UNIX_SOCKET, SCOPE_SIGNAL = 1 << 0, 1 << 1

READ = READ_FILE | READ_DIR
WRITE = (
    READ
    | WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE
)
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The rights that a rule about a single file may name."""

FILE_RIGHTS = ((5, (1 << 16) - 1), (3, (1 << 15) - 1), (2, (1 << 14) - 1), (1, (1 << 13) - 1))
"""From which version on all rights of that many bits are handled."""

ABI_TCP, ABI_SCOPES = 4, 6
DEVICES_READ, DEVICES_WRITTEN = ("/dev/urandom", "/dev/random"), ("/dev/null", "/dev/zero", "/dev/full")


def handled_files(abi: int) -> int:
    """Return the rights on files that a version of Landlock handles."""
    return next((rights for version, rights in FILE_RIGHTS if abi >= version), 0)


def make_ruleset(policy: Policy, abi: int, *, port: int | None) -> int:
    """Make a ruleset; everything that the version handles is forbidden but for what the policy allows.

    Args:
        policy: what is allowed.
        abi: the version of Landlock to use, at least 1.
        port: the one TCP port that may be connected to; None for none.

    Returns:
        its descriptor, inheritable, which the caller closes.

    Raises:
        CellwallError: the kernel does not make it.
    """
    files = handled_files(abi)
    network = BIND_TCP | CONNECT_TCP if abi >= ABI_TCP and policy.network != "any" else 0
    scopes = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL if abi >= ABI_SCOPES else 0
    attributes = struct.pack("=QQQ", files, network, scopes)[: 24 if scopes else 16 if abi >= ABI_TCP else 8]
    ruleset = system_call(SYS_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise CellwallError(f"Landlock does not make a ruleset: {os.strerror(-ruleset)}.")
    try:
        _allow(ruleset, policy, files)
        if network and port is not None:
            _add(ruleset, RULE_NET_PORT, struct.pack("=QQ", CONNECT_TCP, port))
        os.set_inheritable(ruleset, True)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _allow(ruleset: int, policy: Policy, handled: int) -> None:
    for rights, paths in (
        (READ, policy.read),
        (WRITE, policy.write),
        (READ | EXECUTE, policy.execute),
        (READ, DEVICES_READ),
        (READ | WRITE_FILE, DEVICES_WRITTEN),
        (READ | WRITE_FILE | IOCTL_DEV, policy.devices),
    ):
        for path in paths:
            _allow_path(ruleset, path, rights & handled)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    """Allow `rights` on a path and below it; what does not exist needs no rule."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= ON_FILES
        _add(ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", rights, fd))
    finally:
        os.close(fd)


def _add(ruleset: int, kind: int, rule: bytes) -> None:
    result = system_call(SYS_ADD_RULE, ruleset, kind, rule, 0)
    if result < 0:
        raise CellwallError(f"Landlock does not take a rule: {os.strerror(-result)}.")
