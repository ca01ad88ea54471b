"""How a plugin stands: what it may do, what it asks for beyond that, and whether its files are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cellwall_kernel.cli._lazy import similar
from cellwall_kernel.errors import NotFound
from cellwall_kernel.grants import Grant, Grants, asked_by, check
from cellwall_kernel.permissions import Permissions, in_short, missing

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Catalogue, Entry
    from cellwall_kernel.discovery import PluginRecord

__all__ = ["Standing", "plugin_named", "standing_of"]


class Standing(NamedTuple):
    """How a plugin stands.

    Args:
        grant: what it was granted.
        asked: what its manifest asks for.
        missing: what of that it was not granted.
        change: why it does not start, if its files are others; ends a sentence.
    """

    grant: Grant
    asked: Permissions
    missing: Permissions
    change: str | None

    def wall(self, level: str) -> str:
        """Return how strong the wall around it is, where a wall is as strong as `level` on this machine."""
        return "NONE" if self.grant.unsandboxed else level

    @property
    def in_short(self) -> str:
        """What it may do, in a few words."""
        if self.change is not None:
            return "nothing: it has changed"
        may = "everything: unsandboxed" if self.grant.unsandboxed else in_short(self.grant.permissions)
        return may if self.missing == Permissions() else f"{may} (asks for more)"


def standing_of(record: PluginRecord, grants: Grants) -> Standing:
    """Look up how a plugin stands; its files are read only if they look different from last time."""
    grant, asked = grants.of(record), asked_by(record)
    change = None
    if grant.pin is not None:
        change = check(record, grant.pin).cause or None
    elif not grant.is_empty:
        change = "nobody noted which files were meant"
    return Standing(grant=grant, asked=asked, missing=missing(asked, grant.permissions), change=change)


def plugin_named(catalogue: Catalogue, name: str) -> Entry:
    """Return what is known about a plugin.

    Raises:
        NotFound: it is not installed.
    """
    entry = catalogue.entries.get(name)
    if entry is None:
        meant = similar(name, catalogue.entries)
        hint = f"did you mean '{meant}'?" if meant else "'llm plugins' lists those that are."
        raise NotFound(f"no plugin '{name}' is installed; {hint}")
    return entry
