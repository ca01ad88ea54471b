"""`llm embed-models`: what texts and files can be embedded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS, LazyCommand, LazyGroup

if TYPE_CHECKING:
    from cellwall_wire import EmbedderInfo

__all__ = ["default", "embed_models", "list_embedders"]

embed_models = LazyGroup(
    name="embed-models",
    help="List the embedding models; show or set the default one.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.embed_models:list_embedders", "List the embedding models."),
        "default": LazyCommand(
            "cellwall_kernel.cli.embed_models:default", "Show or set the embedding model that is used."
        ),
    },
)


@click.command("list", context_settings=HELP_SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON.")
@pass_app
def list_embedders(app: App, as_json: bool) -> None:
    """List the embedding models.

    In a pipe, each line holds the model's id, its plugin, its aliases and remarks, separated by tabs.
    """
    from msgspec.structs import asdict

    from cellwall_kernel.cli._asking import asked_catalogue, note_silent_plugins
    from cellwall_kernel.config import load_config

    catalogue = asked_catalogue(app)
    chosen = load_config(app.paths).default_embedding_model
    offers = catalogue.embedders()
    if as_json:
        _output.print_json(
            [
                {**asdict(model), "default": chosen in {model.id, *model.aliases}, "plugin": entry.name}
                for entry, model in offers
            ]
        )
    else:
        rows = [
            (model.id, entry.name, ", ".join(model.aliases), remarks(model, chosen))
            for entry, model in offers
        ]
        _output.table(rows, ["MODEL", "PLUGIN", "ALIASES", "REMARKS"])
    note_silent_plugins(catalogue)
    if not offers:
        _output.note("No installed plugin offers an embedding model.")


@click.command("default", context_settings=HELP_SETTINGS)
@click.argument("model", required=False)
@click.option("--remove", is_flag=True, help="Forget the choice.")
@pass_app
def default(app: App, model: str | None, remove: bool) -> None:
    """Show the embedding model that is used when none is named, or make MODEL that one."""
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.config import change_config, load_config
    from cellwall_kernel.prompting.choose import Choice

    if remove and model is not None:
        raise click.UsageError("--remove takes no MODEL.")
    if remove:
        change_config(app.paths, lambda config: config.with_default_embedding_model(None))
        return
    configured = load_config(app.paths).default_embedding_model
    if model is None and configured is not None:
        _output.line(configured)
        return
    with stoppable() as stop:
        choice = Choice(app.paths, Catalogue.load(app.paths), stop.run)
        stop.kill = choice.kill
        entry, found = choice.default_embedder() if model is None else choice.embedder(model)
    if model is None:
        _output.line(found.id)
        return
    change_config(app.paths, lambda config: config.with_default_embedding_model(found.id))
    _output.note(f"'{found.id}' of plugin '{entry.name}' embeds now when no model is named.")


def remarks(model: EmbedderInfo, chosen: str | None) -> str:
    """Say in a few words what a user should know before choosing the model."""
    said: list[str] = []
    if chosen in {model.id, *model.aliases}:
        said.append("default")
    if model.dimensions is not None:
        said.append(f"{model.dimensions} dimensions")
    if model.input:
        said.append(", ".join(model.input))
    if model.key is not None and model.key.required:
        said.append(f"key {model.key.alias}")
    if model.deprecated is not None:
        said.append(f"deprecated: {model.deprecated}")
    return "; ".join(said)
