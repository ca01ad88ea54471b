"""The scene of a probe: a folder that was not granted, servers, a process that stands in for the host.

Everything is made for one run and gone after it. What an attempt did shows here, not only in its own words.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from cellwall_kernel.doctor._victim import Victim
from cellwall_kernel.errors import CellwallError
from cellwall_kernel.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from cellwall_kernel.wall import Policy, WallPlan

__all__ = ["VARIABLE", "Scene"]

VARIABLE = "CELLWALL_CANARY_API_KEY"
"""A variable that the host has and no plugin was granted."""

DESCRIPTORS = 256
"""Up to which descriptor a probe looks for something inherited."""


class Scene:
    """The scene of one run; an async context manager, inside the event loop.

    Args:
        root: the folder to make, which does not exist yet; it is deleted afterwards.

    Attributes:
        paths: the user folder of the probe.
        outside: the folder that was not granted.
        granted_port: of the server on this machine that a grant may name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.paths = Paths(root / "cellwall")
        self.outside = root / "outside"
        self.token, self.mark = secrets.token_hex(16), secrets.token_hex(8)
        self.granted_port = 0
        self._facts: dict[str, Any] = {}
        self._servers: list[asyncio.Server] = []
        self._datagrams: dict[str, socket.socket] = {}
        self._descriptors: list[int] = []
        self._victim: Victim | None = None

    async def __aenter__(self) -> Self:
        try:
            self._furnish()
            await self._open_servers()
            self._open_terminal()
            self._victim = Victim(self.outside / "canary", self.token)
            self._facts |= self._victim.facts
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def question(self, attempts: list[str], policy: Policy, *, threads: int, wall: WallPlan | None) -> bytes:
        """Return the line that tells a probe what to try.

        Args:
            attempts: their names.
            policy: what the cell may do.
            threads: how many it tries to start.
            wall: what stands around the cell.
        """
        resources = policy.resources
        facts = {
            **self._facts,
            "attempts": attempts,
            "memory_bytes": resources.memory_bytes + policy.extra_address_bytes,
            "file_bytes": resources.file_size_bytes + 1,
            "threads": threads,
            "is_walled": wall is not None,
            "has_namespaces": wall is not None and wall.has_namespaces,
        }
        return json.dumps(facts).encode() + b"\n"

    def effects(self) -> dict[str, bool]:
        """Say of the attempts whose effect shows only here whether they had it; after the probe has ended."""
        found = self._victim.changes() if self._victim is not None else {}
        for name, sock in self._datagrams.items():
            heard = False
            with suppress(BlockingIOError):
                while not heard:
                    heard = sock.recv(4096) == self.mark.encode()
            found[name] = heard
        found["daemon"] = self._is_locked(self.paths.plugin_data("doctor") / "alive.lock")
        return found

    # -- files -----------------------------------------------------------------------------------------------

    def _furnish(self) -> None:
        try:
            self._root.mkdir(mode=0o700)
            self.outside.mkdir(mode=0o700)
            for name in ("canary", "truncated", "deleted", "moved-out", "mode"):
                (self.outside / name).write_text(f"it is {self.token}\n", encoding="utf-8")
                (self.outside / name).chmod(0o600)
        except OSError as error:
            raise CellwallError(
                f"the sandbox cannot be looked at: the folder {self._root} cannot be made: {error.strerror}."
            ) from error
        canary = os.open(self.outside / "canary", os.O_RDONLY)
        os.set_inheritable(canary, True)
        self._descriptors.append(canary)
        status = os.fstat(canary)
        self._facts = {
            "token": self.token,
            "mark": self.mark,
            "outside": str(self.outside),
            "variable": VARIABLE,
            "canary_inode": (status.st_dev, status.st_ino),
            "descriptors": DESCRIPTORS,
        }

    @staticmethod
    def _is_locked(path: Path) -> bool:
        import fcntl

        try:
            fd = os.open(path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    # -- servers ---------------------------------------------------------------------------------------------

    async def _open_servers(self) -> None:
        """Open what a probe tries to reach; each server says the token and hangs up."""
        self._facts["port"] = await self._serve(_bound(socket.AF_INET, ("127.0.0.1", 0)))
        self.granted_port = await self._serve(_bound(socket.AF_INET, ("127.0.0.1", 0)))
        self._facts["granted_port"] = self.granted_port
        self._facts["port6"] = 0
        with suppress(OSError):
            self._facts["port6"] = await self._serve(_bound(socket.AF_INET6, ("::1", 0)))
        self._facts["abstract"] = ""
        if sys.platform == "linux":
            self._facts["abstract"] = f"cellwall-{self.mark}"
            await self._serve(_bound(socket.AF_UNIX, "\0" + self._facts["abstract"]))
        await self._serve(self._bound_by_path("s", socket.SOCK_STREAM))
        self._datagrams["unix_datagram"] = self._bound_by_path("d", socket.SOCK_DGRAM)
        self._datagrams["udp"] = _bound(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
        self._facts["udp_port"] = self._datagrams["udp"].getsockname()[1]

    async def _serve(self, sock: socket.socket) -> int:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(self.token.encode())
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

        address: Any = sock.getsockname()
        start = asyncio.start_unix_server if sock.family == socket.AF_UNIX else asyncio.start_server
        self._servers.append(await start(greet, sock=sock))
        return 0 if sock.family == socket.AF_UNIX else int(address[1])

    def _bound_by_path(self, name: str, kind: int) -> socket.socket:
        """Make a socket in the folder; the folder's own path may be too long for an address."""
        if sys.platform != "linux":
            return _bound(socket.AF_UNIX, str(self.outside / name), kind)
        folder = os.open(self.outside, os.O_RDONLY)
        try:
            return _bound(socket.AF_UNIX, f"/proc/self/fd/{folder}/{name}", kind)
        finally:
            os.close(folder)

    def _open_terminal(self) -> None:
        self._facts["terminal"] = ""
        with suppress(OSError):
            master, slave = os.openpty()
            self._descriptors += [master, slave]
            self._facts["terminal"] = os.ttyname(slave)

    def _leave(self) -> None:
        if self._victim is not None:
            self._victim.close()
        for server in self._servers:
            server.close()
        for sock in self._datagrams.values():
            sock.close()
        for fd in self._descriptors:
            os.close(fd)
        shutil.rmtree(self._root, ignore_errors=True)


def _bound(family: int, address: object, kind: int = socket.SOCK_STREAM) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        sock.bind(address)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # of its family
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
