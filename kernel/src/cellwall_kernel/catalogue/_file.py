"""The catalogue's file: `catalogue/ENVIRONMENT.json`, one for each Python environment.

Two rules make it safe to lose. Every entry is decoded by itself, so a damaged one costs one question to one
plugin. And a writer merges under a lock what it has learned into what is there, so that commands running at
the same time lose nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.catalogue._entries import Entry
from cellwall_kernel.discovery import Environment, Scan, Stamp
from cellwall_kernel.errors import StoreProblem
from cellwall_kernel.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwall_kernel.paths import Paths

__all__ = ["CatalogueFile", "Content", "catalogue_path"]

FORMAT = f"2 {VERSION}"
"""Another format, or another version of Cellwall, begins anew."""


class Content(msgspec.Struct, kw_only=True):
    """What the file holds.

    Args:
        format: see FORMAT.
        tag: the environment's interpreter.
        folders: the environment's search path.
        watched: how everything looked that decides what is installed.
        installed: stands for all distributions, plugins or not.
        entries: plugin name -> entry, not yet decoded.
    """

    format: str = ""
    tag: str = ""
    folders: list[tuple[str, str]] = []
    watched: list[Stamp] = []
    installed: str = ""
    entries: dict[str, msgspec.Raw] = {}

    def is_current(self, environment: Environment) -> bool:
        """Whether nothing was installed, removed or edited since this was written."""
        return (
            self.format == FORMAT
            and self.tag == environment.tag
            and tuple(self.folders) == environment.folders
            and all(stamp.is_current for stamp in self.watched)
        )

    def decoded(self) -> tuple[dict[str, Entry], bool]:
        """Return the entries that can be read, and whether those are all."""
        entries: dict[str, Entry] = {}
        decoder = msgspec.json.Decoder(Entry)
        for name, raw in self.entries.items():
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                entry = decoder.decode(raw)
                if entry.name == name:
                    entries[name] = entry
        return entries, len(entries) == len(self.entries)


def catalogue_path(paths: Paths, environment: Environment) -> Path:
    """Return the place of an environment's catalogue."""
    return paths.catalogue_dir / f"{environment.id}.json"


class CatalogueFile:
    """Reads and writes the file of one environment.

    Args:
        path: the file.
        environment: whose catalogue it is.
    """

    def __init__(self, path: Path, environment: Environment) -> None:
        self.path = path
        self._environment = environment

    def read(self) -> Content:
        """Return what is there; empty if there is nothing that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Content)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Content()

    def look(self) -> Stamp:
        """Return how the file looks now, to tell cheaply whether another command has written it."""
        return Stamp.of(str(self.path))

    def merge(self, scan: Scan, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Write what this command knows and keep what others have learned meanwhile.

        Args:
            scan: what is installed, as this command found it.
            entries: what it knows about each plugin.

        Returns:
            the entries, others' findings included. A file that cannot be written is no error: the next
            command asks again.
        """
        from cellwall_kernel.private_files import locked, replace

        merged = dict(entries)
        with suppress(StoreProblem), locked(self.path):
            merged = self.merged(scan, entries)
            replace(self.path, self._encoded(scan, merged))
        return merged

    def merged(self, scan: Scan, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return `entries` with what other commands have learned since; arguments as for `merge`.

        A failure that others met with other distributions installed is no news: it is why we ask again.
        """
        content = self.read()
        others, _ = content.decoded()
        merged: dict[str, Entry] = {}
        for name, ours in entries.items():
            theirs = others.get(name)
            if (
                theirs is not None
                and theirs.record.key == ours.record.key
                and theirs.asked_at > ours.asked_at
            ):
                is_news = theirs.described is not None or content.installed == scan.installed
                merged[name] = theirs if is_news else ours
            else:
                merged[name] = ours
        return merged

    def _encoded(self, scan: Scan, entries: Mapping[str, Entry]) -> bytes:
        content = Content(
            format=FORMAT,
            tag=self._environment.tag,
            folders=list(self._environment.folders),
            watched=scan.watched,
            installed=scan.installed,
            entries={name: msgspec.Raw(msgspec.json.encode(entry)) for name, entry in entries.items()},
        )
        return msgspec.json.encode(content)
