"""Reaching a host: names become addresses once, and what was checked is what is connected to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio

__all__ = ["Resolve", "Unreachable", "dial", "resolve", "resolve_by_system"]

RESOLVE_S = 10.0
"""How long a name server may take (seconds); the system itself tries two or three in that time."""

CONNECT_S = 5.0
"""How long one address may take to answer before the next is tried (seconds)."""

MAX_ADDRESSES = 8
"""How many addresses of one name are tried."""

MAX_LOOKUPS = 32
"""How many names are looked up at once; each takes a thread."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Turns a name and a port into addresses, the best one first."""

_free_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


class Unreachable(Exception):
    """Raised when a host cannot be reached; the message is a sentence."""


async def resolve_by_system(name: str, port: int) -> list[str]:
    """Ask the system where a name leads.

    It asks in a thread that nobody waits for: the event loop's own threads would keep a program from ending
    while a name server is silent.

    Raises:
        OSError: it leads nowhere.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def set_answer(found: list[str] | OSError) -> None:
        if answer.done():
            return  # nobody waits any more
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def look_up() -> None:
        found = _addresses(name, port)
        _free_lookups.release()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(set_answer, found)

    if not _free_lookups.acquire(blocking=False):
        raise OSError("too many names are being looked up")
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await answer


async def resolve(ask: Resolve, name: str, port: int) -> list[str]:
    """Return where a name leads, at least one address.

    Args:
        ask: who knows.
        name: a name.
        port: the port that is wanted.

    Raises:
        Unreachable: nowhere, or nobody answered in time.
    """
    try:
        with anyio.fail_after(RESOLVE_S):
            addresses = list(await ask(name, port))
    except TimeoutError:
        raise Unreachable(f"No name server answers for {name}.") from None
    except OSError as error:
        raise Unreachable(f"The name {name} leads nowhere ({error.strerror or error}).") from error
    if not addresses:
        raise Unreachable(f"The name {name} leads nowhere.")
    return addresses[:MAX_ADDRESSES]


async def dial(addresses: Sequence[str], port: int, *, wanted: str) -> socket.socket:
    """Connect to the first address that answers.

    Args:
        addresses: addresses, not names: nothing is resolved here.
        port: the port.
        wanted: the host and the port in words, for the message.

    Raises:
        Unreachable: none answers.
    """
    problem = "no address"
    for address in addresses:
        try:
            return await _connect(address, port)
        except TimeoutError:
            problem = "it does not answer"
        except OSError as error:
            problem = error.strerror or str(error)
    raise Unreachable(f"{wanted} cannot be reached ({problem}).")


async def _connect(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with anyio.fail_after(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _addresses(name: str, port: int) -> list[str] | OSError:
    try:
        infos = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError as error:
        return OSError(str(error))
    return list(dict.fromkeys(str(info[4][0]) for info in infos))
