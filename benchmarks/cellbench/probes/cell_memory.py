"""What a running cell keeps resident: the plugin's process, its keeper, and bubblewrap where it works.

    python -m cellbench.probes.cell_memory PLUGIN

`resident_bytes` is the plugin's RSS and what is private to its keeper, from which it was forked, and to
bubblewrap: what the cell adds to a machine on which nothing else runs Python.
"""

from __future__ import annotations

import os
import sys

import anyio

from cellbench.probes.plugins import find_plugin
from cellbench.probes.trips import print_figures
from cellbench.procfs import descendants, memory_bytes, rollup_bytes
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
        *wrapping, keeper, process = descendants(os.getpid())  # each has one child
        print_figures(_figures(wrapping, keeper, process))


def _figures(wrapping: list[int], keeper: int, process: int) -> dict[str, float]:
    inside, watching = _sums(process), _sums(keeper)
    around = sum(map(_private, map(_sums, wrapping)))
    return {
        "resident_bytes": inside["Rss"] + _private(watching) + around,
        "plugin_rss_bytes": inside["Rss"],
        "plugin_pss_bytes": inside["Pss"],
        "keeper_rss_bytes": watching["Rss"],
        "keeper_private_bytes": _private(watching),
        "bubblewrap_private_bytes": around,
    }


def _sums(pid: int) -> dict[str, int]:
    try:
        return rollup_bytes(pid)
    except PermissionError:  # it forbids being looked into; without rights its whole RSS counts
        rss = memory_bytes(pid)
        return {"Rss": rss, "Pss": rss, "Private_Dirty": rss}


def _private(sums: dict[str, int]) -> int:
    return sums.get("Private_Dirty", 0) + sums.get("Private_Clean", 0)


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1])
