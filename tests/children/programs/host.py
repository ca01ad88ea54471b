"""A host that starts one plugin, prompts it and waits to be killed.

Arguments: site folder, user folder, the plugin's name, and the prompt; without a prompt it only spawns the
plugin and tells the keeper's process id.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from cellwall_kernel.discovery import discover
from cellwall_kernel.paths import Paths
from cellwall_kernel.supervisor import Supervisor, spawn_plugin
from tests.children.kit import environment_of, prompt

SITE, HOME, NAME, *ORDERS = sys.argv[1:]
RECORD = next(record for record in discover(environment_of(Path(SITE))) if record.name == NAME)
PATHS = Paths(Path(HOME))


async def main() -> None:
    """Prompt, and say so when the plugin has begun."""
    from cellwall_kernel.session import Deadline

    async with Supervisor(PATHS) as supervisor:
        session = await supervisor.start(RECORD)
        async with session.open("model/prompt", prompt(ORDERS[0]), deadline=Deadline()) as call:
            async for _ in call:
                os.write(1, b"begun\n")


if ORDERS:
    import anyio

    anyio.run(main)
else:
    os.write(1, f"{spawn_plugin(RECORD, PATHS, assets={}).pid}\n".encode())
    signal.pause()
