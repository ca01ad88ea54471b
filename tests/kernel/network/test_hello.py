"""The first message of TLS: the name in it is found, however it is cut into pieces."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.network._hello import Incomplete, NoHello, looks_like_tls, server_name
from cellwall_kernel.network._relay import UNRECOGNIZED_NAME, tunnel
from cellwall_kernel.network._stream import Stream
from cellwall_kernel.permissions import HostPattern

if TYPE_CHECKING:
    from cellwall_kernel.network._rules import Refused


def hello(name: str | None) -> bytes:
    """Return what Python's own TLS sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def records(message: bytes, size: int) -> bytes:
    """Cut a message into records of that size."""
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def message(*extensions: tuple[int, bytes], rest: bytes = b"") -> bytes:
    """Build a message by hand."""
    listed = b"".join(
        kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body for kind, body in extensions
    )
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(listed).to_bytes(2, "big") + listed + rest
    return b"\x01" + len(body).to_bytes(3, "big") + body


def named(*names: bytes, kind: int = 0) -> tuple[int, bytes]:
    """Build the extension that names the server."""
    entries = b"".join(bytes([kind]) + len(name).to_bytes(2, "big") + name for name in names)
    return 0, len(entries).to_bytes(2, "big") + entries


def test_the_name_is_found_in_a_real_first_message() -> None:
    """sandbox.md §5: compare SNI with the CONNECT name."""
    assert "api.example" == server_name(hello("api.example"))
    assert "api.example" == server_name(hello("api.example") + b"more")
    assert "" == server_name(hello(None))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100, 10000])
def test_the_name_is_found_across_records(size: int) -> None:
    """RFC 8446: a message may be spread over many records, and servers put it together."""
    assert "api.example" == server_name(records(hello("api.example")[5:], size))


def test_every_shorter_beginning_is_incomplete() -> None:
    """The bytes come in any pieces."""
    whole = records(hello("api.example")[5:], 50)
    for end in range(len(whole)):
        with pytest.raises(Incomplete):
            server_name(whole[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",  # as SSL 2 began
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x17\x03\x03\x00\x05hello",
        records(b"\x02" + message(named(b"a"))[1:], 1000),
        records(message(named(b"a.example"), named(b"b.example")), 1000),
        records(message(named(b"a.example", b"b.example")), 1000),
        records(message(named(b"a.example", kind=1)), 1000),
        records(message(named(b"")), 1000),
        records(message(named(b"\xff")), 1000),
        records(message((0, b"")), 1000),
        records(message((0, b"\x00\x04\x00\x00\x01a!")), 1000),
        records(message(named(b"a.example"), rest=b"!"), 1000),
        records(b"\x01\x00\x00\x05hello", 1000),
        records(message(named(b"a.example")), 20) + b"\x17",
        records(message(named(b"a.example"))[:30], 30) + b"\x17\x03\x03\x00\x01!",
    ],
)
def test_what_two_readers_could_understand_differently_is_no_hello(data: bytes) -> None:
    """House rule: read strictly. Bytes after the message belong to what follows."""
    if data.endswith(b"\x17") and len(data) > 10:
        assert "a.example" == server_name(data)
        return
    with pytest.raises(NoHello):
        server_name(data)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_a_name_or_not(data: bytes, place: int) -> None:
    """House rule: decoders are fuzzed, also with a message that is nearly right."""
    whole = records(message(named(b"a.example"), (10, b"\x00\x02\x00\x17")), 40)
    for candidate in (data, whole[:place] + data[:3] + whole[place + 3 :]):
        try:
            assert isinstance(server_name(candidate), str)
        except (Incomplete, NoHello):
            continue


def test_one_byte_can_be_too_few_to_tell() -> None:
    """Some protocols begin with the same byte."""
    assert looks_like_tls(b"\x16")
    assert not looks_like_tls(b"\x16\x00")
    assert not looks_like_tls(b"G")


