"""A proxy, servers and clients on this machine; only the name server is ours, for there is no other here."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.network import Proxy
from cellwall_kernel.permissions import HostPattern
from cellwall_kernel.wall import open_listener

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from cellwall_kernel.permissions import Refusal

__all__ = ["PATIENCE_S", "Names", "Scene", "echo", "proxied", "say", "server"]

PATIENCE_S = 20.0
"""How long one thing may take before a test fails."""


@dataclass
class Names:
    """A name server.

    Attributes:
        table: name to answers, one for each time that it is asked; the last one stays.
        asked: the names that were asked for.
    """

    table: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict[str, list[list[str]]])
    asked: list[str] = field(default_factory=list[str])

    async def resolve(self, name: str, _port: int) -> Sequence[str]:
        """Answer as the table says."""
        self.asked.append(name)
        answers = self.table.get(name)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers[min(self.asked.count(name), len(answers)) - 1]


@dataclass
class Scene:
    """A proxy that runs.

    Attributes:
        proxy: itself.
        port: where it listens.
        names: the name server that it asks.
        refusals: what it told.
    """

    proxy: Proxy
    port: int
    names: Names
    refusals: list[Refusal]

    @property
    def told(self) -> list[str]:
        """The refusals as the user reads them."""
        return [refusal.sentence("p") for refusal in self.refusals]

    async def connect(self, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a tunnel."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("latin-1"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head + await reader.read()
        return reader, writer

    async def ask(self, target: str) -> str:
        """Ask for a tunnel that is not expected to open, and return the answer."""
        return (
            await say(self.port, f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        ).decode()

    async def get(self, url: str, host: str, *, more: str = "", body: bytes = b"") -> bytes:
        """Send a plain request and return the whole answer."""
        return await say(
            self.port, f"GET {url} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode("latin-1") + body
        )


@asynccontextmanager
async def proxied(
    *hosts: str,
    names: Mapping[str, Sequence[Sequence[str]]] | None = None,
    environ: Mapping[str, str] | None = None,
    by_invitation: bool = False,
) -> AsyncGenerator[Scene]:
    """Run a proxy for plugin `p`, for as long as the block lasts."""
    refusals: list[Refusal] = []
    server = Names(names or {})
    proxy = Proxy(
        "p",
        [HostPattern.parse(host) for host in hosts],
        on_refused=refusals.append,
        environ=environ or {},
        by_invitation=by_invitation,
        resolve=server.resolve,
    )
    listener = socket.socket(fileno=open_listener())
    port = int(listener.getsockname()[1])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(proxy.serve, listener)
        with anyio.fail_after(PATIENCE_S):
            yield Scene(proxy, port, server, refusals)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    address: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[int]:
    """Run a server, for as long as the block lasts; its handlers have finished when it ends."""
    attended: set[asyncio.Task[None]] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            attended.add(task)
        with suppress(OSError, EOFError):
            await handle(reader, writer)
        writer.close()

    running = await asyncio.start_server(attend, address, port)
    try:
        yield int(running.sockets[0].getsockname()[1])
    finally:
        running.close()
        if attended:
            await asyncio.wait(attended, timeout=PATIENCE_S)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back everything, until the client has finished."""
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


async def say(port: int, data: bytes) -> bytes:
    """Send something to a port and return everything that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read(-1)
    finally:
        writer.close()
