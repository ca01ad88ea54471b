"""Starting a plugin's process; it needs no event loop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cellwall_kernel import launch
from cellwall_kernel.attaching import attachment_of
from cellwall_kernel.breaker import Breaker
from cellwall_kernel.config import patience_with
from cellwall_kernel.confinement import confine
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.process import Greeting, Spawned, compose, refuse_full_folders, spawn
from cellwall_kernel.tracing import tape_for
from cellwall_kernel.version import VERSION
from cellwall_wire import (
    SUPPORTED,
    AssetFile,
    Dirs,
    InitializeParams,
    Limits,
    Peer,
    PluginIdentity,
    WireLimits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.attaching import Attachment
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process.attached import Attached

__all__ = ["MOST_DEEP", "spawn_plugin"]

MOST_DEEP = 8
"""How deep calls may be nested, the user's own being the first [P-58]; more is a mistake and not a plan."""


def spawn_plugin(
    record: PluginRecord,
    paths: Paths,
    *,
    assets: Mapping[str, AssetFile],
    grant: Grant | None = None,
    limits: Limits | None = None,
) -> Spawned:
    """Start a plugin's process, or attach to it; hand the result to `Supervisor.start`.

    Args:
        record: the plugin.
        paths: the user folder.
        assets: its data files, which it may read. It is told to load at once, while this process still
            imports what it needs to listen.
        grant: what it was granted, if that was found to be valid already.
        limits: sizes on the wire.

    Raises:
        PluginBroken: it cannot be started, for a reason known already or found by the system.
        Quarantined: it crashed too often lately.
        CallFailed: what it must be told cannot be told.
        LimitExceeded: its folders hold more than they may.
        StoreProblem: its folders cannot be made.
        CellwallError: it cannot be attached to.
    """
    if (attachment := attachment_of(record.name)) is not None:
        return _attach(attachment, _greeting(record, paths, assets, limits or Limits()))
    if record.problem is not None:
        raise PluginBroken(record.name, f"plugin '{record.name}' cannot be used: {record.problem}")
    plan = launch.plan(
        record,
        data=str(paths.plugin_data(record.name)),
        tmp=str(paths.plugin_tmp(record.name)),
        wall=confine(record, paths, files=[asset.path for asset in assets.values()], grant=grant),
    )
    greeting = _greeting(record, paths, assets, limits or Limits())
    if plan.wall is not None:
        refuse_full_folders(record.name, plan.wall.policy)
    Breaker(paths).admit(record)  # last: what is let through here counts as tried
    spawned = spawn(plan)
    spawned.tape = tape_for(record.name)
    if spawned.tape is not None:
        layers = plan.wall.mechanisms.layers if plan.wall is not None else []
        spawned.tape.event("started", pid=spawned.pid, argv=list(plan.argv), cwd=plan.cwd, wall=layers)
    spawned.greet(greeting)
    return spawned


def _attach(attachment: Attachment, greeting: Greeting) -> Attached:
    """Connect to a plugin that its author has started; no wall, no breaker, nothing to be killed."""
    from cellwall_kernel.process.attached import attach

    attached = attach(attachment)
    attached.tape = tape_for(attachment.plugin)
    if attached.tape is not None:
        attached.tape.event("attached", socket=attachment.socket)
    attached.greet(greeting)
    return attached


def _greeting(
    record: PluginRecord, paths: Paths, assets: Mapping[str, AssetFile], limits: Limits
) -> Greeting:
    params = InitializeParams(
        protocols=list(SUPPORTED),
        host=Peer(name="cellwall", version=VERSION),
        plugin=PluginIdentity(name=record.name, dist=record.dist, version=record.version or None),
        limits=WireLimits(line=limits.line, data_line=limits.data_line, depth=MOST_DEEP),
        dirs=Dirs(data=str(paths.plugin_data(record.name)), scratch=str(paths.plugin_tmp(record.name))),
        assets=dict(assets),
        locale=os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or None,
    )
    return compose(record.name, params, limits, patience_with(paths, record.name).start.seconds)
