"""`llm plugins enable` and `llm plugins disable`: whether a plugin takes part at all."""

from __future__ import annotations

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS

__all__ = ["disable", "enable"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@pass_app
def enable(app: App, name: str) -> None:
    """Let the plugin NAME take part again, also one that is not started because it crashed too often."""
    switch(app, name, is_disabled=False)


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@pass_app
def disable(app: App, name: str) -> None:
    """Leave the plugin NAME out: it is not started, and what it offers is not listed.

    It stays installed and keeps what it was granted.
    """
    switch(app, name, is_disabled=True)


def switch(app: App, name: str, *, is_disabled: bool) -> None:
    """Note in the settings whether the plugin takes part, and have the catalogue look again."""
    from cellwall_kernel.breaker import Breaker
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named
    from cellwall_kernel.config import change_config

    catalogue = Catalogue.load(app.paths)
    record = plugin_named(catalogue, name).record
    change_config(app.paths, lambda config: config.with_disabled(record.grant_key, is_disabled))
    if not is_disabled:
        Breaker(app.paths).forget(record)
    catalogue.forget(name)
    _output.note(f"Plugin '{name}' is {'disabled' if is_disabled else 'enabled'}.")
