"""The table of attempts: which there are, which line of the report they belong to, behind which wall.

What an attempt does stands in `probe/cellwall_sdk`, which runs in the cell.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["LINES", "PROBES", "SEES_NAMES", "Line", "Probe", "Scenery"]

Scenery = Literal["default", "hosts", "programs"]
"""The walls: nothing granted; one host granted by name; programs granted."""

SCENERIES: tuple[Scenery, ...] = ("default", "hosts", "programs")


class Probe(NamedTuple):
    """An attempt.

    Args:
        name: what the cell calls it.
        words: for people.
        is_promise: whether it must be possible; else it must be refused.
        needs_bare: whether it proves something only if it succeeds without a wall.
    """

    name: str
    words: str
    is_promise: bool = False
    needs_bare: bool = True


class Line(NamedTuple):
    """A line of the report.

    Args:
        aspect: what it belongs to.
        title: for people.
        scenery: the wall behind which its attempts are made.
        needs_proof: whether the aspect counts as missing if nothing could be tested.
        probes: the attempts.
    """

    aspect: str
    title: str
    scenery: Scenery
    needs_proof: bool
    probes: tuple[Probe, ...]


def _unproven(name: str, words: str) -> Probe:
    return Probe(name, words, needs_bare=False)


def _promise(name: str, words: str) -> Probe:
    return Probe(name, words, is_promise=True, needs_bare=False)


_REACH = (
    Probe("ipv4", "IPv4"),
    Probe("udp", "UDP"),
    Probe("unix", "Unix socket"),
    Probe("abstract", "abstract socket"),
    Probe("unix_datagram", "Unix datagram"),
    Probe("netlink", "netlink"),
    Probe("vsock", "vsock"),
)

LINES: dict[str, Line] = {
    "files": Line("files", "files outside grants", "default", True, (
        *(Probe("read", "read"), Probe("read_link", "read through a link"), Probe("list", "list")),
        *(Probe("write", "write"), Probe("truncate", "truncate"), Probe("create", "create")),
        *(Probe("symlink", "link"), Probe("delete", "delete"), Probe("rename_in", "move in")),
        *(Probe("rename_out", "move out"), Probe("chmod", "change mode")),
    )),
    "own": Line("own", "its own folder", "default", True, (
        _promise("own_folder", "write, read, rename, delete"),
    )),
    "network": Line("network", 'network "none"', "default", True, (*_REACH, Probe("ipv6", "IPv6"))),
    "hosts": Line("hosts", "network by name", "hosts", True, (
        *_REACH,
        Probe("ipv6", "IPv6"),
        *(_unproven("foreign_name", "another name"), _unproven("other_port", "another port")),
        _promise("granted_host", "the granted host"),
    )),
    "host": Line("host", "the host's memory, environment", "default", True, (
        *(Probe("memory", "memory"), Probe("vm_read", "copy memory"), Probe("environ", "environment")),
        *(Probe("ptrace", "trace"), Probe("fd", "open its files"), Probe("getfd", "take its descriptors")),
        *(_unproven("inherited", "inherited descriptors"), _unproven("variable", "its variables")),
    )),
    "signals": Line("host", "signals to the host", "default", True, (
        *(Probe("signal", "signal"), Probe("pidfd_signal", "by handle"), Probe("keeper", "to the keeper")),
        *(Probe("prlimit", "set its limits"), Probe("renice", "renice")),
    )),
    "processes": Line("processes", "programs", "default", True, (
        *(Probe("fork", "fork"), Probe("exec", "execute"), Probe("program", "start a program")),
        Probe("memfd", "program in memory"),
    )),
    "granted_programs": Line("processes", "programs, when granted", "programs", True, (
        _promise("program", "start a program"), _unproven("daemon", "outlive the plugin"),
    )),
    "granted_signals": Line("host", "signals of granted programs", "programs", True, (
        *(Probe("signal", "signal"), Probe("keeper", "to the keeper"), Probe("prlimit", "set limits")),
        *(Probe("renice", "renice"), Probe("ptrace", "trace"), Probe("memory", "memory")),
    )),
    "kernel": Line("kernel", "parts of the kernel", "default", False, (
        *(Probe("keyring", "keyrings"), Probe("io_uring", "io_uring"), Probe("bpf", "bpf")),
        *(Probe("perf", "perf events"), Probe("userfaultfd", "userfaultfd")),
        Probe("user_namespace", "user namespaces"),
    )),
    "terminal": Line("terminal", "the user's terminal", "default", False, (
        *(Probe("tiocsti", "type"), Probe("terminal", "open a terminal")),
        _unproven("controlling_tty", "open its own"),
    )),
    "limits": Line("limits", "limits", "default", True, (
        _unproven("limit_values", "numbers"),
        *(Probe("memory_limit", "memory"), Probe("file_size", "file size"), Probe("threads", "processes")),
    )),
}  # fmt: skip
"""The lines of the report, in their order. `user_namespace` changes the process that makes it: it comes last
of those that the kernel line has, and nothing after it needs the user's own name."""

SEES_NAMES = "stat"
"""Looks at a file that it cannot open: no promise, but worth knowing."""

PROBES: dict[Scenery, tuple[str, ...]] = {
    scenery: tuple(
        dict.fromkeys(
            probe.name for line in LINES.values() if line.scenery == scenery for probe in line.probes
        )
    )
    for scenery in SCENERIES
}
PROBES["default"] = (SEES_NAMES, *PROBES["default"])
"""Which attempts are made behind which wall."""
