"""The user's own way out: where the host itself must go through a proxy, plugins go through it too.

It is found as curl and most libraries find it: `https_proxy` for tunnels, `http_proxy` for plain requests,
else `all_proxy`, in lower or upper case, unless `no_proxy` names the host. Its password stays here.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import anyio

from cellwall_kernel.network._head import HEAD_END, MAX_HEAD_BYTES, Malformed, read_status
from cellwall_kernel.network._stream import TooLong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwall_kernel.network._head import Fields
    from cellwall_kernel.network._stream import Stream
    from cellwall_kernel.permissions import HostPattern

__all__ = ["Upstream", "UpstreamFailed", "upstream_for"]

ANSWER_S = 30.0
"""How long another proxy may take to open a tunnel (seconds); it resolves and connects meanwhile."""

DEFAULT_PORT = 80
ENTRY_WITH_PORT = re.compile(r"(\[[^\]]+\]|[^:]+):([0-9]+)")


class UpstreamFailed(Exception):
    """Raised when the user's proxy cannot be used; the message is a sentence without secrets."""


class Upstream:
    """Another proxy.

    Args:
        variable: where it is set, for messages.
        host: where it is.
        port: its port.
        authorization: the value of its field, empty if it asks for none.
    """

    def __init__(self, variable: str, host: str, port: int, authorization: str = "") -> None:
        self.variable = variable
        self.host = host
        self.port = port
        self._authorization = authorization

    @property
    def fields(self) -> Fields:
        """What it must be sent with each request."""
        return (("Proxy-Authorization", self._authorization),) if self._authorization else ()

    async def open_tunnel(self, stream: Stream, target: str) -> None:
        """Have a connection to the proxy become one to `target`.

        Args:
            stream: a connection to the proxy.
            target: host and port.

        Raises:
            UpstreamFailed: it will not.
        """
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        try:
            with anyio.fail_after(ANSWER_S):
                await stream.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
                status, _ = read_status(await stream.receive_until(HEAD_END, MAX_HEAD_BYTES))
        except (OSError, EOFError, Malformed, TooLong) as error:
            raise UpstreamFailed(f"The proxy of {self.variable} gives no answer of HTTP.") from error
        if not 200 <= status < 300:  # noqa: PLR2004 - every 2xx opens the tunnel
            raise UpstreamFailed(f"The proxy of {self.variable} answers {status} for {target}.")


def upstream_for(environ: Mapping[str, str], host: HostPattern, *, is_tunnel: bool) -> Upstream | None:
    """Find the proxy through which the user's environment reaches a host.

    Args:
        environ: the host's own environment.
        host: a host, not `localhost`.
        is_tunnel: False for a plain request.

    Returns:
        None if there is no need of one.

    Raises:
        UpstreamFailed: one is set that cannot be used; to go around it would be against the user's will.
    """
    for name in ("https_proxy" if is_tunnel else "http_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if url := environ.get(variable, "").strip():
                return None if _is_excluded(environ, host) else _upstream(variable, url)
    return None


def _upstream(variable: str, url: str) -> Upstream:
    from urllib.parse import unquote_to_bytes, urlsplit

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        raise UpstreamFailed(f"{variable} holds no address of a proxy.") from None  # the cause may be secret
    if parts.scheme != "http":
        raise UpstreamFailed(f"{variable} names a {parts.scheme} proxy; plugins can only use an http:// one.")
    if not host:
        raise UpstreamFailed(f"{variable} holds no address of a proxy.")
    if parts.username is None:
        return Upstream(variable, host, port)
    import base64

    user, password = unquote_to_bytes(parts.username), unquote_to_bytes(parts.password or "")
    return Upstream(variable, host, port, f"Basic {base64.b64encode(user + b':' + password).decode()}")


def _is_excluded(environ: Mapping[str, str], host: HostPattern) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return any(_is_meant(entry.lower(), host) for entry in listed.replace(",", " ").split())


def _is_meant(entry: str, host: HostPattern) -> bool:
    """Whether an entry of `no_proxy` includes a host: `*`, a name and all below it, an address, a network."""
    if entry == "*":
        return True
    if host.is_address and "/" in entry:
        try:
            return ip_address(host.host) in ip_network(entry, strict=False)
        except ValueError:
            return False
    with_port = ENTRY_WITH_PORT.fullmatch(entry)
    if with_port is not None and int(with_port[2]) != host.port:
        return False
    name = (with_port[1] if with_port is not None else entry).strip("[]").removeprefix("*").strip(".")
    return host.host == name or (bool(name) and not host.is_address and host.host.endswith(f".{name}"))
