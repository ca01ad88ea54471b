"""Seatbelt around a cell on macOS: a profile for `sandbox-exec`, made from a policy.

Untested until run on a Mac: the profile follows what is published about its language (sandbox.md §8), and the
text of it is what our tests look at. Weaker than the wall on Linux, and known to be:

- the keeper stands inside, so a cell can fork, whatever was granted; it can only not execute programs;
- memory and processes are not bounded, and listed hosts are not served (`confinement.unenforced`);
- names, sizes and times of all files can be seen.

In the profile what is said later counts more, and all that is not allowed is refused.
"""

# ruff: noqa: PTH118, PTH120 - texts all along

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwall_kernel.wall._policy import Policy

__all__ = ["profile", "wrapping_arguments"]

BASE = (
    "(version 1)",
    "(deny default)",
    "(allow sysctl-read)",
    "(allow process-info* (target same-sandbox))",
    "(allow signal (target same-sandbox))",
    "(allow process-fork)",  # the keeper forks the plugin's process
    "(allow ipc-posix-sem)",
    "(allow file-read-metadata)",
)
"""What every cell may do."""

SYSTEM = (
    *("/System/Library", "/System/Volumes/Preboot/Cryptexes", "/Library/Apple", "/usr/share/zoneinfo"),
    *("/var/db/timezone", "/etc/ssl", "/etc/hosts", "/etc/resolv.conf", "/etc/passwd", "/etc/services"),
    *("/dev/urandom", "/dev/random"),
)
"""What programs of macOS read on their way, beside what a policy names on every system."""

WRITTEN_DEVICES = ("/dev/null", "/dev/zero")

RESOLVER = "/var/run/mDNSResponder"
"""The socket that names are resolved through."""

FRAMEWORK_PROGRAM = ("Resources", "Python.app")
"""What the interpreter of a framework build executes in its own place, in its prefix."""


def wrapping_arguments(
    sandbox_exec: str,
    policy: Policy,
    *,
    interpreter: str,
    code: tuple[str, ...] = (),
    port: int | None = None,
) -> tuple[str, ...]:
    """Return what stands before a cell's own argument list.

    Args:
        sandbox_exec: the program.
        policy: what the cell may do.
        interpreter: what the argument list begins with.
        code: files of Cellwall that the cell begins with.
        port: where the host's proxy listens; None without one.
    """
    return (sandbox_exec, "-p", profile(policy, interpreter=interpreter, code=code, port=port))


def profile(policy: Policy, *, interpreter: str, code: tuple[str, ...] = (), port: int | None = None) -> str:
    """Return the profile of a policy; arguments as for `wrapping_arguments`."""
    return "\n".join((
        *BASE,
        _allow("file-read*", "subpath", (*SYSTEM, *policy.read, *policy.execute, *code)),
        _allow("file-read* file-write*", "subpath", policy.write),
        _allow("file-read* file-write-data", "literal", WRITTEN_DEVICES),
        _allow("file-read* file-write* file-ioctl", "literal", policy.devices),
        _allow("process-exec", "literal", (interpreter,)),
        _allow("process-exec", "subpath", (_framework_program(interpreter), *policy.execute)),
        _allow("network-outbound", "literal", policy.sockets),
        *_network(policy, port),
        "",
    ))  # fmt: skip


def quoted(text: str) -> str:
    """Return a text as the profile's language writes one, so that no path can end it early.

    Raises:
        ValueError: it holds a character that no path can have.
    """
    if "\0" in text:
        raise ValueError("a path holds a zero byte")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _allow(operations: str, kind: str, paths: Iterable[str]) -> str:
    """Return a rule for paths under their real names, which alone count (`/var` is `/private/var`)."""
    places = "".join(f"\n  ({kind} {quoted(path)})" for path in dict.fromkeys(map(os.path.realpath, paths)))
    return f"(allow {operations}{places})" if places else f"; nothing for {operations}"


def _network(policy: Policy, port: int | None) -> Iterator[str]:
    if policy.network == "hosts" and port is not None:
        yield f'(allow network-outbound (remote ip "localhost:{port}"))'
    elif policy.network == "any":
        yield '(allow network-outbound (remote ip "*:*"))'
        yield '(allow network-bind network-inbound (local ip "*:*"))'
        yield _allow("network-outbound", "literal", (RESOLVER,))
        yield "(allow system-socket)"


def _framework_program(interpreter: str) -> str:
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(interpreter)))
    return os.path.join(prefix, *FRAMEWORK_PROGRAM)
