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
@click.argument("name", metavar="PLUGIN")
@click.option("--model", metavar="MODEL", help="The model to prompt; by default one that needs no key.")
@click.option("--prompt", "text", metavar="TEXT", help="What to prompt it with.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=DEFAULT_TIMEOUT_S,
    metavar="SECONDS",
    show_default=True,
    help="How long one answer may take.",
)
@click.option("-v", "--verbose", is_flag=True, help="Also show what passed, and what the plugin printed.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@pass_app
def check(  # noqa: PLR0917 - click passes the application first, by position, and all else by name
    app: App, name: str, model: str | None, text: str | None, timeout_s: float, verbose: bool, as_json: bool
) -> None:
    """Start PLUGIN several times and try what the protocol asks of it.

    Whatever language it is written in, it is started as for a prompt, behind its wall. It is given no API
    key. Each check names the rules of protocol.md that it is about, and what fails comes with what was sent,
    what came, and advice.

    The exit code is 0 if the plugin does all that it must, 1 if not, and 5 if it cannot be started.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named

    record = plugin_named(Catalogue.load(app.paths), name).record
    report = checked(app, record, model=model, text=text, timeout_s=timeout_s)
    if as_json:
        _output.print_json(report.as_members())
    else:
        for line in report.lines(verbose=verbose):
            _output.line(line)
    if not report.conforms:
        raise click.exceptions.Exit(1)


def checked(
    app: App, record: PluginRecord, *, model: str | None, text: str | None, timeout_s: float
) -> Report:
    """Have a plugin checked."""
    from cellwall_kernel.assets.launching import resolve_for_launch
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.conformance import DEFAULT_TEXT, Conformance

    with stoppable() as stop:
        run = Conformance(
            record,
            app.paths,
            assets=resolve_for_launch(record.manifest, (), record.name, app.paths),
            model=model,
            text=DEFAULT_TEXT if text is None else text,
            patience_s=timeout_s,
        )
        stop.kill = run.kill_now
        return stop.run(run.run)
