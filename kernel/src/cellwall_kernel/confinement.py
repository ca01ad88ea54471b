"""What stands around a plugin when it starts: its grants, this machine's means, and whether they suffice.

Fails closed: what a plugin was granted on the understanding that it is enforced, and cannot be enforced here,
keeps it from starting; a machine without a wall starts nothing, unless its user has said so for that plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.wall import Mechanisms, WallPlan, policy_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.wall import Policy

__all__ = ["ASPECTS", "confine", "unenforced"]

ABI_SIGNALS = 6
"""From this version on Landlock keeps signals inside a cell that may start programs."""

ASPECTS = {
    "files": "no reading, writing or listing outside what was granted",
    "network": "no network but what was granted",
    "hosts": "listed hosts by name, through the host's proxy",
    "processes": "no programs unless granted, and none that outlives the plugin",
    "host": "the host's memory, environment, descriptors and life are out of reach",
    "limits": "memory, processes, files and disk are bounded",
}
"""What a wall promises, by the words that a manifest's `[sandbox] require` uses."""


def confine(
    record: PluginRecord,
    paths: Paths,
    *,
    files: Sequence[str] = (),
    grant: Grant | None = None,
    mechanisms: Mechanisms | None = None,
) -> WallPlan | None:
    """Plan the wall of a plugin that is about to start.

    Args:
        record: the plugin.
        paths: the user folder.
        files: data files that the host hands over.
        grant: what it was granted, if that was found to be valid already.
        mechanisms: what this machine can enforce; by default it is asked.

    Returns:
        the plan; None if the user wants this plugin without a wall.

    Raises:
        PluginBroken: it must not start here, and the sentence says what would have to change.
        PluginChanged: its files are not those that its grant was given for.
        StoreProblem: the grants cannot be read.
    """
    from cellwall_kernel.grants import valid_grant

    grant = grant or valid_grant(paths, record)
    if grant.unsandboxed:
        return None
    mechanisms = mechanisms or Mechanisms.detect(paths)
    policy = policy_for(record, grant.permissions, paths, files=files)
    missing = dict(unenforced(policy, mechanisms))
    required = set(record.manifest.requires) if record.manifest is not None else set[str]()
    for aspect, cause in missing.items():
        if aspect in required or is_essential(aspect, policy):
            raise _refuse(record.name, aspect, cause)
    return WallPlan(policy=policy, mechanisms=mechanisms)


def unenforced(policy: Policy, mechanisms: Mechanisms) -> Iterator[tuple[str, str]]:
    """List what this machine cannot enforce of a policy.

    Args:
        policy: what the cell may do.
        mechanisms: what this machine can do.

    Yields:
        an aspect (see ASPECTS), and why.
    """
    if mechanisms.seatbelt is not None:
        yield "limits", "macOS bounds neither address space nor processes"
        if policy.network == "hosts":
            yield "hosts", "the proxy has no place on macOS yet"
        return
    if mechanisms.seccomp is None:
        cause = "the kernel offers no filter of system calls (seccomp) for this machine"
        yield from ((aspect, cause) for aspect in ("network", "processes", "host"))
    if not mechanisms.landlock and mechanisms.bubblewrap is None:
        cause = (
            f"the kernel has no Landlock, and {mechanisms.bubblewrap_problem or 'bubblewrap does not work'}"
        )
        yield "files", cause
        yield "host", cause
    if mechanisms.bubblewrap is not None:
        return
    if policy.network == "hosts" and not mechanisms.asks:
        yield (
            "hosts",
            f"{mechanisms.bubblewrap_problem}, and the kernel does not let the host answer for a cell",
        )
    if policy.sockets:
        yield (
            "sockets",
            f"a socket can be shown alone only by bubblewrap, and {mechanisms.bubblewrap_problem}",
        )
    if policy.spawn and mechanisms.landlock < ABI_SIGNALS:
        yield "host", "Landlock is too old to keep the signals of its programs inside"


def is_essential(aspect: str, policy: Policy) -> bool:
    """Whether a plugin must not start where this aspect is not enforced.

    With programs granted and an old Landlock, signals to the host are the one thing that stays open; the user
    who granted programs is told by `llm doctor`.
    """
    return aspect in {"files", "network", "processes", "hosts", "sockets"} or (
        aspect == "host" and not policy.spawn
    )


def _refuse(plugin: str, aspect: str, cause: str) -> PluginBroken:
    what = ASPECTS.get(aspect, "a granted socket, and no other")
    return PluginBroken(
        plugin,
        f"plugin '{plugin}' was not started: this machine cannot enforce '{aspect}' ({what}), because "
        f"{cause}. 'llm doctor' tells more; 'llm plugins grant {plugin} unsandboxed' starts it without one.",
    )
