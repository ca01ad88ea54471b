"""The plugin that a command is attached to: asked anew each time, under the name that its author gave."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.catalogue._entries import Entry
from cellwall_kernel.discovery import PluginRecord

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.supervisor import Supervisor

__all__ = ["attached_entry"]


async def attached_entry(supervisor: Supervisor, paths: Paths, name: str, known: Entry | None) -> Entry:
    """Ask an attached plugin what it offers.

    Args:
        supervisor: connects to it.
        paths: the user folder.
        name: the plugin's.
        known: how a plugin of that name is installed; None if none is.

    Raises:
        CellwallError: it cannot be attached to, or cannot say what it offers.
    """
    from cellwall_kernel.assets.launching import resolve_for_launch

    record = _stranger(name) if known is None else msgspec.structs.replace(known.record, problem=None)
    assets = resolve_for_launch(record.manifest, (), name, paths)
    described = await supervisor.describe(record, assets=assets)
    entry = Entry.first(record).answered(described, "")
    return msgspec.structs.replace(entry, expires_at=None)  # it is asked once in a command


def _stranger(name: str) -> PluginRecord:
    """Return the record of a plugin that is not installed; without a distribution it is granted nothing."""
    return PluginRecord(
        name=name, dist="", version="", target="", location="", python=sys.executable, key="attached"
    )
