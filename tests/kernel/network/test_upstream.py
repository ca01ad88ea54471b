"""The user's own proxy: plugins leave through it where the host does."""

from __future__ import annotations

import asyncio

import pytest

from cellwall_kernel.network._upstream import UpstreamFailed, upstream_for
from cellwall_kernel.permissions import HostPattern
from tests.kernel.network.scene import echo, proxied, server

pytestmark = pytest.mark.anyio

SECRET = "s3cret"


class OtherProxy:
    """A proxy that notes each request and becomes an echo, or answers what it is told to."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.heads: list[str] = []
        self._answer = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        writer.write(self._answer)
        await echo(reader, writer)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
async def test_a_tunnel_goes_through_the_users_proxy(variable: str) -> None:
    """Kernel policy: who sets a proxy says that this is the way out; names are resolved there."""
    other = OtherProxy()
    async with server(other.handle) as port:
        environ = {variable: f"http://me:{SECRET}%21@127.0.0.1:{port}"}
        async with proxied("api.example", environ=environ, names={"127.0.0.1": [["127.0.0.1"]]}) as scene:
            reader, writer = await scene.connect("API.example.:443")
            writer.close()
            assert "api.example" not in scene.names.asked
            del reader

    authorization = "bWU6czNjcmV0IQ=="
    fields = f"Host: api.example:443\r\nProxy-Authorization: Basic {authorization}\r\n"
    assert [f"CONNECT api.example:443 HTTP/1.1\r\n{fields}\r\n"] == other.heads


async def test_bytes_pass_through_both_proxies() -> None:
    """Those that come with the other proxy's answer too."""
    other = OtherProxy(b"HTTP/1.0 200 Connection established\r\nX: y\r\n\r\nfirst ")
    async with server(other.handle) as port:
        environ = {"https_proxy": f"127.0.0.1:{port}/"}
        async with proxied("api.example:22", environ=environ, names={"127.0.0.1": [["127.0.0.1"]]}) as scene:
            reader, writer = await scene.connect("api.example:22")
            writer.write(b"second")

            assert b"first second" == await reader.readexactly(12)
            writer.close()


async def test_a_plain_request_goes_to_it_in_full() -> None:
    """RFC 9112: absolute-form, for many proxies open tunnels to port 443 only."""
    other = OtherProxy(b"HTTP/1.1 204 No Content\r\n\r\n")
    async with server(other.handle) as port:
        environ = {
            "http_proxy": f"http://me:{SECRET}@127.0.0.1:{port}",
            "https_proxy": "http://proxy.example:1",
        }
        async with proxied("api.example:80", environ=environ, names={"127.0.0.1": [["127.0.0.1"]]}) as scene:
            fields = "Proxy-Authorization: Basic own\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
            writer.write(
                f"GET http://api.example:80/x HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n".encode()
            )
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()

    assert b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n" == answer
    expected = (
        "GET http://api.example/x HTTP/1.1\r\nHost: api.example\r\n"
        "Proxy-Authorization: Basic bWU6czNjcmV0\r\nConnection: close\r\n\r\n"
    )
    assert [expected] == other.heads


async def test_the_users_proxy_does_not_widen_what_was_granted() -> None:
    """sandbox.md §5: the check must not depend on how the request came."""
    other = OtherProxy()
    async with server(other.handle) as port:
        environ = {"all_proxy": f"http://127.0.0.1:{port}"}
        async with proxied("api.example", environ=environ) as scene:
            for target in ("evil.example:443", "10.0.0.7:443", "127.0.0.1:443", "localhost:443"):
                assert (await scene.ask(target)).startswith("HTTP/1.1 403 ")

    assert [] == other.heads


