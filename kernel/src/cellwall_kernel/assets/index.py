"""Finds a wheel: asks the configured places, in order, for one version of one distribution."""

from __future__ import annotations

import http.client
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from cellwall_kernel.assets.failures import SourceFailed, cause_of, is_passing, is_silence
from cellwall_kernel.assets.index_page import (
    WheelLink,
    links_of_page,
    normalised_name,
    normalised_version,
    wheel_name_and_version,
)
from cellwall_kernel.assets.web import Web, host_of, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.assets.spec import PypiSource

__all__ = ["path_of_file_url", "wheels_for"]

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MAX_PAGE_BYTES = 64 * 1024 * 1024  # the largest pages of the standard index have a few MB


def wheels_for(source: PypiSource, web: Web) -> Iterator[tuple[str, WheelLink | SourceFailed]]:
    """Go through the places that may have the wheel, nearest first.

    Args:
        source: which distribution and version.
        web: reaches the places, and knows them.

    Yields:
        The place's name for a message, with a wheel or with the reason why it has none. A place may yield
        several wheels (one per platform); the one for any platform comes first.
    """
    if not (web.settings.find_links or web.settings.indexes):
        yield (
            "the package index",
            SourceFailed("the settings of pip or uv forbid an index and name no find-links"),
        )
    for place in web.settings.find_links:
        yield from _wheels_at(place, place, source, web)
    for index in web.settings.indexes:
        page = f"{index.rstrip('/')}/{quote(normalised_name(source.dist))}/"
        yield from _wheels_at(index, page, source, web)


def path_of_file_url(url: str) -> Path:
    """Return the path of a `file:` address."""
    return Path(unquote(urlsplit(url).path))


def _wheels_at(
    place: str, page: str, source: PypiSource, web: Web
) -> Iterator[tuple[str, WheelLink | SourceFailed]]:
    name = host_of(place)
    wanted = normalised_name(source.dist), normalised_version(source.version)
    try:
        links = _links(page, web)
    except SourceFailed as error:
        yield name, error
        return
    wheels = [link for link in links if wheel_name_and_version(link.filename) == wanted]
    if not wheels:
        yield name, SourceFailed(f"{name} has no wheel of {source}")
    for wheel in sorted(wheels, key=lambda link: (not link.filename.endswith("-any.whl"), link.filename)):
        yield name, _with_credentials_of(page, wheel)


def _links(page: str, web: Web) -> list[WheelLink]:
    """Read a page or a folder.

    Raises:
        SourceFailed: with the cause.
    """
    try:
        if urlsplit(page).scheme in ("http", "https"):
            return _remote_links(page, web)
        path = path_of_file_url(page) if page.startswith("file:") else Path(page).expanduser()
        if path.is_dir() and not (path / "index.html").is_file():
            return [
                WheelLink(filename=file.name, url=file.absolute().as_uri(), size=file.stat().st_size)
                for file in path.iterdir()
                if file.suffix == ".whl"
            ]
        path = path / "index.html" if path.is_dir() else path
        return links_of_page(path.read_bytes(), "text/html", path.absolute().as_uri())
    except FileNotFoundError as error:
        raise SourceFailed(f"{host_of(page)} does not exist") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceFailed(_page_cause(error, page)) from error
    except ValueError as error:
        raise SourceFailed(
            f"{without_credentials(page)} is not a page of a package index ({error})"
        ) from error


def _remote_links(page: str, web: Web) -> list[WheelLink]:
    with _opened(page, web) as response:
        content = response.read(_MAX_PAGE_BYTES + 1)
        if len(content) > _MAX_PAGE_BYTES:
            raise SourceFailed(f"{without_credentials(page)} is too large for a page of a package index")
        links = links_of_page(content, response.headers.get("Content-Type", ""), response.url)
    # A page from the network must not point into this machine.
    return [link for link in links if urlsplit(link.url).scheme in ("http", "https")]


def _opened(page: str, web: Web) -> http.client.HTTPResponse:
    """Ask for a page, again if the server stumbles; silence is waited for only once."""
    for attempt in range(web.patience.attempts - 1):
        try:
            return web.open(page, {"Accept": _ACCEPT})
        except (OSError, http.client.HTTPException) as error:
            if is_silence(error) or not is_passing(error):
                raise
        time.sleep(web.patience.pause_s * 2**attempt)
    return web.open(page, {"Accept": _ACCEPT})


def _page_cause(error: OSError | http.client.HTTPException, page: str) -> str:
    if getattr(error, "code", None) == HTTPStatus.NOT_FOUND:
        return f"{host_of(page)} does not know {page.rstrip('/').rpartition('/')[2]}"
    return cause_of(error, host_of(page))


def _with_credentials_of(page: str, wheel: WheelLink) -> WheelLink:
    """Give the wheel's address the name and password of the index if both are on one machine."""
    of_page, of_wheel = urlsplit(page), urlsplit(wheel.url)
    userinfo, _, host = of_page.netloc.rpartition("@")
    if not userinfo or "@" in of_wheel.netloc or (of_page.scheme, host) != (of_wheel.scheme, of_wheel.netloc):
        return wheel
    return WheelLink(
        filename=wheel.filename,
        url=of_wheel._replace(netloc=of_page.netloc).geturl(),
        algorithm=wheel.algorithm,
        digest=wheel.digest,
        size=wheel.size,
    )
