"""Round trips from the kernel's own session to a running plugin in its cell.

    python -m cellbench.probes.kernel_trip ping|prompt PLUGIN COUNT

PLUGIN is an entry point whose model has the same name. Beside the times, the bytes per trip that this
process wrote and read are printed, as the system counted them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from cellbench.probes.plugins import find_plugin
from cellbench.probes.trips import Trips, pin_if_asked, print_figures
from cellwall_kernel.paths import Paths
from cellwall_kernel.session import Deadline, Session
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import Message, PingParams, PromptParams, TextPart

__all__: list[str] = []

_PATIENCE_S = 30.0


async def _main(kind: str, plugin: str, count: int) -> None:
    trips = Trips(count)
    async with Supervisor(Paths.from_environment()) as supervisor:
        session = await supervisor.start(find_plugin(plugin))
        before = _bytes_moved()
        await _run(session, kind, plugin, trips)
        after = _bytes_moved()
    per_trip = [(later - sooner) // trips.repetitions for sooner, later in zip(before, after, strict=True)]
    print_figures({**trips.figures(), "response_bytes": per_trip[0], "request_bytes": per_trip[1]})


async def _run(session: Session, kind: str, model: str, trips: Trips) -> None:
    if kind == "ping":
        for _ in trips:
            await session.request("ping", PingParams(), timeout_s=_PATIENCE_S)
        return
    params = PromptParams(model=model, messages=[Message(role="user", parts=[TextPart(text="")])])
    deadline = Deadline(total_s=_PATIENCE_S)
    for _ in trips:
        async with session.open("model/prompt", params, deadline=deadline) as call:
            await call.finish()


def _bytes_moved() -> tuple[int, int]:
    """Return the bytes that this process has read and written so far."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"]), int(fields["wchar"])


if __name__ == "__main__":
    pin_if_asked()
    anyio.run(_main, sys.argv[1], sys.argv[2], int(sys.argv[3]))