async def carried(opening: bytes, target: str) -> tuple[bytes, bytes, Refused | None]:
    """Send an opening through a tunnel; return what the server and the client got, and what was told."""
    client, near = socket.socketpair()
    far, server = socket.socketpair()
    at_server: list[bytes] = []

    async def collect() -> None:
        at_server.append(await received(server))
        server.shutdown(socket.SHUT_WR)

    refused: Refused | None = None
    with client, server, anyio.fail_after(15):
        client.sendall(opening)
        client.shutdown(socket.SHUT_WR)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect)
            with Stream(near) as source, Stream(far) as sink:
                refused = await tunnel(source, sink, HostPattern.parse(target))
        return at_server[0], await received(client), refused


async def received(sock: socket.socket) -> bytes:
    """Return everything that a socket got."""
    sock.setblocking(False)
    data = b""
    while piece := await asyncio.get_running_loop().sock_recv(sock, 65536):
        data += piece
    return data


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("opening", "target"),
    [
        (hello("api.example"), "api.example"),
        (hello("API.Example"), "api.example"),
        (records(message(named(b"Api.Example.")), 7), "api.example"),
        (hello("api.example"), "api.example:8443"),
        (hello("localhost"), "localhost:8443"),
        (hello("anything.example"), "192.0.2.7"),
        (hello(None), "192.0.2.7"),
        (hello(None), "[2001:db8::7]"),
        (b"SSH-2.0-x\r\n", "192.0.2.7"),
        (b"SSH-2.0-x\r\n", "git.example:22"),
        (b"\x16\x00\x01", "db.example:5432"),
        (b"", "api.example"),
    ],
)
async def test_an_opening_that_asks_for_the_same_name_passes(opening: bytes, target: str) -> None:
    """sandbox.md §5: an address that was granted stands for all that is there."""
    at_server, at_client, refused = await carried(opening, target)

    assert opening == at_server
    assert b"" == at_client
    assert refused is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("opening", "target", "told"),
    [
        (hello("evil.example"), "api.example", "and to ask there for evil.example"),
        (records(hello("evil.example")[5:], 1), "api.example", "and to ask there for evil.example"),
        (hello("evil.example"), "api.example:8443", "and to ask there for evil.example"),
        (hello("x.api.example"), "api.example", "and to ask there for x.api.example"),
        (
            records(message(named(b"\x1b[2J")), 99),
            "api.example",
            "and to ask there for something that is no name",
        ),
        (hello(None), "api.example", "and to ask there for no name"),
        (hello(None), "api.example:8443", "and to ask there for no name"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "api.example", "without TLS"),
        (b"\x80\x2e\x01\x03\x01", "api.example", "without TLS"),
        (b"\x16\x03\x01\x00\x05hello", "api.example", "with a first message that cannot be understood"),
        (hello("api.example")[:-1], "api.example", "with a first message that does not end"),
        (b"\x16", "api.example", "with a first message that does not end"),
    ],
)
async def test_an_opening_that_asks_for_something_else_never_arrives(
    opening: bytes, target: str, told: str
) -> None:
    """sandbox.md §5: compare SNI with the CONNECT name; the client gets TLS's own word for it."""
    at_server, at_client, refused = await carried(opening, target)

    assert b"" == at_server
    assert UNRECOGNIZED_NAME == at_client
    assert refused is not None
    assert (
        f"plugin 'p' tried to reach {HostPattern.parse(target).authority} {told};"
        in refused.refusal.sentence("p")
    )


@pytest.mark.anyio
async def test_an_opening_in_many_small_pieces_is_put_together() -> None:
    """The bytes come as the network cuts them."""
    client, near = socket.socketpair()
    far, server = socket.socketpair()
    opening = hello("api.example")

    async def dribble() -> None:
        client.setblocking(False)
        for byte in opening:
            await asyncio.get_running_loop().sock_sendall(client, bytes([byte]))
            await asyncio.sleep(0)
        client.shutdown(socket.SHUT_WR)

    with client, server, Stream(near) as source, Stream(far) as sink:
        server.shutdown(socket.SHUT_WR)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dribble)
            assert await tunnel(source, sink, HostPattern.parse("api.example")) is None
        sink.close()
        assert opening == await received(server)
