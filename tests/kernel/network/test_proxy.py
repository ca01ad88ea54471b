"""The proxy: which hosts it lets a plugin reach, and what it says about the others."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections import Counter
from contextlib import suppress
from shlex import quote
from typing import cast

import anyio
import pytest

from cellwall_kernel.network import Proxy
from cellwall_kernel.network._head import MAX_HEAD_BYTES
from cellwall_kernel.network._proxy import MAX_CONNECTIONS
from cellwall_kernel.network._rules import MAX_TOLD
from cellwall_kernel.permissions import Refusal
from cellwall_kernel.wall import open_listener, proxy_variables
from tests.kernel.network.scene import echo, proxied, say, server

pytestmark = pytest.mark.anyio

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def nobody(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """A server that must not be reached."""
    raise AssertionError


@pytest.mark.parametrize("spelling", ["api.example", "API.Example", "api.example.", "API.EXAMPLE."])
async def test_a_granted_name_is_reached_however_it_is_spelled(spelling: str) -> None:
    """sandbox.md §15: case and trailing dot."""
    names = {"api.example": [["127.0.0.1"]]}
    async with (
        server(echo) as port,
        proxied(f"api.example:{port}", f"127.0.0.1:{port}", names=names) as scene,
    ):
        reader, writer = await scene.connect(f"{spelling}:{port}")
        writer.write(b"hello")
        answer = await reader.readexactly(5)
        writer.close()

        assert b"hello" == answer
        assert [] == scene.told


@pytest.mark.parametrize(
    ("target", "grant"),
    [
        ("evil.example:443", "network=evil.example"),
        ("api.example:8443", "network=api.example:8443"),
        ("api.example.evil.example:443", "network=api.example.evil.example"),
        ("x.api.example:443", "network=x.api.example"),
        ("xapi.example:443", "network=xapi.example"),
        ("below.example:443", "network=below.example"),
        ("localhost:443", "network=localhost"),
        ("127.0.0.1:443", "network=127.0.0.1"),
        ("192.0.2.8:443", "network=192.0.2.8"),
        ("[::1]:443", "network=[::1]"),
        ("[2001:db8::1]:80", "network=[2001:db8::1]:80"),
    ],
)
async def test_what_was_not_granted_is_refused_with_the_command_that_allows_it(
    target: str, grant: str
) -> None:
    """sandbox.md §12: denied at run time; nothing is looked up for it."""
    async with proxied("api.example", "*.below.example", "192.0.2.7") as scene:
        answer = await scene.ask(target)

        assert answer.startswith("HTTP/1.1 403 Forbidden\r\n")
        assert "\r\nConnection: close\r\n" in answer
        way_out = f"'llm plugins grant p {quote(grant)}' allows it."
        sentence = f"plugin 'p' tried to reach {target}, which it was not granted; {way_out}"
        assert answer.endswith(f"\r\n\r\n{sentence}\n")
        assert [sentence] == scene.told
        assert [] == scene.names.asked


@pytest.mark.parametrize(
    "target",
    [
        "127.1:80",
        "0:80",
        "0x7f.1:80",
        "0x7f000001:80",
        "2130706433:80",
        "0177.0.0.1:80",
        "127.0.0.1.:80x",
        "[::ffff:127.0.0.1]:80",
        "[0:0:0:0:0:0:0:1]:80",
        "[fe80::1%eth0]:80",
        "[fe80::1%25eth0]:80",
        "0.0.0.0:80",
        "[::]:80",
        "localhost%00.api.example:80",
        "*.below.example:80",
        "api.example/:80",
        "http://api.example:80",
        "api..example:80",
        "ap\xed.example:80",
    ],
)
async def test_hosts_in_odd_spellings_are_refused_even_where_much_is_granted(target: str) -> None:
    """sandbox.md §15: the check must not depend on how a host is written."""
    async with proxied(
        "localhost:80", "127.0.0.1:80", "[::1]:80", "api.example:80", "*.below.example:80"
    ) as scene:
        answer = await scene.ask(target)

        assert answer.startswith(("HTTP/1.1 403 ", "HTTP/1.1 400 "))
        assert [] == scene.names.asked


@pytest.mark.parametrize(
    "head",
    [
        "CONNECT api.example HTTP/1.1\r\n\r\n",
        "CONNECT api.example:443/path HTTP/1.1\r\n\r\n",
        "CONNECT api.example:443\r\n\r\n",
        "CONNECT  api.example:443 HTTP/1.1\r\n\r\n",
        "CONNECT api.example:443 HTTP/2.0\r\n\r\n",
        "CONNECT api.example:443 HTTP/1.1\r\n bent: yes\r\n\r\n",
        "CONNECT api.example:443 HTTP/1.1\r\nHost : x\r\n\r\n",
        "CONNECT api.example:443 HTTP/1.1\r\nA: b\nc: d\r\n\r\n",
        "CONNECT api.example:443 HTTP/1.1\r\nA: \x00\r\n\r\n",
        "GET http://api.example:443/\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: api.example:443\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "\x16\x03\x01\x00\x05hello\r\n\r\n",
    ],
)
async def test_what_is_no_plain_request_is_refused(head: str) -> None:
    """House rule: what two readers understand differently is a way around the rules. HTTP/0.9 is one."""
    async with proxied("api.example") as scene:
        answer = (await say(scene.port, head.encode("latin-1"))).decode()

        assert answer.startswith(("HTTP/1.1 400 ", "HTTP/1.1 403 "))
        assert [] == scene.names.asked


async def test_a_head_without_end_is_refused_at_its_limit() -> None:
    """Kernel policy: 64 KiB."""
    async with proxied("api.example") as scene:
        begin, end = b"GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\nA: ", b"\r\n\r\n"
        room = MAX_HEAD_BYTES - len(begin) - len(end)
        endless = await say(scene.port, begin + b"a" * 70000)
        too_long = await say(scene.port, begin + b"a" * (room + 1) + end)
        just_right = await say(scene.port, begin + b"a" * room + end)

        assert endless.startswith(b"HTTP/1.1 431 ")
        assert too_long.startswith(b"HTTP/1.1 431 ")
        assert just_right.startswith(b"HTTP/1.1 403 ")


@pytest.mark.slow
async def test_a_head_that_takes_too_long_is_refused() -> None:
    """Kernel policy: 10 s."""
    async with proxied("api.example") as scene:
        answer = await say(scene.port, b"GET http://api.example/ HTTP/1.1\r\n")

        assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("address", "words", "grant"),
    [
        ("127.0.0.1", "an address of this machine", "127.0.0.1"),
        ("10.0.0.7", "a private address", "10.0.0.7"),
        ("100.64.0.1", "a private address", "100.64.0.1"),
        ("169.254.169.254", "a link-local address", "169.254.169.254"),
        ("::1", "an address of this machine", "[::1]"),
        ("fd00::1", "a private address", "[fd00::1]"),
        ("::ffff:127.0.0.1", "an IPv4 address in disguise", None),
        ("64:ff9b::7f00:1", "an address of this machine", "[64:ff9b::7f00:1]"),
        ("2002:7f00:1::", "an IPv4 address in disguise", "[2002:7f00:1::]"),
    ],
)
async def test_a_granted_name_that_leads_to_a_special_address_is_refused(
    address: str, words: str, grant: str | None
) -> None:
    """sandbox.md §5: refuse private, loopback and link-local answers."""
    async with proxied("api.example", names={"api.example": [[address]]}) as scene:
        answer = await scene.ask("api.example:443")

        assert answer.startswith("HTTP/1.1 403 ")
        assert f"the name leads to {address}, {words}" in answer
        assert (f"network={grant}" if grant else None) == scene.refusals[0].grant


async def test_only_checked_addresses_are_connected_to() -> None:
    """sandbox.md §15: rebinding; what the name server says next is not asked for."""
    async with server(nobody, "127.0.0.3") as port, server(echo, "127.0.0.1", port):
        names = {"api.example": [["10.0.0.7", "127.0.0.1"], ["127.0.0.3"]]}
        async with proxied(f"api.example:{port}", f"127.0.0.1:{port}", names=names) as scene:
            reader, writer = await scene.connect(f"api.example:{port}")
            writer.write(b"x")
            assert b"x" == await reader.readexactly(1)
            writer.close()
            assert ["api.example"] == scene.names.asked

            refused = await scene.ask(f"api.example:{port}")

            assert "127.0.0.3, an address of this machine" in refused
            assert ["api.example"] * 2 == scene.names.asked


async def test_the_next_address_is_tried_when_one_fails() -> None:
    """House rule: names have several addresses so that one may fail."""
    async with server(echo) as port:
        grants = (f"api.example:{port}", f"127.0.0.1:{port}", f"127.0.0.2:{port}")
        async with proxied(*grants, names={"api.example": [["127.0.0.2", "127.0.0.1"]]}) as scene:
            reader, writer = await scene.connect(f"api.example:{port}")
            writer.write(b"x")

            assert b"x" == await reader.readexactly(1)
            writer.close()


@pytest.mark.parametrize("spelling", ["localhost", "LOCALHOST.", "127.0.0.1"])
async def test_localhost_is_this_machine_and_is_not_looked_up(spelling: str) -> None:
    """sandbox.md §5: `localhost:PORT` for Ollama and llama.cpp, whose clients write 127.0.0.1 as often."""
    async with server(echo) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await scene.connect(f"{spelling}:{port}")
        writer.write(b"x")

        assert b"x" == await reader.readexactly(1)
        assert [] == scene.names.asked
        writer.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_localhost_is_also_its_address_of_ipv6() -> None:
    """sandbox.md §5: localhost is 127.0.0.1 or ::1."""
    async with server(echo, "::1") as port, proxied(f"localhost:{port}") as scene:
        for spelling in ("localhost", "[::1]"):
            reader, writer = await scene.connect(f"{spelling}:{port}")
            writer.write(b"x")
            assert b"x" == await reader.readexactly(1)
            writer.close()


@pytest.mark.parametrize("target", ["127.0.0.2", "a.localhost", "api.example"])
async def test_a_grant_of_localhost_is_not_one_of_everything_here(target: str) -> None:
    """sandbox.md §5: only what is granted by name."""
    async with server(nobody, "127.0.0.2") as port:
        names = {"a.localhost": [["127.0.0.2"]], "api.example": [["127.0.0.2"]]}
        async with proxied(
            f"localhost:{port}", f"*.x.localhost:{port}", f"api.example:{port}", names=names
        ) as scene:
            assert (await scene.ask(f"{target}:{port}")).startswith("HTTP/1.1 403 ")


async def test_a_name_that_leads_nowhere_is_told_to_the_client_alone() -> None:
    """House rule: that is no refusal."""
    async with proxied("api.example", "*.example.com", names={"a.example.com": [[]]}) as scene:
        answer = await scene.ask("api.example:443")
        empty = await scene.ask("a.example.com:443")

        assert answer.startswith("HTTP/1.1 502 ")
        assert "The name api.example leads nowhere (Name or service not known)." in answer
        assert "The name a.example.com leads nowhere." in empty
        assert [] == scene.told


async def test_a_server_that_does_not_run_is_told_to_the_client() -> None:
    """House rule: the sentence names the thing and the cause."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with proxied(f"localhost:{port}") as scene:
        answer = await scene.ask(f"localhost:{port}")

        assert answer.startswith("HTTP/1.1 502 ")
        assert f"localhost:{port} cannot be reached (" in answer


