"""`pins/DIGEST.json`: the files of each pin by name, so that a change can be named and not only noticed.

The name of such a file is the digest of what is in it, which the pin holds too: one that was tampered with is
not believed. Losing them costs the names, never the safety.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from cellwall_kernel.grants._pins import tree_digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellwall_kernel.grants._contents import Listing
    from cellwall_kernel.grants._pins import Pin
    from cellwall_kernel.paths import Paths

__all__ = ["Change", "changes_since", "forget_others", "remember"]


class Change(NamedTuple):
    """A file that is not what it was.

    Args:
        what: what happened to it.
        path: as in the listing.
    """

    what: Literal["changed", "new", "gone"]
    path: str


def remember(paths: Paths, pin: Pin, listing: Listing) -> None:
    """Keep the files of a pin by name; one that cannot be kept is no error."""
    from cellwall_kernel.errors import StoreProblem
    from cellwall_kernel.private_files import locked, replace

    if not pin.has_content:
        return
    place = _place(paths, pin.tree)
    with suppress(StoreProblem, UnicodeEncodeError), locked(place.with_name("pins")):
        replace(place, msgspec.json.encode(listing))


def forget_others(paths: Paths, pins: Iterable[Pin]) -> None:
    """Remove the listings that belong to none of the pins."""
    kept = {f"{pin.tree}.json" for pin in pins}
    with suppress(OSError):
        for place in paths.folder("pins").glob("*.json"):
            if place.name not in kept:
                place.unlink()


def changes_since(paths: Paths, pin: Pin, listing: Listing) -> list[Change] | None:
    """Return what is different since a pin was made, sorted by path.

    Args:
        paths: the user folder.
        pin: of earlier.
        listing: the files now.

    Returns:
        None if the files of the pin are not known by name any more.
    """
    try:
        before = msgspec.json.decode(_place(paths, pin.tree).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if tree_digest(before) != pin.tree:
        return None
    both = before.keys() & listing.keys()
    found = [
        *(Change("gone", path) for path in before.keys() - both),
        *(Change("new", path) for path in listing.keys() - both),
        *(Change("changed", path) for path in both if before[path] != listing[path]),
    ]
    return sorted(found, key=lambda change: change.path)


def _place(paths: Paths, tree: str) -> Path:
    return paths.folder("pins") / f"{tree}.json"
