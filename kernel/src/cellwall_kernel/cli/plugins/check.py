"""`llm plugins check`: whether a plugin, in whatever language, speaks the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

if TYPE_CHECKING:
    from cellwall_kernel.conformance import Report
    from cellwall_kernel.discovery import PluginRecord

__all__ = ["check"]

DEFAULT_TIMEOUT_S = 20.0
"""As `cellwall_kernel.conformance`, which is not imported for a help text."""


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name", metavar="PLUGIN", required=False)
@click.option(
    "--host", "is_host", is_flag=True, help="Check this host instead, with a plugin that probes it."
)
@click.option("--model", metavar="MODEL", help="The model to prompt; by default one that needs no key.")
@click.option("--prompt", "text", metavar="TEXT", help="What to prompt it with.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    metavar="SECONDS",
    help=f"How long one answer may take; by default {DEFAULT_TIMEOUT_S:g}, or what 'plugins timeouts' says.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also show what passed, and what the plugin printed.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@pass_app
def check(  # noqa: PLR0917 - click passes the application first, by position, and all else by name
    app: App,
    name: str | None,
    is_host: bool,
    model: str | None,
    text: str | None,
    timeout_s: float | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Start PLUGIN several times and try what the protocol asks of it.

    Whatever language it is written in, it is started as for a prompt, behind its wall. It is given no API
    key. Each check names the rules of protocol.md that it is about, and what fails comes with what was sent,
    what came, and advice.

    With --host, this command line itself is run, in user folders made for it, with a plugin that speaks the
    protocol badly on purpose and watches what the host does. It takes about half a
    minute.

    The exit code is 0 if the plugin, or the host, does all that it must, 1 if not, and 5 if a plugin cannot
    be started.
    """
    if is_host == (name is not None):
        raise click.UsageError("name a plugin, or give --host to check the host.")
    report = checked_host() if name is None else named(app, name, model, text, timeout_s)
    if as_json:
        _output.print_json(report.as_members())
    else:
        for line in report.lines(verbose=verbose):
            _output.line(line)
    if not report.conforms:
        raise click.exceptions.Exit(1)


def named(app: App, name: str, model: str | None, text: str | None, timeout_s: float | None) -> Report:
    """Have the plugin of a name checked."""
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named

    record = plugin_named(Catalogue.load(app.paths), name).record
    return checked(app, record, model=model, text=text, timeout_s=timeout_s)


def checked_host() -> Report:
    """Have this very host checked."""
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.conformance.host import HostConformance

    with stoppable() as stop:
        run = HostConformance()
        stop.kill = run.kill_now
        return stop.run(run.run)


def checked(
    app: App, record: PluginRecord, *, model: str | None, text: str | None, timeout_s: float | None
) -> Report:
    """Have a plugin checked."""
    from cellwall_kernel.assets.launching import resolve_for_launch
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.config import patience_with
    from cellwall_kernel.conformance import DEFAULT_TEXT, Conformance

    total = patience_with(app.paths, record.name).total
    usual_s = DEFAULT_TIMEOUT_S if total.source == "usual" else total.seconds
    with stoppable() as stop:
        run = Conformance(
            record,
            app.paths,
            assets=resolve_for_launch(record.manifest, (), record.name, app.paths),
            model=model,
            text=DEFAULT_TEXT if text is None else text,
            patience_s=usual_s if timeout_s is None else timeout_s,
        )
        stop.kill = run.kill_now
        return stop.run(run.run)
