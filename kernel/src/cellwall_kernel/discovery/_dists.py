"""One installed distribution, read from its `.dist-info` or `.egg-info`.

`importlib.metadata` would do most of this, at 50 ms for its import and with an exception where a file is
damaged. A damaged file must cost one plugin at most, so every reader here has an answer for every content.
"""

# ruff: noqa: PTH110, PTH116, PTH118, PTH119, PTH122, PTH123 - hundreds of paths for every scan

from __future__ import annotations

import os

import msgspec

from cellwall_kernel.discovery._names import normal_name

__all__ = ["Distribution", "EntryPoint", "distributions_in"]

GROUP = "llm"
"""The entry-point group of plugins, as authors know it."""

MAX_METADATA_BYTES = 4 * 1024 * 1024
"""More of a metadata file is not read; the largest RECORD seen in the wild has 2 MB."""


class EntryPoint(msgspec.Struct, frozen=True):
    """A line `name = value` of the group."""

    name: str
    value: str


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution.

    Args:
        name: as in its metadata, else as in its folder's name.
        version: likewise; may be empty.
        location: the folder of the search path that holds it.
        info: its `.dist-info` or `.egg-info`.
    """

    name: str
    version: str
    location: str
    info: str

    def read(self, name: str) -> bytes:
        """Return the content of a metadata file; empty if it is not there or cannot be read."""
        try:
            with open(os.path.join(self.info, name), "rb") as file:
                return file.read(MAX_METADATA_BYTES)
        except OSError:
            return b""

    def read_text(self, name: str) -> str:
        """Return the text of a metadata file, with a mark in place of what is not UTF-8."""
        return self.read(name).decode("utf-8", "replace")

    def entry_points(self) -> list[EntryPoint]:
        """List the entry points of the group, in the order of the file."""
        found: list[EntryPoint] = []
        section = ""
        for line in map(str.strip, self.read_text("entry_points.txt").split("\n")):
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1].strip()
            elif section == GROUP and line and line[0] not in "#;":
                name, _, value = line.partition("=")
                found.append(EntryPoint(name.strip(), value.strip()))
        return list(dict.fromkeys(found))

    def recorded_files(self) -> list[str]:
        """List the files of the installation that lie at the top of its location, by name."""
        paths = (line.partition(",")[0].strip('"') for line in self.read_text("RECORD").split("\n"))
        return [path for path in paths if path and "/" not in path]

    def project_folder(self) -> str | None:
        """Return the project's folder if it is installed for editing there, else None."""
        try:
            origin = msgspec.json.decode(self.read("direct_url.json"), type=_DirectUrl)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not origin.dir_info.editable or not origin.url.startswith("file:"):
            return None
        from urllib.parse import unquote, urlsplit

        return os.path.normpath(unquote(urlsplit(origin.url).path))


class _DirInfo(msgspec.Struct):
    editable: bool = False


class _DirectUrl(msgspec.Struct):
    url: str = ""
    dir_info: _DirInfo = msgspec.field(default_factory=_DirInfo)


def distributions_in(folder: str) -> list[Distribution]:
    """List the distributions in a folder, one for each name; a folder that cannot be read has none."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return []
    if folder.endswith(".egg") and "EGG-INFO" in names:
        return [_read(folder, "EGG-INFO", os.path.basename(folder).removesuffix(".egg"))]
    found: dict[str, Distribution] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix not in {".dist-info", ".egg-info"} or name.startswith(("~", ".")):
            continue  # pip renames what it is about to remove to `~…`
        dist = _read(folder, name, stem)
        twin = found.setdefault(normal_name(dist.name), dist)
        if _mtime(dist.info) > _mtime(
            twin.info
        ):  # an interrupted upgrade leaves two: the newer one is in use
            found[normal_name(dist.name)] = dist
    return list(found.values())


def _read(folder: str, name: str, stem: str) -> Distribution:
    # The folder's name decides who shadows whom, as for the import system; the metadata inside only says how
    # to spell it.
    info = os.path.join(folder, name)
    dist_name, _, rest = stem.partition("-")
    unread = Distribution(name=dist_name, version=rest.partition("-py")[0], location=folder, info=info)
    if not os.path.exists(os.path.join(info, "entry_points.txt")):
        return unread
    headers = _headers(unread.read_text("METADATA") or unread.read_text("PKG-INFO"))
    spelled = headers.get("name", "")
    return Distribution(
        name=spelled if normal_name(spelled) == normal_name(dist_name) else dist_name,
        version=headers.get("version", unread.version),
        location=folder,
        info=info,
    )


def _headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            break  # the description follows
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "\t")):
            headers.setdefault(key.lower(), value.strip())
    return headers


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
