"""`llm plugins grant`: allow a plugin something, typed by hand or as its manifest asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.cli.plugins._standing import Standing
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.permissions import Permissions
    from cellwall_kernel.wall import Mechanisms

__all__ = ["grant"]

CODE_REFUSED = 1


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@click.argument("permissions", nargs=-1, metavar="[PERMISSION]...")
@click.option("--yes-as-asked", is_flag=True, help="Allow all that its manifest asks for, unasked.")
@click.option("--accept-change", is_flag=True, help="Its files have changed: allow these the same.")
@click.option("--unsandboxed", is_flag=True, help="Let it run without any wall: it can do what you can.")
@pass_app
def grant(
    app: App,
    name: str,
    permissions: tuple[str, ...],
    *,
    yes_as_asked: bool,
    accept_change: bool,
    unsandboxed: bool,
) -> None:
    """Allow the plugin NAME something.

    Without a PERMISSION, it is shown what the plugin asks for and asked whether it may. Each PERMISSION is

    \b
        network=HOST|HOST:PORT|*.DOMAIN|any    key=NAME           env=VARIABLE
        read=PATH     write=PATH               spawn=any|PROGRAM  device=gpu
        socket=docker|ssh-agent|PATH           host=prompt|ask
        memory=2G  data=5G  file_size=1G       processes=N  cpu_seconds=N  deadline=10m

    A PATH is whole, begins with ~, or is . for the folder in which a command is called.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli._trust import read_items
    from cellwall_kernel.cli.plugins._standing import plugin_named, standing_of
    from cellwall_kernel.doctor import quick_level
    from cellwall_kernel.errors import PluginBroken, PluginChanged
    from cellwall_kernel.grants import Grants, accept
    from cellwall_kernel.permissions import union, with_items
    from cellwall_kernel.wall import Mechanisms

    items = read_items(permissions)
    catalogue = Catalogue.load(app.paths)
    entry = plugin_named(catalogue, name)
    if entry.record.problem is not None:
        raise PluginBroken(name, f"plugin '{name}' cannot be granted anything: {entry.record.problem}")
    standing = standing_of(entry.record, Grants.load(app.paths))
    is_typed = bool(items or yes_as_asked or unsandboxed)
    allowed = standing.grant.permissions
    if standing.change is not None and not accept_change:
        if is_typed:
            raise PluginChanged(name, standing.change)
        confirm_change(entry, standing)
    if yes_as_asked:
        allowed = union(allowed, standing.missing)
    if items:
        allowed = with_items(allowed, items)
    if not is_typed and not accept_change:
        allowed = asked_person(entry, standing, Mechanisms.detect(app.paths))
    known = standing.grant
    if is_typed or standing.change is not None or allowed != known.permissions:
        known = accept(
            app.paths,
            entry.record,
            allowed,
            unsandboxed=unsandboxed or standing.grant.unsandboxed,
            level=quick_level(app.paths),
        )
        catalogue.forget(name)
    say_what_it_may(entry, known)


def confirm_change(entry: Entry, standing: Standing) -> None:
    """Ask whether the files as they are now are the ones that are meant.

    Raises:
        PluginChanged: nobody can be asked, or the answer is No.
    """
    from cellwall_kernel.cli._trust import can_ask, confirmed
    from cellwall_kernel.errors import PluginChanged
    from cellwall_kernel.permissions import in_short

    change = standing.change or ""
    if can_ask():
        _output.note(f"Plugin '{entry.name}' has changed: {change}.")
        if confirmed(f"Let it do the same as before ({in_short(standing.grant.permissions)})?"):
            return
    raise PluginChanged(entry.name, change)


def asked_person(entry: Entry, standing: Standing, mechanisms: Mechanisms) -> Permissions:
    """Show what the plugin asks for and return all that it may do from now on.

    Raises:
        Exit: the answer is No.
    """
    from cellwall_kernel.cli._trust import Wish, ask_trust, command_for
    from cellwall_kernel.doctor import enforcement
    from cellwall_kernel.grants import pin_of

    record, pin = entry.record, standing.grant.pin
    wish = Wish(
        name=entry.name,
        version=record.version,
        asked=standing.asked,
        reasons=record.manifest.reasons if record.manifest is not None else {},
        granted=standing.grant.permissions,
        previous=None if pin is None else pin.version,
        digest=pin_of(record).tree,
        source="editable: content not pinned" if record.editable else "",
    )
    instead = (
        f"repeat it with --yes-as-asked, or name each PERMISSION: '{command_for(entry.name, wish.wanted)}'."
    )
    allowed = ask_trust(wish, instead=instead, enforcement=lambda item: enforcement(item, mechanisms))
    if allowed is None:
        _output.note(f"Nothing was granted; plugin '{entry.name}' may do what it could before.")
        raise click.exceptions.Exit(CODE_REFUSED)
    return allowed


def say_what_it_may(entry: Entry, known: Grant) -> None:
    """Say on stderr what the plugin may do now."""
    from cellwall_kernel.cli._trust import say_cautions
    from cellwall_kernel.grants import asked_by
    from cellwall_kernel.permissions import Permissions, in_short, missing

    if known.unsandboxed:
        _output.note(f"Plugin '{entry.name}' runs without a wall now: it can do whatever you can.")
    _output.note(f"Plugin '{entry.name}' may do now: {in_short(known.permissions)}.")
    say_cautions(known.permissions)
    more = missing(asked_by(entry.record), known.permissions)
    if more != Permissions():
        _output.note(f"It asks for more, which it may not: {in_short(more)}.")
    if known.pin is not None and not known.pin.has_content:
        _output.note("Editable: its content is not pinned, so this holds for whatever its folder contains.")