async def test_the_system_is_asked_when_nobody_else_is_named() -> None:
    """The default resolver, which needs no network for this name."""
    from cellwall_kernel.network._dial import Unreachable, resolve, resolve_by_system

    assert set(await resolve(resolve_by_system, "localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(Unreachable, match=r"leads nowhere"):
        await resolve(resolve_by_system, f"{'a' * 70}.invalid", 80)


async def test_each_refusal_is_told_once_and_not_without_end() -> None:
    """sandbox.md §5: log each refusal; the host's memory is bounded."""
    async with proxied() as scene:
        await scene.ask("evil.example:443")
        await scene.ask("EVIL.example.:443")
        await scene.ask("evil.example:80")
        assert 2 == len(scene.told)

        for number in range(MAX_TOLD):
            await scene.ask(f"evil{number}.example:443")

        assert MAX_TOLD == len(scene.told)
        assert (await scene.ask("evil.example:443")).startswith("HTTP/1.1 403 ")


async def test_secrets_before_a_host_are_not_repeated() -> None:
    """House rule: log nothing secret."""
    async with proxied("api.example") as scene:
        answer = await scene.get("http://me:s3cret@api.example/", "api.example")

        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"s3cret" not in answer
        assert "s3cret" not in scene.told[0]
        assert "names a user" in scene.told[0]


async def test_bytes_after_the_head_of_a_tunnel_are_forwarded() -> None:
    """RFC 9110: everything after the head belongs to the tunnel; clients send their ClientHello at once."""
    async with server(echo) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\nearly".encode())
        writer.write_eof()

        assert ESTABLISHED + b"early" == await reader.read(-1)
        writer.close()


async def test_a_side_that_has_finished_can_still_listen() -> None:
    """Half-closed connections."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read(-1))).encode())

    async with server(count) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await scene.connect(f"localhost:{port}")
        writer.write(b"x" * 300000)
        writer.write_eof()

        assert b"300000" == await reader.read(-1)
        writer.close()


async def test_a_server_may_speak_first() -> None:
    """Not every protocol begins with the client."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read(-1)

    async with server(greet) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await scene.connect(f"localhost:{port}")

        assert b"220 ready\r\n" == await reader.readline()
        writer.close()


async def test_large_streams_pass_whole_and_take_no_memory() -> None:
    """sandbox.md §6: bounded host memory; 64 MiB each way while the client reads slowly."""
    block, blocks = bytes(range(256)) * 256, 1024

    async with server(echo) as port, proxied(f"localhost:{port}") as scene:
        reader, writer = await scene.connect(f"localhost:{port}")

        async def send() -> None:
            for _ in range(blocks):
                writer.write(block)
                await writer.drain()
            writer.write_eof()

        received = 0
        tracemalloc.start()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send)
                while piece := await reader.read(4096 * 8):
                    assert piece == (block * 2)[received % 65536 :][: len(piece)]
                    received += len(piece)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        writer.close()

        assert len(block) * blocks == received
        assert peak < 4 * 1024 * 1024


async def test_more_connections_than_the_limit_wait() -> None:
    """Kernel policy: 256 of one plugin at once."""
    async with server(echo) as port, proxied(f"localhost:{port}") as scene:
        tunnels = [await scene.connect(f"localhost:{port}") for _ in range(MAX_CONNECTIONS)]
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\nx".encode())
        tunnels[0][1].write(b"y")
        assert b"y" == await tunnels[0][0].readexactly(1)  # the proxy had the time to accept
        with anyio.move_on_after(0) as waited:
            await reader.read(1)
        assert waited.cancelled_caught

        tunnels.pop()[1].close()

        assert ESTABLISHED + b"x" == await reader.readexactly(len(ESTABLISHED) + 1)
        for open_one in [*(tunnel[1] for tunnel in tunnels), writer]:
            open_one.close()


async def test_everything_is_closed_when_the_proxy_is_cancelled() -> None:
    """House rule: every task belongs to a group."""
    served: list[bytes] = []

    async def wait_for_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        served.append(await reader.read(-1))
        ended.set()

    ended = asyncio.Event()
    async with server(wait_for_end) as port:
        async with proxied(f"localhost:{port}") as scene:
            tunnel_reader, tunnel_writer = await scene.connect(f"localhost:{port}")
            idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", scene.port)
            idle_writer.write(b"CON")
        with anyio.fail_after(5):
            await ended.wait()

        assert [b""] == served
        assert b"" == await tunnel_reader.read(-1)
        with pytest.raises(OSError, match=r"failed"):
            await asyncio.open_connection("127.0.0.1", scene.port)
        for writer in (tunnel_writer, idle_writer):
            writer.close()
        del idle_reader


async def test_a_listener_that_was_shut_down_ends_the_service_and_nothing_else() -> None:
    """House rule: who holds the other end of a listener cannot end the prompt with it."""
    listener = socket.socket(fileno=open_listener())
    with listener.dup() as other:
        proxy = Proxy("p", [], on_refused=list[Refusal]().append, environ={})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(proxy.serve, listener)
            assert (await say(other.getsockname()[1], b"x\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
            other.shutdown(socket.SHUT_RDWR)

    assert -1 == listener.fileno()


async def test_only_announced_connections_are_served_by_invitation() -> None:
    """Kernel policy: other programs of this machine can reach the port, and must not use it."""
    async with server(echo) as port, proxied(f"localhost:{port}", by_invitation=True) as scene:
        request = f"CONNECT localhost:{port} HTTP/1.1\r\n\r\nx".encode()
        with suppress(ConnectionResetError):  # its request was not even read
            assert b"" == await say(scene.port, request)

        with socket.socket() as guest:
            guest.bind(("127.0.0.1", 0))
            guest.setblocking(False)
            scene.proxy.admit(guest.getsockname()[1])
            await asyncio.get_running_loop().sock_connect(guest, ("127.0.0.1", scene.port))
            reader, writer = await asyncio.open_connection(sock=guest)
            writer.write(request)
            assert ESTABLISHED + b"x" == await reader.readexactly(len(ESTABLISHED) + 1)
            writer.close()


def test_variables_lead_every_library_to_the_proxy() -> None:
    """sandbox.md §5: clients must honour HTTPS_PROXY; nothing goes around it."""
    variables = proxy_variables(4711)

    upper = {name.upper(): value for name, value in variables.items()}
    expected = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:4711")
    assert expected | {"NO_PROXY": ""} == upper
    assert dict.fromkeys(upper, 2) == dict(Counter(name.upper() for name in variables))


async def test_a_mistake_of_ours_costs_one_connection() -> None:
    """House rule: one plugin's request never ends the prompt."""
    problems: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context["exception"]))
    names = {"api.example": cast("list[list[str]]", [[7]])}  # no address, but a number
    async with server(echo) as port, proxied("api.example", f"localhost:{port}", names=names) as scene:
        assert b"" == await say(scene.port, b"CONNECT api.example:443 HTTP/1.1\r\n\r\n")
        _, writer = await scene.connect(f"localhost:{port}")
        writer.close()

    assert [TypeError] == [type(problem) for problem in problems]
