"""`llm plugins verify`: read the files of plugins and compare them with what was pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths

__all__ = ["verify"]

CODE_CHANGED = 5
"""As of PluginChanged."""

MOST_FILES = 20
"""How many changed files of a plugin are listed for people; JSON has all of them."""

EDITABLE = "editable: content not pinned"


@click.command(context_settings=HELP_SETTINGS)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@pass_app
def verify(app: App, names: tuple[str, ...], as_json: bool) -> None:
    """Read all files of the plugins NAME, or of all that are pinned, and say whether they are the same.

    A plugin is pinned when it is granted something. Exit code 5: at least one has changed. In a pipe, each
    line holds name, state (same, changed, unpinned) and remarks, separated by tabs; then one line for each
    file that differs.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named
    from cellwall_kernel.grants import Grants

    catalogue = Catalogue.load(app.paths)
    grants = Grants.load(app.paths)
    chosen = [plugin_named(catalogue, name) for name in names] or [
        entry for entry in catalogue.entries.values() if not is_unpinned(grants.of(entry.record))
    ]
    found = [compared(app.paths, entry.record, grants.of(entry.record)) for entry in chosen]
    if as_json:
        _output.print_json(found)
    else:
        rows = [(each["name"], each["state"], each["cause"] or "") for each in found]
        _output.table(rows, ["NAME", "STATE", "REMARKS"])
        for each in found:
            list_files(each)
        if not found:
            _output.note("No plugin is pinned, because none was granted anything.")
    if any(each["state"] == "changed" for each in found):
        raise click.exceptions.Exit(CODE_CHANGED)


def is_unpinned(grant: Grant) -> bool:
    """Whether there is nothing to compare, rightly."""
    return grant.pin is None and grant.is_empty


def compared(paths: Paths, record: PluginRecord, grant: Grant) -> dict[str, Any]:
    """Compare a plugin with its pin; all members are always there."""
    from cellwall_kernel.grants import changes_since, check

    members: dict[str, Any] = {"name": record.name, "state": "unpinned", "cause": None, "files": []}
    if grant.pin is None:
        members["cause"] = "nothing was granted"
        if not grant.is_empty:
            members |= {"state": "changed", "cause": "nobody noted which files were meant"}
        return members
    verdict = check(record, grant.pin, thorough=True)
    members["state"] = "changed" if verdict.state == "changed" else "same"
    members["cause"] = verdict.cause or (None if grant.pin.has_content else EDITABLE)
    if verdict.state == "changed" and grant.pin.has_content and not record.editable:
        changes = changes_since(paths, grant.pin, verdict.listing)
        members["files"] = None if changes is None else [change._asdict() for change in changes]
    return members


def list_files(members: dict[str, Any]) -> None:
    """Print which files of a plugin differ."""
    files = members["files"]
    if files is None:
        _output.note(f"Which files of '{members['name']}' differ is not known any more.")
        return
    for change in files[:MOST_FILES]:
        _output.line(f"{members['name']}\t{change['what']}\t{change['path']}")
    if len(files) > MOST_FILES:
        _output.note(f"and {len(files) - MOST_FILES} more of '{members['name']}'; --json has all of them.")
