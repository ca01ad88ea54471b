"""`llm plugins show`: everything that is known about one plugin, for its user and for its author."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS, similar
from cellwall_kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.catalogue import Catalogue, Entry
    from cellwall_kernel.paths import Paths

__all__ = ["show"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show everything about one plugin: what it offers, where it is, what went wrong last."""
    from cellwall_kernel.cli._asking import asked_catalogue

    entry = plugin_named(asked_catalogue(app, is_patient=True), name)
    if as_json:
        _output.print_json(as_members(entry, app.paths))
        return
    facts = list(facts_of(entry, app.paths))
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        _output.line(f"{label + ':':<{width + 1}}  {value}")
    if entry.error is not None and entry.error.detail:
        _output.line()
        _output.line("last error in full:")
        for row in entry.error.detail.splitlines():
            _output.line(f"    {row}")


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


def facts_of(entry: Entry, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, as labels and values."""
    record, described = entry.record, entry.described
    yield "name", record.name
    yield "distribution", f"{record.dist} {record.version}".rstrip()
    yield "entry point", record.target
    yield "location", f"{record.source_root} (editable)" if record.source_root else record.location
    yield "state", entry.state
    if entry.cause is not None:
        yield "cause", " ".join(entry.cause.split())
    for model in entry.models:
        also = f" (also {', '.join(model.aliases)})" if model.aliases else ""
        yield "model", f"{model.id}{also}"
    for hook in described.hooks if described is not None else []:
        yield "hook", f"{hook.hook} ({hook.impl})"
    for remark in described.notes if described is not None else []:
        yield "note", remark
    for name, state in assets_of(entry, paths):
        yield "data file", f"{name} ({state})"
    yield "output", str(paths.plugin_log(record.name))


def assets_of(entry: Entry, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield the data files that the plugin declares and whether they are here."""
    from cellwall_kernel.assets.store import is_present

    manifest = entry.record.manifest
    for spec in manifest.assets if manifest is not None else []:
        yield spec.name, "fetched" if is_present(paths, spec) else "not fetched yet"


def as_members(entry: Entry, paths: Paths) -> dict[str, Any]:
    """Return everything about a plugin; all members are always there."""
    record, described = entry.record, entry.described
    return {
        "name": record.name,
        "dist": record.dist,
        "version": record.version,
        "target": record.target,
        "location": record.location,
        "editable": record.editable,
        "source_root": record.source_root,
        "state": entry.state,
        "cause": entry.cause,
        "error": entry.error,
        "models": entry.models,
        "hooks": described.hooks if described is not None else [],
        "notes": described.notes if described is not None else [],
        "assets": [{"name": name, "state": state} for name, state in assets_of(entry, paths)],
        "output": str(paths.plugin_log(record.name)),
    }
