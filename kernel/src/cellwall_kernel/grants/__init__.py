"""Grants: what the user has allowed each plugin, and for which files of it.

A grant is what a person accepted, not what a manifest asks for. It is pinned: where it allows anything, it
holds the digest of the plugin's files, and other files do not get it.

    _store     grants.json: reading, changing, what to do on a launch
    _pins      from a plugin's files to a pin, and whether they still are those
    _contents  which files those are, how they look, what is in them
    _listings  pins/: the files of each pin by name, so that a change can be named
    _own       what no grant may include: the user folder, and our own code

Which permissions there are is said in `permissions`, what becomes of them in `wall`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_kernel.grants._pins import Pin, Verdict, check, pin_of
from cellwall_kernel.grants._store import Grant, Grants, accept, asked_by, change_grant, valid_grant

if TYPE_CHECKING:
    from cellwall_kernel.grants._listings import Change, changes_since
    from cellwall_kernel.grants._own import refuse_own_folders

__all__ = [
    "Change",
    "Grant",
    "Grants",
    "Pin",
    "Verdict",
    "accept",
    "asked_by",
    "change_grant",
    "changes_since",
    "check",
    "pin_of",
    "refuse_own_folders",
    "valid_grant",
]

_HOMES = {"Change": "_listings", "changes_since": "_listings", "refuse_own_folders": "_own"}


def __getattr__(name: str) -> Any:
    """Load what a launch does not need when it is first used."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"{__name__} has no '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
