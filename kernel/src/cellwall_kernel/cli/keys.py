"""`llm keys`: the API keys that are stored for models."""

from __future__ import annotations

import sys

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import LazyCommand, LazyGroup

__all__ = ["get_key", "keys", "list_keys", "path", "set_key"]

keys = LazyGroup(
    name="keys",
    help="Store the API keys that models ask for.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.keys:list_keys", "List the names of the stored keys."),
        "set": LazyCommand("cellwall_kernel.cli.keys:set_key", "Store a key under a name."),
        "get": LazyCommand("cellwall_kernel.cli.keys:get_key", "Print a stored key."),
        "path": LazyCommand("cellwall_kernel.cli.keys:path", "Print the path of the file with the keys."),
    },
)


@click.command("list")
@pass_app
def list_keys(app: App) -> None:
    """List the names of the stored keys, never their values."""
    from cellwall_kernel.keys import key_names

    names = key_names(app.paths)
    for name in names:
        _output.line(name)
    if not names:
        _output.note("No keys are stored; store one with 'llm keys set NAME'.")


@click.command("set")
@click.argument("name")
@click.option(
    "--value", metavar="KEY", help="The key; other users of this machine may see it while this runs."
)
@pass_app
def set_key(app: App, name: str, value: str | None) -> None:
    """Store a key under NAME, in place of an older one.

    On a terminal the key is asked for and not shown. Else it is read from stdin:

    \b
        pass show openai | llm keys set openai
    """
    from cellwall_kernel.keys import check_key_name, store_key

    name = check_key_name(name)
    store_key(app.paths, name, asked_or_piped(name) if value is None else value)


@click.command("get")
@click.argument("name")
@pass_app
def get_key(app: App, name: str) -> None:
    """Print the key that is stored under NAME."""
    from cellwall_kernel.keys import stored_key

    _output.line(stored_key(app.paths, name))


@click.command("path")
@pass_app
def path(app: App) -> None:
    """Print the path of the file with the keys; it may not exist yet."""
    _output.line(str(app.paths.keys))


def asked_or_piped(name: str) -> str:
    """Return the key from the terminal, where it is not shown, or from stdin if that is something else."""
    from cellwall_kernel.cli._prompt_input import read_stdin

    if sys.stdin.isatty():
        return str(click.prompt(f"Key for '{name}'", hide_input=True, err=True))
    return read_stdin()
