"""What a running cell keeps resident: the keeper, the plugin's process, and what they share.

    python -m cellbench.probes.cell_memory PLUGIN

`resident_bytes` is the plugin's RSS and what is private to its keeper, from which it was forked: what the
cell adds to a machine on which nothing else runs Python.
"""

from __future__ import annotations

import os
import sys

import anyio

from cellbench.probes.plugins import find_plugin
from cellbench.probes.trips import print_figures
from cellbench.procfs import children, memory_bytes, rollup_bytes
from cellwall_kernel.paths import Paths
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Message, PromptParams, TextPart

__all__: list[str] = []


async def _main(plugin: str) -> None:
    asked = [Message(role="user", parts=[TextPart(text="")])]
    async with Supervisor(Paths.from_environment()) as supervisor:
        session = await supervisor.start(find_plugin(plugin))
        params = PromptParams(model=plugin, messages=asked)
        async with session.open("model/prompt", params, deadline=Deadline(total_s=30)) as call:
            await call.finish()
        [keeper] = children(os.getpid())
        [process] = children(keeper)
        print_figures(_figures(keeper, process))


def _figures(keeper: int, process: int) -> dict[str, float]:
    inside = rollup_bytes(process)
    try:
        watching = rollup_bytes(keeper)
    except PermissionError:  # the keeper forbids being looked into; without rights its whole RSS counts
        watching = {"Rss": memory_bytes(keeper), "Private_Dirty": memory_bytes(keeper)}
    keeper_private = watching.get("Private_Dirty", 0) + watching.get("Private_Clean", 0)
    return {
        "resident_bytes": inside["Rss"] + keeper_private,
        "plugin_rss_bytes": inside["Rss"],
        "plugin_pss_bytes": inside["Pss"],
        "keeper_rss_bytes": watching["Rss"],
        "keeper_private_bytes": keeper_private,
    }


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1])
