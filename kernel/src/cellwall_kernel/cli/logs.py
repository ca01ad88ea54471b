"""`llm logs`: the prompts and answers so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import LazyCommand, LazyGroup
from cellwall_kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwall_kernel.store import LoggedResponse

__all__ = ["list_logs", "logs", "path", "status", "switch_off", "switch_on"]

DEFAULT_COUNT = 3

logs = LazyGroup(
    name="logs",
    help="Read the prompts and answers so far.",
    default="list",
    table={
        "list": LazyCommand("cellwall_kernel.cli.logs:list_logs", "Show the newest prompts and answers."),
        "path": LazyCommand("cellwall_kernel.cli.logs:path", "Print the path of the log database."),
        "status": LazyCommand("cellwall_kernel.cli.logs:status", "Say what is logged, and whether."),
        "on": LazyCommand("cellwall_kernel.cli.logs:switch_on", "Log prompts from now on."),
        "off": LazyCommand("cellwall_kernel.cli.logs:switch_off", "Log no prompts from now on."),
    },
)


@click.command("list")
@click.option("-n", "--count", type=click.IntRange(min=0), help="How many, the newest (3; 0 for all).")
@click.option("-m", "--model", metavar="MODEL", help="Only of this model.")
@click.option("-q", "--query", metavar="WORDS", help="Only with these words in the prompt or the answer.")
@click.option(
    "-c", "--current", is_flag=True, help="Only the conversation that was continued last, all of it."
)
@click.option(
    "--cid", "--conversation", "conversation_id", metavar="ID", help="Only this conversation, all of it."
)
@click.option(
    "-r", "--response", "form", flag_value="response", help="Print just the text of the newest answer."
)
@click.option("-s", "--short", "form", flag_value="short", help="Print a few lines of YAML for each.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("-u", "--usage", is_flag=True, help="Show the tokens used.")
@click.option("-t", "--truncate", is_flag=True, help="Shorten long texts.")
@pass_app
def list_logs(  # noqa: PLR0913 -- one argument per option
    app: App,
    *,
    count: int | None,
    model: str | None,
    query: str | None,
    current: bool,
    conversation_id: str | None,
    form: Literal["response", "short", "json"] | None,
    usage: bool,
    truncate: bool,
) -> None:
    """Show the newest prompts and answers, the newest one last.

    WORDS are searched in SQLite's full-text syntax: "plugin OR cell", "plug*", "NEAR(wall cell)". What is not
    in that syntax is searched word by word.
    """
    from cellwall_kernel.store import ResponseFilter, Store

    if current and conversation_id is not None:
        raise click.UsageError("--current and --cid choose two conversations; give one of them")
    if count is None:
        count = 0 if current or conversation_id is not None else DEFAULT_COUNT
    if form == "response":
        count = 1
    with Store.open_for_reading(app.paths) as store:
        if current:
            conversation_id = store.conversation().id
        responses = store.responses(
            ResponseFilter(
                limit=count or None,
                model=model,
                query=query,
                conversation_id=conversation_id,
                is_of_user=form == "response",
            )
        )
    print_responses(responses, form, with_usage=usage, truncate=truncate)


@click.command("path")
@pass_app
def path(app: App) -> None:
    """Print the path of the log database, an SQLite file; it may not exist yet."""
    _output.line(str(app.paths.logs_db))


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def status(app: App, *, as_json: bool) -> None:
    """Say what is logged, and whether."""
    from cellwall_kernel.config import load_config
    from cellwall_kernel.store import Store

    is_on = load_config(app.paths).logging
    with Store.open_for_reading(app.paths) as store:
        found = store.status()
    if as_json:
        import msgspec

        facts = {"logging": is_on, "path": str(app.paths.logs_db), **msgspec.to_builtins(found)}
        _output.print_json(facts)
        return
    by_status = ", ".join(f"{count:,} {name}" for name, count in found.by_status.items())
    _output.line(f"Logging:       {'on' if is_on else 'off'}")
    _output.line(f"Database:      {app.paths.logs_db}")
    _output.line(f"Conversations: {found.conversations:,}")
    _output.line(f"Responses:     {found.responses:,}" + (f" ({by_status})" if by_status else ""))
    _output.line(f"Attachments:   {found.attachments:,}")
    _output.line(f"Size:          {found.size_bytes:,} bytes")


@click.command("on")
@pass_app
def switch_on(app: App) -> None:
    """Log prompts from now on."""
    switch(app, on=True)


@click.command("off")
@pass_app
def switch_off(app: App) -> None:
    """Log no prompts from now on; what is logged stays."""
    switch(app, on=False)


def switch(app: App, *, on: bool) -> None:
    """Store in the settings whether prompts are logged."""
    from cellwall_kernel.config import change_config

    change_config(app.paths, lambda config: config.with_logging(on))
    _output.note(f"Logging is {'on' if on else 'off'}.")


def print_responses(
    responses: Sequence[LoggedResponse], form: str | None, *, with_usage: bool, truncate: bool
) -> None:
    """Print responses in the form that was asked for.

    Raises:
        NotFound: the text of an answer was asked for, and there is none.
    """
    from cellwall_kernel.cli._logs_text import pages, summary, truncated

    if truncate:
        responses = [truncated(response) for response in responses]
    if form == "json":
        _output.print_json(responses)
    elif form == "response":
        if not responses:
            raise NotFound("there is no logged answer like that; 'llm logs -n 0 -s' lists all.")
        _output.line(responses[-1].response)
    elif not responses:
        _output.note("No logged prompts like that.")
    elif form == "short":
        for response in responses:
            _output.line(summary(response, with_usage=with_usage))
    else:
        for text in pages(responses, with_usage=with_usage):
            _output.line(text)
