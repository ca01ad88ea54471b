"""`llm plugins release`: let a plugin be stopped that asked to be kept."""

from __future__ import annotations

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

__all__ = ["release"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@pass_app
def release(app: App, name: str) -> None:
    """Let the plugin NAME be stopped as soon as it is idle, although it asked to be kept.

    `llm plugins` shows which plugins are held, by which process, until when and why.
    """
    from cellwall_kernel.supervisor import holds

    ended = holds.release(app.paths, name)
    for holding in ended:
        _output.note(f"Plugin '{name}' is no longer {holding.sentence}")
    if not ended:
        from cellwall_kernel.catalogue import Catalogue
        from cellwall_kernel.cli.plugins._standing import plugin_named

        plugin_named(Catalogue.load(app.paths), name)
        _output.note(f"Plugin '{name}' is not held.")
