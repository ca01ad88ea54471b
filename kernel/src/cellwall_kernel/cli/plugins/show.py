"""`llm plugins show`: everything that is known about one plugin, for its user and for its author."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.cli.plugins._standing import Standing
    from cellwall_kernel.paths import Paths

__all__ = ["show"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show everything about one plugin: what it offers and may do, where it is, what went wrong last."""
    from cellwall_kernel.cli._asking import asked_catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named, standing_of
    from cellwall_kernel.doctor import quick_level
    from cellwall_kernel.grants import Grants

    level = quick_level(app.paths)
    entry = plugin_named(asked_catalogue(app, is_patient=True), name)
    standing = standing_of(entry.record, Grants.load(app.paths))
    if as_json:
        _output.print_json(as_members(entry, standing, app.paths, level))
        return
    trust = facts_of_trust(entry, standing, level)
    facts = [*facts_of(entry, app.paths), *facts_of_time(entry, app.paths), *trust]
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        _output.line(f"{label + ':':<{width + 1}}  {value}")
    if entry.error is not None and entry.error.detail:
        _output.line()
        _output.line("last error in full:")
        for row in entry.error.detail.splitlines():
            _output.line(f"    {row}")


def facts_of(entry: Entry, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, as labels and values."""
    from cellwall_kernel.breaker import Breaker

    record, described = entry.record, entry.described
    yield "name", record.name
    yield "distribution", f"{record.dist} {record.version}".rstrip()
    yield "entry point", record.target
    yield "location", f"{record.source_root} (editable)" if record.source_root else record.location
    yield "state", entry.state
    if entry.cause is not None:
        yield "cause", " ".join(entry.cause.split())
    if (quarantine := Breaker(paths).quarantine(record)) is not None:
        yield "quarantined", quarantine.message
        yield "last crash", " ".join(quarantine.detail.split())
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


def facts_of_time(entry: Entry, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield how long the plugin is waited for, and who has set that."""
    from cellwall_kernel.cli.plugins.timeouts import time_rows
    from cellwall_kernel.config import load_config

    for name, time, source, what in time_rows(load_config(paths).timeouts, entry.name):
        yield "deadline", f"{name} {time}, {what} ({source})"


def facts_of_trust(entry: Entry, standing: Standing, level: str) -> Iterator[tuple[str, str]]:
    """Yield what the plugin may do, what it would like to, and for which files that holds."""
    from cellwall_kernel.permissions import Permissions, cautions_about, rows, what_is_not_asked

    grant, manifest = standing.grant, entry.record.manifest
    if standing.change is not None:
        yield "changed", f"it does not start: {standing.change}; see 'llm plugins verify {entry.name}'"
    yield "wall", f"{standing.wall(level)}; 'llm doctor' tells more"
    if grant.unsandboxed:
        yield "unsandboxed", "it runs without a wall and can do whatever you can"
    for row in rows(grant.permissions, {}):
        yield "granted", f"{row.item}{f' ({row.facts})' if row.facts else ''}"
    if grant.permissions == Permissions():
        yield "granted", "nothing beyond the default: no network, no keys, its own folder only"
    else:
        yield "otherwise", what_is_not_asked(grant.permissions)
    for caution in cautions_about(grant.permissions):
        yield "caution", caution.text
    for row in rows(standing.missing, manifest.reasons if manifest is not None else {}):
        reason = f' (its author: "{row.reason}")' if row.reason else ""
        yield "not granted", f"{row.item}{reason}"
    if manifest is not None and manifest.requires:
        yield "insists on", ", ".join(manifest.requires)
    for sentence in entry.attempts:
        yield "refused", sentence.removeprefix(f"plugin '{entry.name}' ")
    if grant.pin is not None:
        content = f"sha256 {grant.pin.tree}" if grant.pin.has_content else "editable: content not pinned"
        yield "pinned", f"{content}, since {grant.granted_at[:10]}"


def assets_of(entry: Entry, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield the data files that the plugin declares and whether they are here."""
    from cellwall_kernel.assets.store import is_present

    manifest = entry.record.manifest
    for spec in manifest.assets if manifest is not None else []:
        yield spec.name, "fetched" if is_present(paths, spec) else "not fetched yet"


def as_members(entry: Entry, standing: Standing, paths: Paths, level: str) -> dict[str, Any]:
    """Return everything about a plugin; all members are always there."""
    from cellwall_kernel.breaker import Breaker
    from cellwall_kernel.config import load_config
    from cellwall_kernel.permissions import items_of

    record, described = entry.record, entry.described
    quarantine = Breaker(paths).quarantine(record)
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
        "quarantined_until": None if quarantine is None else quarantine.until_utc,
        "models": entry.models,
        "hooks": described.hooks if described is not None else [],
        "notes": described.notes if described is not None else [],
        "assets": [{"name": name, "state": state} for name, state in assets_of(entry, paths)],
        "output": str(paths.plugin_log(record.name)),
        "timeouts": {
            name: {"seconds": limit.seconds, "source": limit.source}
            for name, limit in load_config(paths).timeouts.patience(entry.name, "")._asdict().items()
        },
        "permissions": [str(item) for item in items_of(standing.grant.permissions)],
        "asked": [str(item) for item in items_of(standing.asked)],
        "missing": [str(item) for item in items_of(standing.missing)],
        "reasons": record.manifest.reasons if record.manifest is not None else {},
        "requires": record.manifest.requires if record.manifest is not None else (),
        "walled": standing.wall(level) != "NONE",
        "sandbox": standing.wall(level),
        "changed": standing.change,
        "refused": entry.attempts,
        "environment": record.environment,
        "pin": standing.grant.pin,
        "granted_at": standing.grant.granted_at or None,
    }
