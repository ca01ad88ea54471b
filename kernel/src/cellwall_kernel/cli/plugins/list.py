"""`llm plugins list`: every installed plugin with its state, and why one cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Entry

__all__ = ["as_members", "list_plugins"]


@click.command("list", context_settings=HELP_SETTINGS)
@click.option("--refresh", is_flag=True, help="Ask plugins that failed once more.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@pass_app
def list_plugins(app: App, refresh: bool, as_json: bool) -> None:
    """List the installed plugins, with the cause if one cannot be used.

    Plugins that were not asked yet are asked, and slow ones are waited for. In a pipe, each line holds name,
    version, state, number of models and cause, separated by tabs.
    """
    from cellwall_kernel.cli._asking import asked_catalogue

    catalogue = asked_catalogue(app, is_patient=True, retries=refresh)
    entries = list(catalogue.entries.values())
    if as_json:
        _output.print_json([as_members(entry) for entry in entries])
        return
    rows = [
        (entry.name, entry.record.version, entry.state, str(len(entry.models)), entry.cause or "")
        for entry in entries
    ]
    _output.table(rows, ["NAME", "VERSION", "STATE", "MODELS", "CAUSE"])
    if not entries:
        _output.note("No plugin is installed; 'llm plugins new NAME' writes one.")


def as_members(entry: Entry) -> dict[str, Any]:
    """Return the members of a plugin in the JSON list; all of them are always there."""
    return {
        "name": entry.name,
        "dist": entry.record.dist,
        "version": entry.record.version,
        "state": entry.state,
        "models": [model.id for model in entry.models],
        "cause": entry.cause,
        "kind": None if entry.error is None else entry.error.kind,
    }
