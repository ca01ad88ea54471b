"""Starting a plugin for a replay: as for any command, but nothing is said to it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel import launch
from cellwall_kernel.confinement import confine
from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.process import Spawned, StderrLog, spawn
from cellwall_kernel.replaying._replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.replaying._record import Recorded
    from cellwall_wire import AssetFile

__all__ = ["replay"]


async def replay(
    record: PluginRecord,
    paths: Paths,
    recorded: Sequence[Recorded],
    *,
    assets: Mapping[str, AssetFile],
    key: Callable[[str], str | None],
    exact: bool = False,
) -> list[str]:
    """Play one recorded process with the real plugin, behind its wall.

    Args:
        record: the plugin.
        paths: the user folder.
        recorded: the lines of the process, in their order.
        assets: the plugin's data files.
        key: gives a key that the plugin may have, by its alias; None if it may not, or there is none.
        exact: everything is compared, the sizes of pieces too.

    Returns:
        what is different, each as a sentence.

    Raises:
        PluginBroken: it cannot be started.
        PluginChanged: its files are not those that its grant was given for.
        StoreProblem: its folders cannot be made.
    """
    setting = {
        "dirs": {"data": str(paths.plugin_data(record.name)), "scratch": str(paths.plugin_tmp(record.name))},
        "assets": msgspec.to_builtins(dict(assets)),
    }
    spawned = _start(record, paths, assets)
    try:
        log = StderrLog(str(paths.plugin_log(record.name)), title=f"{record.name} {record.version} (replay)")
        player = Replay(spawned, log, setting=setting, key=key, exact=exact)
        await player.run(recorded)
    except BaseException:
        spawned.kill_now()  # has no effect on one that has ended
        raise
    return player.found


def _start(record: PluginRecord, paths: Paths, assets: Mapping[str, AssetFile]) -> Spawned:
    if record.problem is not None:
        raise PluginBroken(record.name, f"plugin '{record.name}' cannot be used: {record.problem}")
    wall = confine(record, paths, files=[asset.path for asset in assets.values()])
    data, tmp = str(paths.plugin_data(record.name)), str(paths.plugin_tmp(record.name))
    return spawn(launch.plan(record, data=data, tmp=tmp, wall=wall))
