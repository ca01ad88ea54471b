"""Plain requests: one is read strictly, checked, written anew, and answered; nothing else goes along."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwall_kernel.network._head import Malformed, read_request, read_status
from tests.kernel.network.scene import proxied, say, server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=9\r\n\r\nhi"
CLOSING = OK.replace(b"keep-alive", b"close")


def post(port: int, *fields: str) -> bytes:
    """Return the head of a request for localhost."""
    lines = [f"POST http://localhost:{port}/ HTTP/1.1", f"Host: localhost:{port}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def recorder(
    seen: list[bytes], until: bytes, answer: bytes = OK
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return a server that reads up to a mark, answers, and notes what it got until the client closed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = await reader.readuntil(until)
        writer.write(answer)
        await writer.drain()
        if b"keep" not in answer:
            writer.write_eof()
        seen.append(got + await reader.read(-1))

    return handle


async def test_a_plain_request_is_written_anew_and_answered() -> None:
    """sandbox.md §5: absolute-form GET; hop-by-hop fields stay here and the connection is for one request."""
    seen: list[bytes] = []
    async with server(recorder(seen, b"\r\n\r\n", CLOSING)) as port, proxied(f"localhost:{port}") as scene:
        fields = (
            "Connection: keep-alive, X-Hop, Content-Length\r\nX-Hop: 1\r\nProxy-Connection: keep-alive\r\n"
            "Proxy-Authorization: Basic c2VjcmV0\r\nTE: trailers\r\nUpgrade: h2c\r\n"
            "Accept: a,\tb\r\nX-Latin: \xe9\r\n"
        )
        answer = await scene.get(f"http://LOCALHOST:{port}/a?b=c", f"localhost.:{port}", more=fields)

    assert b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi" == answer
    host = f"Host: localhost:{port}".encode()
    assert [
        b"GET /a?b=c HTTP/1.1\r\n" + host + b"\r\nAccept: a,\tb\r\nX-Latin: \xe9\r\nConnection: close\r\n\r\n"
    ] == seen


@pytest.mark.parametrize(
    ("url", "path"), [("", "/"), ("/", "/"), ("?q=1", "/?q=1"), ("//evil.example/", "//evil.example/")]
)
async def test_the_path_is_what_follows_the_host(url: str, path: str) -> None:
    """RFC 9112: absolute-form."""
    assert (
        path
        == read_request(b"GET http://a.example" + url.encode() + b" HTTP/1.1\r\nHost: a.example\r\n\r\n").path
    )


@pytest.mark.parametrize(
    "line",
    [
        "GET https://a.example/ HTTP/1.1",
        "GET ftp://a.example/ HTTP/1.1",
        "GET http:/a.example/ HTTP/1.1",
        "GET //a.example/ HTTP/1.1",
        "GET http://a.example/#x HTTP/1.1",
        "GET http://a.example/ HTTP/1.2",
        "GET http://a.example/ HTTP/1.1 ",
        "GET http://a.example/\u00e9 HTTP/1.1",
        "GET http://a.example/ x HTTP/1.1",
        "get http://a.example/ HTTP/1.1",
        "GET\thttp://a.example/ HTTP/1.1",
        "",
    ],
)
def test_odd_request_lines_are_malformed(line: str) -> None:
    """House rule: read strictly."""
    with pytest.raises(Malformed):
        read_request(f"{line}\r\nHost: a.example\r\n\r\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("", "Host is missing"),
        ("Host: a.example\r\nhost: a.example\r\n", "host is there more than once"),
        (
            "Host: a.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "content-length is there more than once",
        ),
        ("Host: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "two lengths"),
        ("Host: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "more than once"),
        ("Host: a.example\r\nTransfer-Encoding: gzip, chunked\r\n", "other than chunked"),
        ("Host: a.example\r\nTransfer-Encoding: xchunked\r\n", "other than chunked"),
        ("Host: a.example\r\nContent-Length: 1, 1\r\n", "no number"),
        ("Host: a.example\r\nContent-Length: +1\r\n", "no number"),
        ("Host: a.example\r\nContent-Length: 0x1\r\n", "no number"),
        ("Host: a.example\r\nContent-Length: -1\r\n", "no number"),
        ("Host: a.example\r\nContent-Length:\r\n", "no number"),
        ("Host: a.example\r\nContent-Length : 1\r\n", "no plain name"),
        ("Host: a.example\r\nA: b\r\n c\r\n", "no plain name"),
        ("Host: a.example\r\nno colon\r\n", "no plain name"),
        ("Host: a.example\r\nA: b\rContent-Length: 1\r\n", "control character"),
        ("Host: a.example\r\nA: b\nContent-Length: 1\r\n", "control character"),
        ("Host: a.example\r\nA: \x7f\r\n", "control character"),
    ],
)
def test_fields_that_could_be_read_in_two_ways_are_malformed(fields: str, problem: str) -> None:
    """House rule: no request smuggling."""
    with pytest.raises(Malformed, match=problem):
        read_request(f"POST http://a.example/ HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))


def test_chunks_need_version_one_point_one() -> None:
    """RFC 9112: an older server would take the chunks for the body."""
    with pytest.raises(Malformed):
        read_request(b"POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_malformed(data: bytes) -> None:
    """House rule: decoders are fuzzed."""
    for read in (read_request, read_status):
        with suppress(Malformed):
            assert read(data + b"\r\n\r\n")


@pytest.mark.parametrize("host", ["evil.example", "localhost", "a.example:PORT", "localhost:PORT, x", ""])
async def test_a_host_field_must_name_the_host_of_the_address(host: str) -> None:
    """sandbox.md §5: one server may hold many names, and only the field tells which is meant."""
    async with (
        server(recorder([], b"\r\n\r\n")) as port,
        proxied(f"localhost:{port}", "evil.example:80") as scene,
    ):
        answer = await scene.get(f"http://localhost:{port}/", host.replace("PORT", str(port)))

        assert answer.startswith(b"HTTP/1.1 403 ")
        assert 1 == len(scene.told)


async def test_plain_requests_need_a_grant_of_their_port() -> None:
    """sandbox.md §11: port 443 unless given."""
    async with proxied("api.example") as scene:
        answer = await scene.get("http://api.example/", "api.example")

        assert b"HTTP/1.1 403 " == answer[:13]
        assert "network=api.example:80" == scene.refusals[0].grant


@pytest.mark.parametrize("after", [b"", b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"])
async def test_a_body_ends_where_it_says_and_no_second_request_follows(after: bytes) -> None:
    """House rule: keep-alive must not lead to another host."""
    seen: list[bytes] = []
    async with server(recorder(seen, b"body", CLOSING)) as port, proxied(f"localhost:{port}") as scene:
        answer = await say(
            scene.port, post(port, "Connection: content-length", "Content-Length: 4") + b"body" + after
        )

    assert answer.endswith(b"\r\n\r\nhi")
    assert seen[0].endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")


async def test_chunks_are_written_anew_up_to_the_last() -> None:
    """House rule: extensions, trailers and what follows are dropped."""
    seen: list[bytes] = []
    async with server(recorder(seen, b"0\r\n\r\n", CLOSING)) as port, proxied(f"localhost:{port}") as scene:
        head = post(port, "Transfer-Encoding: Chunked")
        body = b'0003;a="b"\r\nabc\r\nA\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n'
        answer = await say(scene.port, head + body + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")

    assert answer.endswith(b"\r\n\r\nhi")
    assert seen[0].endswith(b"\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\n",
        b"0x3\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"3\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc!!0\r\n\r\n",
        b"3" * 5000,
        b"",
        b"\r\n",
        b"3 x\r\n",
    ],
)
async def test_chunks_that_are_not_plain_end_the_request(body: bytes) -> None:
    """House rule: no request smuggling."""
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert b"0\r\n\r\n" not in await reader.read(-1)
        ended.set()

    async with server(handle) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(post(port, "Transfer-Encoding: chunked") + body)
        writer.write_eof()
        answer = await reader.read(-1)
        await ended.wait()
        writer.close()

        assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 502 "))


async def test_interim_answers_come_before_the_final_one() -> None:
    """RFC 9110: a client that expects 100-continue waits for it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + await reader.readexactly(4))

    async with server(handle) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        fields = "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        writer.write(f"PUT http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n{fields}".encode())
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(b"body")

        assert b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody" == await reader.read(
            -1
        )
        writer.close()


