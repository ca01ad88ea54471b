"""Fetches addresses: TLS, proxies, credentials, redirects and time limits. Owns no file and no retry.

Everything is the standard library's urllib with four corrections: credentials in an address and in netrc are
used, they do not follow a redirect to another machine, a redirect never leaves https, and a missing
certificate store is replaced by pip's.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit

from cellwall_kernel.assets.failures import SourceFailed, cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from http.client import HTTPResponse

    from cellwall_kernel.assets.index_settings import IndexSettings

__all__ = ["Patience", "Web", "host_of", "without_credentials"]

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}
_USER_AGENT = "cellwall"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for the network.

    Args:
        silence_s: the longest time that one connect or one read may take.
        window_s: within this time at least `window_bytes` must arrive, else the source counts as stalled.
        window_bytes: see there.
        attempts: how often in a row a transfer is tried without a byte of progress.
        pause_s: the wait before the second attempt; doubles with each one.
    """

    silence_s: float = 20.0
    window_s: float = 60.0
    window_bytes: int = 64 * 1024
    attempts: int = 3
    pause_s: float = 0.5


class Web:
    """Opens addresses according to the user's settings.

    Args:
        settings: certificates, proxy and trusted hosts.
        patience: time limits.
    """

    def __init__(self, settings: IndexSettings, patience: Patience) -> None:
        self.settings = settings
        self.patience = patience
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        """Start a GET and return the response, whose body is still to be read.

        Args:
            url: http(s), may contain credentials.
            headers: additional ones.

        Raises:
            SourceFailed: the address may not be fetched (plain http to another machine).
            OSError, http.client.HTTPException: as urllib raises them; `failures.cause_of` has the words.
        """
        self.check(url)
        request = urllib.request.Request(_without_userinfo(urlsplit(url)), headers=dict(headers or {}))  # noqa: S310 - checked
        request.add_header("User-Agent", _USER_AGENT)
        _authorise(request, url)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(self._proxies()),
            _Https(self),
            _Redirects(self),
        )
        try:
            response: HTTPResponse = opener.open(request, timeout=self.patience.silence_s)
        except HTTPError as error:
            error.close()  # it keeps the connection; status and headers stay readable
            raise
        return response

    def check(self, url: str) -> None:
        """Refuse an address that is neither https nor on this machine nor on a trusted host.

        Raises:
            SourceFailed: with the cause.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK_HOSTS):
            return
        if parts.scheme == "http" and self._is_trusted(host):
            return
        raise SourceFailed(
            f"{without_credentials(url)} is not https (pip's setting trusted-host allows a host)"
        )

    def _is_trusted(self, host: str) -> bool:
        return any(
            trusted.rpartition(":")[0] == host or trusted == host for trusted in self.settings.trusted_hosts
        )

    def _proxies(self) -> dict[str, str] | None:
        proxy = self.settings.proxy
        return {"http": proxy, "https": proxy} if proxy else None

    def tls(self, host: str) -> ssl.SSLContext:
        """Return what a connection to `host` has to prove.

        Raises:
            SourceFailed: the configured certificate file cannot be read.
        """
        is_trusted = self._is_trusted(host.lower())
        if is_trusted not in self._contexts:
            self._contexts[is_trusted] = self._new_context(is_trusted)
        return self._contexts[is_trusted]

    def _new_context(self, is_trusted: bool) -> ssl.SSLContext:
        cert = self.settings.cert
        try:
            if cert is None:
                context = ssl.create_default_context(cafile=_bundled_authorities())
            elif Path(cert).is_dir():
                context = ssl.create_default_context(capath=cert)
            else:
                context = ssl.create_default_context(cafile=cert)
            if self.settings.client_cert:
                context.load_cert_chain(self.settings.client_cert)
        except OSError as error:
            raise SourceFailed(
                f"the certificate file cannot be read ({cause_of(error, cert or 'system')})"
            ) from error
        if is_trusted:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class _Https(urllib.request.HTTPSHandler):
    """Chooses the certificate checks by the host of each request: a redirect does not inherit them."""

    def __init__(self, web: Web) -> None:
        super().__init__()
        self._web = web

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        host = urlsplit(req.full_url).hostname or ""
        return self.do_open(http.client.HTTPSConnection, req, context=self._web.tls(host))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, with the checks and the credentials of the new address."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def redirect_request(  # noqa: PLR0917 - urllib's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        self._web.check(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if request is not None:
            _authorise(request, newurl)
            if not request.has_header("Authorization") and _origin(req.full_url) == _origin(newurl):
                inherited = req.unredirected_hdrs.get("Authorization")
                if inherited:
                    request.add_unredirected_header("Authorization", inherited)
        return request


def without_credentials(url: str) -> str:
    """Return the address without user name, password, query and fragment: fit for messages and files."""
    return _without_userinfo(urlsplit(url)._replace(query="", fragment=""))


def host_of(url: str) -> str:
    """Return the name of the machine (with its port if unusual), or the path of a `file:` address."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        return unquote(parts.path) or url
    return parts.netloc.rpartition("@")[2]


def _without_userinfo(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _authorise(request: urllib.request.Request, url: str) -> None:
    credentials = _credentials(url)
    if credentials is not None:
        token = base64.b64encode(":".join(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")  # urllib drops these on a redirect


def _credentials(url: str) -> tuple[str, str] | None:
    """Name and password for an address: from itself, else from netrc."""
    parts = urlsplit(url)
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")
    import netrc
    import os

    file = os.environ.get("NETRC")
    try:
        found = netrc.netrc(file).authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or "") if found else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _bundled_authorities() -> str | None:
    """Return certifi's authorities when the system has none, as in slim containers; pip carries a copy."""
    import os
    from importlib.util import find_spec

    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(os.scandir(paths.capath))):
        return None
    for package, inside in (("certifi", "cacert.pem"), ("pip", "_vendor/certifi/cacert.pem")):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if Path(folder, inside).is_file():
                return str(Path(folder, inside))
    return None
