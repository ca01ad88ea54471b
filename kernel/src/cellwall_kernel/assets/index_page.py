"""The pages of a package index: JSON (PEP 691) or HTML (PEP 503) to links to wheels. No network, no files."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

__all__ = ["WheelLink", "links_of_page", "normalised_name", "normalised_version", "wheel_name_and_version"]

# Strong enough to trust, in the order of preference; an index may also offer weaker ones, which count as
# none.
_HASHES = ("sha256", "sha512", "sha384")


class WheelLink(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel that an index offers.

    Args:
        filename: such as `pkg-1.0-py3-none-any.whl`.
        url: absolute, may contain credentials; `file:` for a wheel on this machine.
        algorithm: name of the hash, "" when the index gives none.
        digest: hexadecimal, lower case.
        size: in bytes, when the index says so.
    """

    filename: str
    url: str
    algorithm: str = ""
    digest: str = ""
    size: int | None = None


def links_of_page(content: bytes, content_type: str, url: str) -> list[WheelLink]:
    """Read the page of one distribution.

    Args:
        content: the page.
        content_type: as the server gave it; decides between JSON and HTML.
        url: where it came from, for relative links.

    Raises:
        ValueError: the page is not what its type promises.
    """
    if "json" in content_type.lower():
        return _json_links(content, url)
    return _html_links(content, url)


def wheel_name_and_version(filename: str) -> tuple[str, str] | None:
    """Split a wheel's file name into normalised distribution name and version; None when it is no wheel."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    return normalised_name(parts[0]), normalised_version(parts[1])


def normalised_name(name: str) -> str:
    """Return a distribution's name as indexes spell it (PEP 503)."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)


def normalised_version(version: str) -> str:
    """Return a version comparable to that in a wheel's file name."""
    return version.lower().replace("-", "_").removeprefix("v")


class _JsonFile(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    size: int | None = None


class _JsonPage(msgspec.Struct):
    files: list[_JsonFile]


def _json_links(content: bytes, url: str) -> list[WheelLink]:
    links: list[WheelLink] = []
    for file in msgspec.json.decode(content, type=_JsonPage).files:
        algorithm = next((name for name in _HASHES if file.hashes.get(name)), "")
        links.append(
            WheelLink(
                filename=file.filename,
                url=urljoin(url, file.url),
                algorithm=algorithm,
                digest=file.hashes.get(algorithm, "").lower(),
                size=file.size,
            )
        )
    return links


def _html_links(content: bytes, url: str) -> list[WheelLink]:
    reader = _Anchors(url)
    reader.feed(content.decode("utf-8", errors="replace"))
    reader.close()
    links: list[WheelLink] = []
    for address in reader.addresses:
        parts = urlsplit(address)
        algorithm, _, digest = parts.fragment.partition("=")
        digest = digest.partition("&")[0]
        is_known = algorithm in _HASHES and bool(digest)
        links.append(
            WheelLink(
                filename=unquote(parts.path.rpartition("/")[2]),
                url=parts._replace(fragment="").geturl(),
                algorithm=algorithm if is_known else "",
                digest=digest.lower() if is_known else "",
            )
        )
    return links


class _Anchors(HTMLParser):
    """Collects the addresses of all anchors, made absolute."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if not address:
            return
        if tag == "base":
            self._base = urljoin(self._base, address)
        elif tag == "a":
            self.addresses.append(urljoin(self._base, address.strip()))
