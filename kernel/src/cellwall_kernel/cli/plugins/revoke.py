"""`llm plugins revoke`: take back what a plugin was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.grants import Grant, Grants
    from cellwall_kernel.permissions import Permission, Permissions

__all__ = ["revoke"]

UNSANDBOXED = "unsandboxed"
"""The word that takes back `grant --unsandboxed`."""


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@click.argument("permissions", nargs=-1, metavar="[PERMISSION]...")
@pass_app
def revoke(app: App, name: str, permissions: tuple[str, ...]) -> None:
    """Take back what the plugin NAME was granted: everything, or each PERMISSION.

    A PERMISSION is written as for 'llm plugins grant'; a kind alone (network, read) means all of that kind,
    and 'unsandboxed' puts the wall back. What a plugin was granted is kept after it was removed, until this
    takes it back.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named
    from cellwall_kernel.grants import Grant, Grants, change_grant
    from cellwall_kernel.permissions import in_short

    catalogue = Catalogue.load(app.paths)
    grants = Grants.load(app.paths)
    entry = catalogue.entries.get(name)
    leftovers = [] if entry is not None else keys_of_removed(name, grants)
    if leftovers and not permissions:
        for key in leftovers:
            change_grant(app.paths, key, lambda _: Grant())
        _output.note(f"Plugin '{name}' is not installed; what it was granted is taken back.")
        return
    record = plugin_named(catalogue, name).record
    known = grants.of(record)
    reduced(name, known, permissions)  # says what is wrong before anything is changed
    keeps_pin = record.environment is not None

    def change(present: Grant) -> Grant:
        left = reduced(name, present, permissions)
        return Grant() if left.is_empty and not keeps_pin else left

    left = change_grant(app.paths, record.grant_key, change)
    catalogue.forget(name)
    if left.unsandboxed:
        _output.note(f"Plugin '{name}' still runs without a wall.")
    _output.note(f"Plugin '{name}' may do now: {in_short(left.permissions)}.")


def reduced(name: str, known: Grant, words: Sequence[str]) -> Grant:
    """Return the grant without what the words name; without words, nothing is left.

    Raises:
        UsageProblem: something was not granted.
    """
    import msgspec

    from cellwall_kernel.cli._trust import read_items
    from cellwall_kernel.permissions import KINDS, Permissions, items_of, without

    if not words:
        return msgspec.structs.replace(known, permissions=Permissions(), unsandboxed=False)
    if UNSANDBOXED in words and not known.unsandboxed:
        raise UsageProblem(f"plugin '{name}' does not run unsandboxed.")
    kinds = [word for word in words if word in KINDS]
    items = read_items(word for word in words if word not in KINDS and word != UNSANDBOXED)
    for item in items:
        refuse_unless_granted(name, item, known.permissions)
    granted = items_of(known.permissions)
    gone = [*items, *(item for item in granted if item.kind in kinds)]
    for kind in kinds:
        if all(item.kind != kind for item in granted):
            raise UsageProblem(f"plugin '{name}' was granted no {kind}.")
    return msgspec.structs.replace(
        known,
        permissions=without(known.permissions, gone),
        unsandboxed=known.unsandboxed and UNSANDBOXED not in words,
    )


def refuse_unless_granted(name: str, item: Permission, granted: Permissions) -> None:
    """Refuse what was not granted by itself: a part cannot be taken out of a whole.

    Raises:
        UsageProblem: it was not.
    """
    from cellwall_kernel.permissions import covers, in_short, without

    if without(granted, [item]) != granted:
        return
    if covers(granted, item):
        raise UsageProblem(
            f"'{item}' is part of what plugin '{name}' may do ({in_short(granted)}); take that back, and "
            "grant what shall stay."
        )
    raise UsageProblem(f"plugin '{name}' was not granted '{item}'; it may do: {in_short(granted)}.")


def keys_of_removed(name: str, grants: Grants) -> list[str]:
    """List the grants of plugins of that name that may not be installed any more."""
    return [key for key in grants.by_key if name in (key, key.partition("/")[2])]