@pytest.mark.parametrize("target", ["localhost", "127.0.0.1"])
async def test_this_machine_is_never_reached_through_it(target: str) -> None:
    """Kernel policy: there, the name would mean another machine."""
    async with server(echo) as port:
        environ = {"all_proxy": "http://proxy.example:1"}
        async with proxied(f"localhost:{port}", environ=environ) as scene:
            reader, writer = await scene.connect(f"{target}:{port}")
            writer.write(b"x")

            assert b"x" == await reader.readexactly(1)
            writer.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "The proxy of https_proxy answers 407 for api.example:443.",
        ),
        (b"SSH-2.0-x\r\n\r\n", "The proxy of https_proxy gives no answer of HTTP."),
        (b"x" * 70000, "The proxy of https_proxy gives no answer of HTTP."),
    ],
)
async def test_a_proxy_that_does_not_help_is_told_without_its_password(answer: bytes, words: str) -> None:
    """House rule: log nothing secret."""
    async with server(OtherProxy(answer).handle) as port:
        environ = {"https_proxy": f"http://me:{SECRET}@127.0.0.1:{port}"}
        async with proxied("api.example", environ=environ, names={"127.0.0.1": [["127.0.0.1"]]}) as scene:
            got = await scene.ask("api.example:443")

            assert got.startswith("HTTP/1.1 502 ")
            assert got.endswith(f"{words}\n")
            assert SECRET not in got


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"socks5://me:{SECRET}@proxy.example:1080", "https_proxy names a socks5 proxy"),
        (f"https://me:{SECRET}@proxy.example", "https_proxy names a https proxy"),
        (f"http://me:{SECRET}@", "https_proxy holds no address"),
        (f"http://me:{SECRET}@proxy.example:port", "https_proxy holds no address"),
        ("http://[::1", "https_proxy holds no address"),
        (f"http://{SECRET}:x@proxy.example", "name proxy.example leads nowhere"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_not_gone_around(url: str, words: str) -> None:
    """Kernel policy: who set it would not want that."""
    async with proxied("api.example", environ={"https_proxy": url}) as scene:
        answer = await scene.ask("api.example:443")

        assert answer.startswith("HTTP/1.1 502 ")
        assert words in answer
        assert SECRET not in answer
        assert "api.example" not in scene.names.asked


@pytest.mark.parametrize(
    ("excluded", "host", "is_direct"),
    [
        ("", "api.example", False),
        ("*", "api.example", True),
        ("api.example", "api.example", True),
        ("API.Example.", "api.example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        ("*.example", "api.example", True),
        ("ample", "api.example", False),
        ("x.api.example", "api.example", False),
        ("other, api.example", "api.example", True),
        ("other api.example", "api.example", True),
        ("api.example:443", "api.example", True),
        ("api.example:80", "api.example", False),
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.0/8", "10.0.0.7", True),
        ("10.0.0.7:80", "10.0.0.7", False),
        ("0.0.7", "10.0.0.7", False),
        ("192.168.0.0/16", "10.0.0.7", False),
        ("fd00::/8", "10.0.0.7", False),
        ("fd00::/8", "[fd00::7]", True),
        ("fd00::7", "[fd00::7]", True),
        ("[fd00::7]:443", "[fd00::7]", True),
        ("[fd00::7]:80", "[fd00::7]", False),
        ("x/y", "10.0.0.7", False),
        (".", "api.example", False),
        (",", "api.example", False),
    ],
)
def test_what_the_user_excluded_is_reached_directly(excluded: str, host: str, *, is_direct: bool) -> None:
    """As curl and most libraries read `no_proxy`."""
    for variable in ("no_proxy", "NO_PROXY"):
        environ = {"https_proxy": "http://proxy.example", variable: excluded}
        found = upstream_for(environ, HostPattern.parse(host), is_tunnel=True)

        assert is_direct == (found is None)


def test_the_more_special_variable_wins() -> None:
    """As curl chooses: the protocol before all, lower case before upper case; an empty one does not count."""
    host = HostPattern.parse("api.example")
    environ = {
        "HTTPS_PROXY": "http://b.example:8080",
        "https_proxy": "",
        "ALL_PROXY": "http://c.example",
        "all_proxy": "http://d.example",
    }

    tunnel = upstream_for(environ, host, is_tunnel=True)
    plain = upstream_for(environ, host, is_tunnel=False)

    assert tunnel is not None
    assert ("b.example", 8080, "HTTPS_PROXY") == (tunnel.host, tunnel.port, tunnel.variable)
    assert plain is not None
    assert ("d.example", 80, "all_proxy") == (plain.host, plain.port, plain.variable)
    assert upstream_for({}, host, is_tunnel=True) is None


def test_a_password_shows_in_no_representation() -> None:
    """House rule: a traceback may show any object."""
    environ = {"https_proxy": f"http://me:{SECRET}@proxy.example"}
    found = upstream_for(environ, HostPattern.parse("api.example"), is_tunnel=True)

    assert found is not None
    assert (("Proxy-Authorization", "Basic bWU6czNjcmV0"),) == found.fields
    assert SECRET not in repr(found)
    with pytest.raises(UpstreamFailed) as caught:
        upstream_for(
            {"https_proxy": f"http://me:{SECRET}@x:y"}, HostPattern.parse("a.example"), is_tunnel=True
        )
    assert caught.value.__cause__ is None