async def test_a_server_that_answers_early_is_heard() -> None:
    """House rule: an upload that is too large is told so, not cut off."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.write_eof()
        await reader.read(-1)

    async with server(handle) as port, proxied(f"localhost:{port}") as scene:
        answer = await say(scene.port, post(port, "Content-Length: 10") + b"12345")

        assert b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" == answer


async def test_a_client_that_leaves_is_noticed_by_the_server() -> None:
    """House rule: a model that works for nobody should hear of it."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert b"" == await reader.read(-1)
        left.set()

    async with server(handle) as port, proxied(f"localhost:{port}") as scene:
        _, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(f"GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        await asked.wait()

        writer.close()

        with anyio.fail_after(5):
            await left.wait()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000,
    ],
)
async def test_a_server_that_does_not_answer_in_http_is_told(answer: bytes) -> None:
    """House rule: a sentence says what happened."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with server(handle) as port, proxied(f"localhost:{port}") as scene:
        got = await scene.get(f"http://localhost:{port}/", f"localhost:{port}")

        assert got.startswith(b"HTTP/1.1 502 ")


async def test_version_one_point_zero_needs_no_host_field() -> None:
    """RFC 9112: older clients."""
    seen: list[bytes] = []
    async with server(recorder(seen, b"\r\n\r\n", CLOSING)) as port, proxied(f"localhost:{port}") as scene:
        await say(scene.port, f"GET http://localhost:{port} HTTP/1.0\r\n\r\n".encode())

    assert [f"GET / HTTP/1.0\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()] == seen
