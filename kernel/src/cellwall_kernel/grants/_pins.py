"""Pins: which files of a plugin were meant when something was granted to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel.grants._contents import Listing, contents_of, manifest_digest, stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_kernel.discovery import PluginRecord

__all__ = ["Pin", "Verdict", "check", "pin_of", "pin_with_listing", "tree_digest"]


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a plugin's installation.

    Args:
        dist: its distribution.
        version: of the distribution.
        wheels: file name and SHA-256 of everything that was installed for it, as far as known.
        tree: SHA-256 over its files by path and content; empty where they are not pinned, because it is
            installed for editing.
        manifest: SHA-256 of its manifest; empty without one.
        stamp: how the files looked; while it is the same they need not be read.
    """

    dist: str
    version: str
    wheels: tuple[tuple[str, str], ...] = ()
    tree: str = ""
    manifest: str = ""
    stamp: str = ""

    @property
    def has_content(self) -> bool:
        """Whether the files themselves are pinned, and not the manifest alone."""
        return bool(self.tree)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of comparing a pin with the files.

    Args:
        state: `same`; `touched` if the content is the same and `stamp` is another; `changed` otherwise.
        stamp: how the files look now.
        cause: what is different, in words; empty unless `changed`.
        listing: the files now; empty unless they were read.
    """

    state: Literal["same", "touched", "changed"]
    stamp: str
    cause: str = ""
    listing: Listing = {}


def pin_of(record: PluginRecord, *, wheels: Iterable[tuple[str, str]] = ()) -> Pin:
    """Read all files of a plugin and return the pin of what they are now.

    Args:
        record: the plugin.
        wheels: file name and SHA-256 of what was installed for it.
    """
    return pin_with_listing(record, wheels=wheels)[0]


def pin_with_listing(record: PluginRecord, *, wheels: Iterable[tuple[str, str]] = ()) -> tuple[Pin, Listing]:
    """Return the pin and the files by name."""
    stamp = stamp_of(record)  # before reading: a file that changes meanwhile then shows as a change
    listing = contents_of(record)
    pin = Pin(
        dist=record.dist,
        version=record.version,
        wheels=tuple(wheels),
        tree="" if record.editable else tree_digest(listing),
        manifest=manifest_digest(record),
        stamp=stamp,
    )
    return pin, listing


def check(record: PluginRecord, pin: Pin, *, thorough: bool = False) -> Verdict:
    """Say whether a plugin still is what the pin says.

    Args:
        record: the plugin.
        pin: of earlier.
        thorough: read all files even if they look the same.
    """
    is_same_release = (record.dist, record.version) == (pin.dist, pin.version)
    stamp = stamp_of(record)
    if stamp == pin.stamp and is_same_release and record.editable != pin.has_content and not thorough:
        return Verdict(state="same", stamp=stamp)
    now, listing = pin_with_listing(record)
    if not is_same_release:
        cause = f"it is {record.dist} {record.version} now and was {pin.dist} {pin.version}"
    elif now.has_content != pin.has_content:
        cause = "it is installed for editing now" if record.editable else "it was installed for editing"
    elif now.tree != pin.tree:
        also = "" if now.manifest == pin.manifest else ", its manifest among them"
        cause = f"its files are others{also}"
    elif now.manifest != pin.manifest:
        cause = "its manifest is another one"
    else:
        return Verdict(state="same" if stamp == pin.stamp else "touched", stamp=now.stamp, listing=listing)
    return Verdict(state="changed", stamp=now.stamp, cause=cause, listing=listing)


def tree_digest(listing: Listing) -> str:
    """Return the SHA-256 over the files, sorted by path."""
    import hashlib

    lines = "".join(f"{path}\0{content}\n" for path, content in sorted(listing.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
