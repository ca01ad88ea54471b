"""`llm plugins replay`: say to a plugin what a trace shows, and compare what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwall_kernel.catalogue import Entry
    from cellwall_kernel.cli._running import Stop
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.replaying import Recorded
    from cellwall_wire import AssetFile

__all__ = ["replay"]

CODE_DIFFERENT = 1


@click.command(context_settings=HELP_SETTINGS)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--plugin", "only", metavar="NAME", help="Replay this plugin only.")
@click.option("--exact", is_flag=True, help="Compare everything: digests, versions, the pieces of texts.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def replay(app: App, file: Path, only: str | None, exact: bool, as_json: bool) -> None:
    """Say to the real plugins what the trace FILE shows, and compare what they answer.

    A trace is made by 'llm --trace-plugins FILE …'. Each of its processes is started again, behind its wall,
    and hears the recorded lines of the host in their order. A key is given where the plugin was granted it.
    What is new in an answer is no difference. Exit code 1: something is different. In a pipe, each line holds
    plugin, process, state (same, different) and a remark, separated by tabs.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.cli.plugins._standing import plugin_named
    from cellwall_kernel.errors import NotFound
    from cellwall_kernel.replaying import read_trace

    catalogue = Catalogue.load(app.paths)
    processes = {
        number: recorded
        for number, recorded in read_trace(file).items()
        if only is None or recorded[0].plugin == only
    }
    if not processes:
        raise NotFound(f"the trace {file} shows no process{f' of plugin {only!r}' if only else ''}.")
    found: list[dict[str, Any]] = []
    with stoppable() as stop:
        for number, recorded in processes.items():
            entry = plugin_named(catalogue, recorded[0].plugin)
            different = replayed(app.paths, entry, recorded, stop, exact=exact)
            found.append({"plugin": entry.name, "process": number, "differences": different})
    if as_json:
        _output.print_json(found)
    else:
        show(found)
    if any(each["differences"] for each in found):
        raise click.exceptions.Exit(CODE_DIFFERENT)


def replayed(
    paths: Paths, entry: Entry, recorded: Sequence[Recorded], stop: Stop, *, exact: bool
) -> list[str]:
    """Replay one process; returns what is different."""
    from cellwall_kernel.replaying import replay as play

    assets, key = assets_for(paths, entry, recorded), granted_key(paths, entry)
    return stop.run(lambda: play(entry.record, paths, recorded, assets=assets, key=key, exact=exact))


def assets_for(paths: Paths, entry: Entry, recorded: Sequence[Recorded]) -> dict[str, AssetFile]:
    """Return the data files that the plugin had, fetched if need be."""
    from cellwall_kernel.assets.launching import resolve_for_launch
    from cellwall_kernel.assets.progress import progress_for

    names: set[str] = set()
    for line in recorded:
        if line.side == "host" and line.line is not None and line.line.get("method") == "initialize":
            names |= set(line.line.get("params", {}).get("assets") or {})
    if not names:
        return {}
    return resolve_for_launch(entry.record.manifest, names, entry.name, paths, progress_for())


def granted_key(paths: Paths, entry: Entry) -> Callable[[str], str | None]:
    """Return what gives the plugin its keys: those that it was granted, and that there are."""
    from cellwall_kernel.grants import valid_grant
    from cellwall_kernel.keys import resolve_key

    granted = valid_grant(paths, entry.record).permissions.keys
    variables = {model.key.alias: model.key.env for model in entry.models if model.key is not None}

    def key(alias: str) -> str | None:
        if alias not in granted:
            return None
        return resolve_key(paths, alias=alias, env_var=variables.get(alias))

    return key


def show(found: list[dict[str, Any]]) -> None:
    """Print the result for people."""
    rows: list[tuple[str, str, str, str]] = []
    for each in found:
        head = (each["plugin"], str(each["process"]))
        rows += [(*head, "different", remark) for remark in each["differences"]] or [(*head, "same", "")]
    _output.table(rows, ["PLUGIN", "PROCESS", "STATE", "REMARKS"])
