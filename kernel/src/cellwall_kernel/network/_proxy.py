"""The proxy: the one way out for a plugin whose hosts were granted by name.

    accept → read the head → check the host → resolve and check addresses → connect → tunnel or exchange

Every connection is attended to by a task of its own and ends with it. What a client may be told is one
sentence and a status; what the user should know goes to `on_refused`.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.network._addresses import is_own
from cellwall_kernel.network._dial import Unreachable, dial, resolve, resolve_by_system
from cellwall_kernel.network._head import HEAD_END, MAX_HEAD_BYTES, Malformed, read_request
from cellwall_kernel.network._relay import HEAD_S, exchange, let_go, tunnel
from cellwall_kernel.network._rules import LOOPBACK, Refusals, Refused, Rules
from cellwall_kernel.network._stream import Stream, TooLong
from cellwall_kernel.network._upstream import UpstreamFailed, upstream_for
from cellwall_kernel.permissions import HostPattern, Refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from cellwall_kernel.network._dial import Resolve
    from cellwall_kernel.network._head import Request
    from cellwall_kernel.network._upstream import Upstream

__all__ = ["MAX_CONNECTIONS", "Proxy"]

MAX_CONNECTIONS = 256
"""How many connections of one plugin are open at once; more wait to be accepted."""

MAX_INVITED = 1024
"""How many announced connections are remembered; twice what can wait to be accepted."""

PAUSE_S = 0.05
"""How long to wait when the system is out of descriptors or memory (seconds)."""

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

HTTP_PORT = 80
NO_PORT = 0
"""Stands for a port that was not written."""

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
}

MAX_SHOWN = 80
"""How much of a host that is none is shown (characters)."""


class Proxy:
    """A proxy for one plugin; runs inside the event loop.

    Args:
        plugin: the plugin's name, for messages.
        hosts: what it was granted.
        on_refused: is called with each refusal, once for each host and port.
        environ: the host's own environment, where the user's proxy is set; None for this process's.
        by_invitation: whether only connections that were announced by `admit` are served. A port on 127.0.0.1
            can be reached by every program of this machine; a network namespace of its own can not.
        resolve: turns names into addresses.
    """

    def __init__(
        self,
        plugin: str,
        hosts: Sequence[HostPattern],
        *,
        on_refused: Callable[[Refusal], None],
        environ: Mapping[str, str] | None = None,
        by_invitation: bool = False,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        self._plugin = plugin
        self._rules = Rules(hosts)
        self._refusals = Refusals(on_refused)
        self._environ = os.environ if environ is None else environ
        self._invited: dict[int, None] | None = {} if by_invitation else None
        self._resolve = resolve

    def admit(self, source_port: int) -> None:
        """Announce a connection.

        Args:
            source_port: the port that it comes from.
        """
        if self._invited is not None:
            self._invited[source_port] = None
            if len(self._invited) > MAX_INVITED:
                del self._invited[next(iter(self._invited))]

    async def serve(self, listener: socket.socket) -> None:
        """Accept connections until cancelled; then all are closed. It ends by itself when the listener does.

        Args:
            listener: a listening TCP socket, perhaps of another network namespace; it is closed at the end.
        """
        with listener:
            listener.setblocking(False)
            slots = anyio.Semaphore(MAX_CONNECTIONS)
            async with anyio.create_task_group() as tasks:
                await slots.acquire()
                while sock := await self._accept(listener):
                    tasks.start_soon(self._attend, sock, slots)
                    await slots.acquire()

    async def _accept(self, listener: socket.socket) -> socket.socket | None:
        """Return the next connection that may be served; None if the listener takes no more."""
        while True:
            await anyio.wait_readable(listener)
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError as error:
                if error.errno not in SCARCE:
                    return None
                await anyio.sleep(PAUSE_S)
                continue
            if self._is_invited(address[1]):
                return sock
            sock.close()

    def _is_invited(self, source_port: int) -> bool:
        if self._invited is None:
            return True
        is_invited = source_port in self._invited
        self._invited.pop(source_port, None)
        return is_invited

    async def _attend(self, sock: socket.socket, slots: anyio.Semaphore) -> None:
        try:
            with Stream(sock) as client:
                await self._serve(client)
        except OSError:
            pass  # a connection broke, and with it everything that there was to do
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs one connection, not the prompt
            context = {"message": "the proxy failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            slots.release()

    async def _serve(self, client: Stream) -> None:
        """Serve one connection; see the table of answers in `_refuse`."""
        try:
            request = await _receive_request(client)
            host = _named(request)
            self._rules.check(host)
            server, upstream = await self._open(host, request)
        except (Refused, Malformed, TooLong, Unreachable, UpstreamFailed) as error:
            await self._refuse(client, error)
            return
        with server:
            if request.is_tunnel:
                await client.send(ESTABLISHED)
                if refused := await tunnel(client, server, host):
                    self._refusals.add(refused.host, refused.port, refused.refusal)
                return
            head = _onward(request, host, upstream)
            if problem := await exchange(client, server, head, request.length):
                await self._refuse(client, problem)

    async def _open(self, host: HostPattern, request: Request) -> tuple[Stream, Upstream | None]:
        """Connect to a host that was granted, the way that the user goes.

        A name that goes through the user's proxy is resolved there, where nobody can check its addresses; who
        set that proxy said that this is the way out. This machine is never reached through it: there, its
        name would mean another one.
        """
        is_here = host.is_localhost or (host.is_address and is_own(host.host))
        upstream = None if is_here else upstream_for(self._environ, host, is_tunnel=request.is_tunnel)
        if upstream is None:
            addresses = await self._addresses(host)
            return Stream(await dial(addresses, host.port, wanted=host.authority)), None
        addresses = await resolve(self._resolve, upstream.host, upstream.port)
        stream = Stream(await dial(addresses, upstream.port, wanted=f"The proxy of {upstream.variable}"))
        try:
            if request.is_tunnel:
                await upstream.open_tunnel(stream, host.authority)
        except BaseException:
            stream.close()
            raise
        return stream, upstream

    async def _addresses(self, host: HostPattern) -> Sequence[str]:
        """Return what may be connected to; the connection is made to one of them and to nothing else."""
        if host.is_localhost:
            return LOOPBACK
        if host.is_address:
            return [host.host]
        return self._rules.admitted(host, await resolve(self._resolve, host.host, host.port))

    async def _refuse(self, client: Stream, error: Exception) -> None:
        """Answer that something cannot be done, and why."""
        status, text = 502, str(error)
        match error:
            case Refused():
                self._refusals.add(error.host, error.port, error.refusal)
                status, text = 403, error.refusal.sentence(self._plugin)
            case Malformed():
                status = error.status
            case TooLong():
                status, text = 431, f"The head has more than {MAX_HEAD_BYTES // 1024} KiB."
            case EOFError() | OSError():
                text = "The server closed the connection without an answer."
            case _:
                pass  # the others say it themselves
        body = f"{text}\n".encode()
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        await client.send(head.encode("ascii") + body)
        await let_go(client)


async def _receive_request(client: Stream) -> Request:
    """Read the head of a request, in bounded time and memory."""
    try:
        with anyio.fail_after(HEAD_S):
            return read_request(await client.receive_until(HEAD_END, MAX_HEAD_BYTES))
    except TimeoutError:
        raise Malformed("The head of the request takes too long.", status=408) from None
    except EOFError:
        raise Malformed("The head of the request has no end.") from None


def _named(request: Request) -> HostPattern:
    """Return the host that a request names.

    Raises:
        Malformed: it names none.
        Refused: what it names cannot be granted, or it names two.
    """
    if not request.authority:
        raise Malformed("The request names no host.")
    host = _parsed(request.authority, NO_PORT if request.is_tunnel else HTTP_PORT)
    if host.port == NO_PORT:
        raise Malformed("CONNECT names no port.")
    if not request.is_tunnel and request.host_field is not None:
        other = _parsed(request.host_field, HTTP_PORT)
        if other != host:
            tried = f"reach {host.authority} and to ask there for {other.authority}"
            refusal = Refusal(tried=tried, reason="the address and the field Host must name the same host")
            raise Refused(f"{host.host} {other.authority}", host.port, refusal)
    return host


def _parsed(authority: str, default_port: int) -> HostPattern:
    """Read what a plugin wrote; the same spelling is asked of it as of a grant."""
    try:
        host = HostPattern.parse(authority, default_port=default_port)
        if host.is_wildcard:
            raise ValueError("is a pattern")
    except ValueError as error:
        shown = authority.rpartition("@")[2][:MAX_SHOWN]  # what stands before may be a password
        printable = "".join(character if character.isprintable() else "?" for character in shown)
        refusal = Refusal(tried=f"reach {printable or 'a host without a name'}", reason=f"that {error}")
        raise Refused(printable, 0, refusal) from None
    return host


def _onward(request: Request, host: HostPattern, upstream: Upstream | None) -> bytes:
    """Write the head of a plain request for the next hop, from what was checked."""
    authority = host.authority.removesuffix(f":{HTTP_PORT}") if host.port == HTTP_PORT else host.authority
    if upstream is None:
        return request.head(authority)
    return request.head(authority, prefix=f"http://{authority}", extra=upstream.fields)
