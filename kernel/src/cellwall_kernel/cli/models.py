"""`llm models`: what can be asked, and what is asked when no model is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS, LazyCommand, LazyGroup

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Catalogue, Entry
    from cellwall_wire import ModelInfo

__all__ = ["default", "list_models", "models"]

models = LazyGroup(
    name="models",
    help="List the models; show or set the default one.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.models:list_models", "List the models that can be asked."),
        "default": LazyCommand("cellwall_kernel.cli.models:default", "Show or set the model that answers."),
    },
)


@click.command("list", context_settings=HELP_SETTINGS)
@click.option("-q", "--query", "words", metavar="WORD", multiple=True, help="Only models that match each.")
@click.option("--options", "with_options", is_flag=True, help="Show the options that each model takes.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON.")
@pass_app
def list_models(app: App, words: tuple[str, ...], with_options: bool, as_json: bool) -> None:
    """List the models that can be asked.

    In a pipe, each line holds the model's id, its plugin, its aliases and remarks, separated by tabs.
    """
    from cellwall_kernel.cli._asking import asked_catalogue, note_silent_plugins

    catalogue = asked_catalogue(app)
    offers = [offer for offer in catalogue.models() if matches(*offer, words)]
    chosen = default_id(app, catalogue)
    if as_json:
        _output.print_json([as_members(entry, model, chosen) for entry, model in offers])
    elif with_options:
        for entry, model in offers:
            print_options(entry, model)
    else:
        rows = [
            (model.id, entry.name, ", ".join(model.aliases), remarks(model, chosen))
            for entry, model in offers
        ]
        _output.table(rows, ["MODEL", "PLUGIN", "ALIASES", "REMARKS"])
    for collision in catalogue.collisions():
        others = " and ".join(f"'{name}'" for name in collision.plugins)
        _output.note(f"Note: {others} offer '{collision.name}'; that of '{collision.owner}' is used.")
    note_silent_plugins(catalogue)
    if not offers:
        _output.note("No model matches." if words else "No installed plugin offers a model.")


@click.command("default", context_settings=HELP_SETTINGS)
@click.argument("model", required=False)
@click.option("--remove", is_flag=True, help="Forget the choice; the bundled model answers again.")
@pass_app
def default(app: App, model: str | None, remove: bool) -> None:
    """Show the model that answers when none is named, or make MODEL that one."""
    from cellwall_kernel.config import change_config, load_config

    if remove and model is not None:
        raise click.UsageError("--remove takes no MODEL.")
    if remove:
        change_config(app.paths, lambda config: config.with_default_model(None))
    elif model is not None:
        found = find(app, model)
        change_config(app.paths, lambda config: config.with_default_model(found[1].id))
        _output.note(f"'{found[1].id}' of plugin '{found[0].name}' answers now when no model is named.")
    else:
        configured = load_config(app.paths).default_model
        _output.line(configured if configured is not None else find(app, None)[1].id)


def find(app: App, name: str | None) -> tuple[Entry, ModelInfo]:
    """Return a model by its id or alias, or the one that answers when the user has chosen none.

    Raises:
        NotFound: there is none.
        Interrupted: the user did not want to wait for the plugins.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.prompting.choose import Choice

    with stoppable() as stop:
        choice = Choice(app.paths, Catalogue.load(app.paths), stop.run)
        stop.kill = choice.kill
        return choice.default() if name is None else choice.named(name)


def default_id(app: App, catalogue: Catalogue) -> str | None:
    """Return the id of the model that answers when none is named; None if there is none."""
    from cellwall_kernel.config import load_config
    from cellwall_kernel.errors import NotFound
    from cellwall_kernel.prompting.choose import default_model

    configured = load_config(app.paths).default_model
    if configured is None:
        offer = default_model(catalogue)
        return offer[1].id if offer is not None else None
    try:
        return catalogue.find_model(configured)[1].id
    except NotFound:
        return None


def matches(entry: Entry, model: ModelInfo, words: tuple[str, ...]) -> bool:
    """Whether every word occurs in the names of the model or of its plugin."""
    names = " ".join([model.id, *model.aliases, model.title or "", entry.name]).casefold()
    return all(word.casefold() in names for word in words)


def remarks(model: ModelInfo, chosen: str | None) -> str:
    """Say in a few words what a user should know before choosing the model."""
    said: list[str] = []
    if model.id == chosen:
        said.append("default")
    if model.key is not None and model.key.required:
        said.append(f"key {model.key.alias}")
    if model.deprecated is not None:
        said.append(f"deprecated: {model.deprecated}")
    return "; ".join(said)


def as_members(entry: Entry, model: ModelInfo, chosen: str | None) -> dict[str, Any]:
    """Return the members of a model in the JSON list; all of them are always there."""
    from msgspec.structs import asdict

    return {**asdict(model), "default": model.id == chosen, "plugin": entry.name}


def print_options(entry: Entry, model: ModelInfo) -> None:
    """Print a model and what its options are, as its plugin describes them."""
    from cellwall_kernel.cli._option_words import options_in

    _output.line(f"{model.id} ({entry.name})")
    options = options_in(model.options_schema)
    for option in options:
        _output.line(f"  {option.name}: {option.kind}")
        if option.description:
            _output.line(f"    {option.description}")
    if not options:
        _output.line("  takes no options")
