"""`llm plugins list`: every installed plugin with its state, why one cannot be used, and what each may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.cli.plugins._standing import Standing
    from cellwall_kernel.errors import Quarantined
    from cellwall_kernel.supervisor.holds import Holding

__all__ = ["as_members", "list_plugins"]


@click.command("list", context_settings=HELP_SETTINGS)
@click.option("--refresh", is_flag=True, help="Ask plugins that failed once more.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@pass_app
def list_plugins(app: App, refresh: bool, as_json: bool) -> None:
    """List the installed plugins, with the cause if one cannot be used, and what each may do.

    Plugins that were not asked yet are asked, and slow ones are waited for. In a pipe, each line holds name,
    version, state, number of models, cause, what it may do, how strong the wall around it is (STRONG, PARTIAL
    or NONE; `llm doctor` tells more), and which process keeps it running until when and why (`llm plugins
    release` ends that), separated by tabs.
    """
    from cellwall_kernel.breaker import Breaker
    from cellwall_kernel.cli._asking import asked_catalogue
    from cellwall_kernel.cli.plugins._standing import standing_of
    from cellwall_kernel.doctor import quick_level
    from cellwall_kernel.grants import Grants
    from cellwall_kernel.supervisor.holds import current_holds

    catalogue = asked_catalogue(app, is_patient=True, retries=refresh)
    grants = Grants.load(app.paths)
    level = quick_level(app.paths)
    breaker = Breaker(app.paths)
    holds = current_holds(app.paths)
    entries = [
        (
            *(entry, standing_of(entry.record, grants), breaker.quarantine(entry.record)),
            [holding for holding in holds if holding.plugin == entry.name],
        )
        for entry in catalogue.entries.values()
    ]
    if as_json:
        _output.print_json([as_members(*known, level) for known in entries])
        return
    rows = [
        (
            *(entry.name, entry.record.version, entry.state, str(len(entry.models))),
            entry.cause or "" if quarantine is None else quarantine.message,
            standing.in_short,
            standing.wall(level),
            "; ".join(holding.sentence for holding in held),
        )
        for entry, standing, quarantine, held in entries
    ]
    _output.table(rows, ["NAME", "VERSION", "STATE", "MODELS", "CAUSE", "MAY", "WALL", "HELD"])
    if not entries:
        _output.note("No plugin is installed; 'llm plugins new NAME' writes one.")


def as_members(
    entry: Entry,
    standing: Standing,
    quarantine: Quarantined | None,
    held: Sequence[Holding],
    level: str,
) -> dict[str, Any]:
    """Return the members of a plugin in the JSON list; all of them are always there."""
    from cellwall_kernel.permissions import items_of

    return {
        "name": entry.name,
        "dist": entry.record.dist,
        "version": entry.record.version,
        "state": entry.state,
        "models": [model.id for model in entry.models],
        "cause": entry.cause if quarantine is None else quarantine.message,
        "kind": problem.kind if (problem := quarantine or entry.error) is not None else None,
        "quarantined_until": None if quarantine is None else quarantine.until_utc,
        "permissions": [str(item) for item in items_of(standing.grant.permissions)],
        "asked": [str(item) for item in items_of(standing.asked)],
        "walled": standing.wall(level) != "NONE",
        "sandbox": standing.wall(level),
        "changed": standing.change is not None,
        "held": [
            {"pid": holding.pid, "until": holding.until_utc, "reason": holding.reason} for holding in held
        ],
    }
