"""`llm plugins timeouts`: how long plugins are waited for, and who has set that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.timeouts import DEADLINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwall_kernel.timeouts import Limit, Timeouts

__all__ = ["shown_time", "time_rows", "timeouts"]

USUAL = "usual"
"""Instead of a time: what counts without a setting."""


@click.command(context_settings=HELP_SETTINGS)
@click.argument("words", nargs=-1, metavar="[NAME] [DEADLINE=TIME]...")
@click.option("--command", metavar="COMMAND", help="While this command runs, such as 'models list'.")
@click.option("--reset", is_flag=True, help="Go back to the usual times.")
@click.option("--json", "as_json", is_flag=True, help="Print the times in seconds as JSON.")
@pass_app
def timeouts(app: App, words: tuple[str, ...], command: str | None, *, reset: bool, as_json: bool) -> None:
    """Show or set how long the plugin NAME is waited for; without NAME, all plugins.

    \b
        start      until it is loaded (10s)
        describe   until it has said what it offers (10s)
        first      from a prompt to the first piece of the answer (off)
        idle       from one piece of the answer to the next (5m)
        total      for the whole answer (10m)

    A TIME is such as 30s or 10m; 0 switches first or idle off, 'usual' takes a setting back. What is set for
    a plugin counts more than what is set for a command, and that more than what is set for all.
    """
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.cli.plugins._standing import plugin_named
    from cellwall_kernel.config import change_config, load_config

    name, settings = (None, words) if not words or "=" in words[0] else (words[0], words[1:])
    times = read_times(settings, reset=reset)
    if name is not None and command is not None:
        raise click.UsageError("give the NAME of a plugin or --command, not both.")
    if command is not None:
        check_command(command)
    catalogue = Catalogue.load(app.paths)
    if name is not None:
        plugin_named(catalogue, name)
    config = load_config(app.paths)
    if times:
        config = change_config(
            app.paths,
            lambda config: config.with_timeouts(config.timeouts.changed(times, plugin=name, command=command)),
        )
        for plugin in [name] if name is not None else list(catalogue.entries):
            if catalogue.entries[plugin].state in {"failed", "slow"}:
                catalogue.forget(plugin)  # more time may be all that it needs
    rows = list(time_rows(config.timeouts, name or "", command or ""))
    if as_json:
        _output.print_json(
            {
                deadline: {"seconds": limit.seconds, "source": limit.source, "for": limit.where or None}
                for deadline, limit in config.timeouts.patience(name or "", command or "")._asdict().items()
            }
        )
    else:
        _output.table(rows, ["DEADLINE", "TIME", "SET", "WHAT"])


def read_times(settings: Sequence[str], *, reset: bool) -> dict[str, float | None]:
    """Read `first=30s total=10m`; None is for the usual time.

    Raises:
        UsageError: one is wrong.
    """
    from cellwall_kernel.permissions import read_duration

    if reset and settings:
        raise click.UsageError("--reset takes no DEADLINE=TIME.")
    times: dict[str, float | None] = dict.fromkeys(DEADLINES) if reset else {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if name not in DEADLINES or not equals:
            raise click.UsageError(
                f"'{setting}' is no DEADLINE=TIME; the deadlines are {', '.join(DEADLINES)}."
            )
        try:
            times[name] = None if text == USUAL else read_duration(text)
        except ValueError as error:
            raise click.UsageError(f"'{text}' {error}.") from None
        if times[name] == 0 and not DEADLINES[name].can_be_off:
            raise click.UsageError(f"'{name}' cannot be off: nothing else bounds that wait.")
    return times


def check_command(words: str) -> None:
    """Refuse what is no command.

    Raises:
        UsageError: there is none of these words, or they name a group.
    """
    from cellwall_kernel.cli._root import root

    found: click.Command | None = root
    for word in words.split(" "):
        found = found.get_command(click.Context(found), word) if isinstance(found, click.Group) else None
    if found is None:
        raise click.UsageError(f"there is no command 'llm {words}'.")
    if isinstance(found, click.Group):
        raise click.UsageError(f"'llm {words}' has commands of its own; name one, such as '{words} list'.")


def time_rows(timeouts: Timeouts, plugin: str, command: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield each deadline with its time, who has set it, and what it bounds; then those of commands."""
    found = timeouts.patience(plugin, command)._asdict()
    for name, limit in found.items():
        yield name, shown_time(limit.seconds), said_source(limit), DEADLINES[name].what
        if command:
            continue
        for words in sorted(timeouts.commands):
            other: Limit = getattr(timeouts.patience(plugin, words), name)
            if other.source == "command":
                yield name, shown_time(other.seconds), said_source(other), DEADLINES[name].what


def said_source(limit: Limit) -> str:
    """Say who has set a time."""
    match limit.source:
        case "plugin":
            return f"for '{limit.where}'"
        case "command":
            return f"in 'llm {limit.where}'"
        case "all":
            return "for all"
        case "usual":
            return USUAL


def shown_time(seconds: float) -> str:
    """Return a time as people write it: "10m"; a fraction of a second as it is."""
    from cellwall_kernel.permissions import duration_text

    if not seconds:
        return "off"
    return duration_text(int(seconds)) if seconds == int(seconds) else f"{seconds:g}s"
