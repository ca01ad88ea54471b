"""`llm uninstall`: remove a plugin with its environment and what it was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._bringing import each, environment_named, names_of
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import NotFound

if TYPE_CHECKING:
    from cellwall_kernel.environments import Installed
    from cellwall_kernel.paths import Paths

__all__ = ["uninstall"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("-y", "--yes", is_flag=True, hidden=True, help="Nothing is asked anyway.")
@click.option("--purge", is_flag=True, help="Remove what it has stored, too.")
@pass_app
def uninstall(app: App, names: tuple[str, ...], *, yes: bool, purge: bool) -> None:  # noqa: ARG001 - click's
    """Remove plugins that 'llm install' brought, by their own names or their distributions'.

    Their environments go, and what they were granted. What it has stored stays, unless --purge is given.
    """
    from cellwall_kernel.cli._running import stoppable

    with stoppable():
        each(names, lambda name: uninstall_one(app.paths, name, purge=purge))


def uninstall_one(paths: Paths, name: str, *, purge: bool) -> None:
    """Remove one plugin and say what was done."""
    from cellwall_kernel.environments.making import remove, slot

    found = environment_named(paths, name, pip="uninstall")
    with slot(paths, found.name) as place:
        if place.current is None:
            raise NotFound(f"no plugin '{name}' is installed any more: another command has removed it.")
        found = place.current
        names = names_of(paths, found)
        place.forget()
    take_back_grants(paths, found)
    left = [] if purge else [folder for plugin in names if (folder := stored(paths, plugin))]
    for plugin in names if purge else ():
        remove(paths.plugin_data(plugin).parent)
    _output.line(f"Removed {found.dist} {found.version}, its environment and what it was granted.")
    for folder in left:
        _output.note(
            f"What it has stored is still in {folder}; 'llm uninstall --purge' would have removed it."
        )


def take_back_grants(paths: Paths, found: Installed) -> None:
    """Forget what all plugins of the distribution were granted."""
    from cellwall_kernel.grants import Grant, Grants, change_grant

    for key in Grants.load(paths).by_key:
        if key.partition("/")[0] == found.name:
            change_grant(paths, key, lambda _: Grant())


def stored(paths: Paths, plugin: str) -> str | None:
    """Return the folder in which a plugin has stored something; None if there is nothing."""
    folder = paths.plugin_data(plugin)
    if any(folder.iterdir()):
        return str(folder)
    return str(folder.parent) if paths.plugin_store(plugin).exists() else None
