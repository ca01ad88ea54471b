"""`llm plugins new`: write a plugin that works, to be changed into the one that is wanted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._lazy import HELP_SETTINGS

__all__ = ["new"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("name")
@click.option(
    "--in",
    "parent",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where the plugin's folder is made; here, unless given.",
)
def new(name: str, parent: Path) -> None:
    """Write a new plugin to begin with.

    NAME is what the plugin and its first model are called, such as awesome-model.
    """
    from cellwall_kernel.scaffold import names_for, write_plugin

    names = names_for(name)
    module, *others = write_plugin(names, parent)
    folder = parent / names.dist
    _output.line(f"Wrote {folder}:")
    for path in (module, *others):
        _output.line(f"  {path.relative_to(folder)}")
    _output.line()
    _output.line("Install it so that every edit counts at once, ask it, and run its test:")
    _output.line(f"  {install_command(folder)}")
    _output.line(f'  llm -m {names.name} "Tell me something"')
    _output.line(f"  {quoted(sys.executable)} -m pytest {quoted(str(folder))}")


def install_command(folder: Path) -> str:
    """Return the command that installs a project into the environment of `llm`, and what its tests need."""
    from importlib.util import find_spec

    project = quoted(f"{folder.absolute()}[test]")
    if find_spec("pip") is None:  # an environment made by uv
        return f"uv pip install --python {quoted(sys.executable)} -e {project}"
    return f"{quoted(sys.executable)} -m pip install -e {project}"


def quoted(text: str) -> str:
    """Return the text as one word of a shell's command line."""
    from shlex import quote

    return quote(text)
