"""Round trips of the MCP Python SDK over stdio: a real client here, a real server as its child.

    python -m cellbench.probes.mcp_trip ping|tool COUNT

`ping` exists only in the handshake of the older protocol, where it is the cheapest request of all; `tool`
calls a tool that returns its argument, in the protocol that client and server agree on by themselves.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import warnings
from typing import Any

from cellbench.probes.trips import Trips, print_figures

__all__: list[str] = []

_SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bench", log_level="ERROR")
@server.tool()
def echo(text: str) -> str:
    return text
server.run("stdio")
"""


async def _main(kind: str, count: int) -> None:
    warnings.simplefilter("ignore")  # ping is deprecated, which is no news here
    mcp: Any = importlib.import_module("mcp")  # only there in the peer environment
    server = mcp.StdioServerParameters(command=sys.executable, args=["-c", _SERVER])
    trips = Trips(count)
    async with mcp.Client(server, mode="legacy" if kind == "ping" else "auto") as client:
        if kind == "ping":
            for _ in trips:
                await client.send_ping()
        else:
            for _ in trips:
                await client.call_tool("echo", {"text": ""})
    print_figures(trips.figures())


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
