"""What goes on between a client and a server once both are connected: a tunnel, or one exchange."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.network._body import forward_body
from cellwall_kernel.network._head import HEAD_END, MAX_HEAD_BYTES, Malformed, read_status
from cellwall_kernel.network._hello import Incomplete, NoHello, looks_like_tls, server_name
from cellwall_kernel.network._rules import Refused
from cellwall_kernel.network._stream import TooLong
from cellwall_kernel.permissions import HostPattern, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cellwall_kernel.network._stream import Stream

__all__ = ["HEAD_S", "exchange", "let_go", "tunnel"]

HEAD_S = 10.0
"""How long a client may take for the head of a request, or for the first message of TLS (seconds)."""

LINGER_S = 2.0
"""How long a client may go on sending after the last word, which a close would take from it (seconds)."""

MAX_HELLO_BYTES = 64 * 1024
"""What the first message of TLS may take; with post-quantum keys it is about two thousand."""

HTTPS_PORT = 443
FINAL = 200
"""Answers from this number on are the last ones."""

UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
"""The alert of TLS that says: fatal, not that server name."""

Ending = OSError | EOFError | Malformed | TooLong | Refused


async def tunnel(client: Stream, server: Stream, host: HostPattern) -> Refused | None:
    """Carry bytes both ways until both sides have finished, or one has gone.

    Args:
        client: the plugin.
        server: who it wanted.
        host: what it named.

    Returns:
        why the tunnel was closed by us; None if it was not.
    """

    async def upwards() -> None:
        opening = await _opening(client, host)
        if opening:
            await server.send(opening)
            await _pump(client, server)
        server.finish()

    async def downwards() -> None:
        await _pump(server, client)
        client.finish()

    ending = await _together(upwards, downwards)
    if not isinstance(ending, Refused):
        return None
    with suppress(OSError):
        await client.send(UNRECOGNIZED_NAME)
    await let_go(client)
    return ending


async def exchange(client: Stream, server: Stream, head: bytes, length: int | None) -> Ending | None:
    """Carry one request and its answer; it ends with the answer, or when the client has gone.

    What the client sends after its request is dropped: a second one would not have been checked. A client
    that closes its side is taken to have lost interest, so that a server which works for it hears of that.

    Args:
        client: the plugin.
        server: who is asked.
        head: the head of the request, as the server gets it.
        length: bytes of the body; None if it comes in chunks.

    Returns:
        what went wrong before the answer began; None if it began.
    """
    has_begun = False

    async def ask() -> None:
        with suppress(OSError):  # a server may answer without taking everything; then its answer counts
            await server.send(head)
            await forward_body(client, server, length)
        while await client.receive():
            pass

    async def answer() -> None:
        nonlocal has_begun
        status = 0
        while status < FINAL:
            try:
                status, words = read_status(await server.receive_until(HEAD_END, MAX_HEAD_BYTES))
            except (Malformed, TooLong):
                raise Malformed("The server does not answer as HTTP does.", status=502) from None
            await client.send(words)
            has_begun = True
        await _pump(server, client)

    ending = await _together(ask, answer, until_first=True)
    if not has_begun:
        return ending
    await let_go(client)
    return None


async def let_go(client: Stream) -> None:
    """Say the last word so that it arrives: bytes that were not read would turn the close into a reset."""
    client.finish()
    with suppress(OSError):  # which is also the end of the time
        with anyio.fail_after(LINGER_S):
            while await client.receive():
                pass


async def _together(*works: Callable[[], Awaitable[None]], until_first: bool = False) -> Ending | None:
    """Do all at once until all are done, or one fails.

    Args:
        works: what to do.
        until_first: stop also when the first is done.

    Returns:
        the first failure.
    """
    failures: list[Ending] = []
    async with anyio.create_task_group() as tasks:

        async def do(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except (OSError, EOFError, Malformed, TooLong, Refused) as error:
                failures.append(error)
            if failures or until_first:
                tasks.cancel_scope.cancel()

        for work in works:
            tasks.start_soon(do, work)
    return failures[0] if failures else None


async def _pump(source: Stream, target: Stream) -> None:
    while piece := await source.receive():
        await target.send(piece)


async def _opening(client: Stream, host: HostPattern) -> bytes:
    """Return the first bytes of a tunnel, once they are seen to ask for the name that it was opened for.

    An address that was granted stands for all that is there. A name does not, and on port 443 nothing but TLS
    says which name is meant; every client that was given a name says it.

    Raises:
        Refused: they ask for another name, for none, or on port 443 not in the words of TLS.
        OSError: they take too long, or the connection broke.
    """
    data = await client.receive()
    if not data or host.is_address:
        return data
    with anyio.fail_after(HEAD_S):
        while looks_like_tls(data):
            try:
                name = server_name(data)
            except NoHello:
                raise _refused(host, "with a first message that cannot be understood") from None
            except Incomplete:
                piece = await client.receive()
                if not piece or len(data) > MAX_HELLO_BYTES:
                    raise _refused(host, "with a first message that does not end") from None
                data += piece
                continue
            if name.lower().removesuffix(".") != host.host:
                raise _refused(host, f"and to ask there for {_shown(name)}")
            return data
    if host.port == HTTPS_PORT:
        raise _refused(host, "without TLS")
    return data


def _refused(host: HostPattern, how: str) -> Refused:
    refusal = Refusal(
        tried=f"reach {host.authority} {how}",
        reason="a connection must ask for the name that it was opened for",
    )
    return Refused(f"{host.host} {how}", host.port, refusal)


def _shown(name: str) -> str:
    """Return a name that a plugin chose, fit for a terminal."""
    if not name:
        return "no name"
    try:
        return HostPattern.parse(name).host
    except ValueError:
        return "something that is no name"
