"""Starts cells as the kernel does, with the part of the wall that a probe wants to compare.

A *mode* is a name for what stands around a cell:

    bare        nothing: the user wants it so (`--unsandboxed`)
    walled      Landlock, seccomp and limits
    hinted      the same, and the cell tells the host what its plugin tries in vain
    wrapped     the same, with bubblewrap around it: what a user has where that works
    direct      walled, with any network granted
    broker      walled, with hosts granted: the host connects the plugin's sockets to its proxy
    namespace   wrapped, with hosts granted: the host's proxy listens in the cell's own network
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import cellbench
from cellbench.probes.plugins import find_plugin
from cellwall_kernel import launch
from cellwall_kernel.confinement import confine
from cellwall_kernel.grants import Grant
from cellwall_kernel.permissions import Permissions
from cellwall_kernel.process import compose, refuse_full_folders, spawn
from cellwall_kernel.session import Deadline
from cellwall_kernel.version import VERSION
from cellwall_kernel.wall import Mechanisms
from cellwall_wire import (
    SUPPORTED,
    Delta,
    Dirs,
    InitializeParams,
    Limits,
    Message,
    Peer,
    PluginIdentity,
    PromptParams,
    TextPart,
    WireLimits,
)

if TYPE_CHECKING:
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.session import Session
    from cellwall_kernel.wall import WallPlan

__all__ = ["ask", "measuring_plugin", "start"]

_WRAPPED = frozenset({"wrapped", "namespace"})
_HINTED = frozenset({"hinted", *_WRAPPED})
_PATIENCE_S = 120.0


def measuring_plugin() -> PluginRecord:
    """Return the plugin that measures from inside, as if it were installed beside the echo plugin."""
    folder = str(Path(cellbench.__file__).parent / "plugin")
    echo = find_plugin("echo")
    return msgspec.structs.replace(
        echo, name="bench-inside", target="bench_inside", folders=(*echo.folders, ("path", folder))
    )


def start(record: PluginRecord, paths: Paths, mode: str, *, port: int = 0) -> Spawned:
    """Start a plugin: the steps of `supervisor.spawn_plugin`, with the wall of a mode.

    Args:
        record: the plugin.
        paths: the user folder.
        mode: see above.
        port: of a server on this machine that modes with a network may reach.
    """
    wall = _wall(record, paths, mode, port)
    data, tmp = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
    plan = launch.plan(record, data=data, tmp=tmp, wall=wall)
    limits = Limits()
    params = InitializeParams(
        protocols=list(SUPPORTED),
        host=Peer(name="cellwall", version=VERSION),
        plugin=PluginIdentity(name=record.name, dist=record.dist, version=record.version or None),
        limits=WireLimits(line=limits.line, data_line=limits.data_line),
        dirs=Dirs(data=data, scratch=tmp),
    )
    greeting = compose(record.name, params, limits)
    if wall is not None:
        refuse_full_folders(record.name, wall.policy)
    spawned = spawn(plan)
    spawned.greet(greeting)
    return spawned


def _wall(record: PluginRecord, paths: Paths, mode: str, port: int) -> WallPlan | None:
    if mode == "bare":
        return confine(record, paths, grant=Grant(unsandboxed=True))
    mechanisms = Mechanisms.detect(paths)
    if mode not in _WRAPPED:
        mechanisms = msgspec.structs.replace(
            mechanisms, bubblewrap=None, bubblewrap_problem="it is not wanted"
        )
    elif mechanisms.bubblewrap is None:
        raise SystemExit(f"mode {mode}: {mechanisms.bubblewrap_problem}")
    wall = confine(record, paths, grant=_grant(mode, port), mechanisms=mechanisms)
    return None if wall is None else msgspec.structs.replace(wall, is_attended=mode in _HINTED)


def _grant(mode: str, port: int) -> Grant:
    if mode == "direct":
        return Grant(permissions=Permissions(network="any"))
    if mode in {"broker", "namespace"}:
        return Grant(permissions=Permissions(network=(f"127.0.0.1:{port}",)))
    return Grant()


async def ask(session: Session, text: str) -> dict[str, float]:
    """Have the measuring plugin measure something and return its figures."""
    params = PromptParams(model="bench-inside", messages=[Message(role="user", parts=[TextPart(text=text)])])
    answer: list[str] = []
    async with session.open("model/prompt", params, deadline=Deadline(total_s=_PATIENCE_S)) as call:
        async for items in call:
            answer += [item.text for item in items if isinstance(item, Delta)]
        await call.finish()
    figures: dict[str, float] = json.loads("".join(answer))
    return figures
