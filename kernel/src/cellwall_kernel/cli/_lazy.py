"""Groups that load a command's module only when that command is used.

The table of a group holds each command's place and its one-line help, so that `--help` and a mistyped name
import no command. A group may have a default command: `llm "hi"` is `llm prompt "hi"`, `llm models -q x` is
`llm models list -q x`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["LazyCommand", "LazyGroup", "similar"]

LETTERS_PER_SLIP = 3

HELP_SETTINGS = {"help_option_names": ["-h", "--help"]}


class LazyCommand(NamedTuple):
    """Where a command lives ("module:attribute") and its one-line help."""

    place: str
    help: str


class LazyGroup(click.Group):
    """A group of commands that are imported by name.

    Args:
        table: the commands of the group, in the order in which help lists them.
        default: the command that is meant when no name of the table is given.
        default_takes_words: whether an unknown word begins the default command (as a prompt does) or is a
            mistake.
        may_be_bare: says whether the default command runs when there are no arguments at all; else help is
            shown.
        fallback: finds a command that is not in the table, by its name; None if there is none.
    """

    def __init__(
        self,
        *,
        table: Mapping[str, LazyCommand],
        default: str | None = None,
        default_takes_words: bool = False,
        may_be_bare: Callable[[], bool] = lambda: True,
        fallback: Callable[[click.Context, str], click.Command | None] | None = None,
        **attributes: Any,
    ) -> None:
        attributes.setdefault("context_settings", HELP_SETTINGS)
        super().__init__(no_args_is_help=False, **attributes)
        self.table = table
        self.default = default
        self.default_takes_words = default_takes_words
        self.may_be_bare = may_be_bare
        self.fallback = fallback

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is none of that name."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return self.fallback(ctx, cmd_name) if self.fallback is not None else None
        return load(entry)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = self._with_default(ctx, args)
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def _with_default(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name where the user left it out."""
        if self.default is None or ctx.resilient_parsing:
            return args
        own = {name: parameter for parameter in self.get_params(ctx) for name in parameter.opts}
        at = 0
        while at < len(args) and (option := own.get(args[at].partition("=")[0])) is not None:
            at += 2 if takes_word(option) and "=" not in args[at] else 1
        if at >= len(args):
            asks_something = any(argument in ("-h", "--help", "--version") for argument in args)
            missing = not asks_something and self.may_be_bare()
        elif args[at].startswith("-"):
            missing = True
        else:
            missing = self.default_takes_words and self.get_command(ctx, args[at]) is None
        return [*args[:at], self.default, *args[at:]] if missing else args

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table as a section of the help."""
        names = [f"{name} (default)" if name == self.default else name for name in self.table]
        rows = [(name, entry.help) for name, entry in zip(names, self.table.values(), strict=True)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            close = similar(args[0], self.table)
            hint = f" Did you mean '{close}'?" if close else f" Try '{ctx.command_path} --help'."
            ctx.fail(f"there is no command '{ctx.command_path} {args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


def takes_word(option: click.Parameter) -> bool:
    """Whether the word behind an option is its value."""
    return isinstance(option, click.Option) and not option.is_flag and not option.is_eager


def load(entry: LazyCommand) -> click.Command:
    """Import the module of a command and return the command.

    Raises:
        TypeError: the table names something that is not a command.
    """
    import gc
    from importlib import import_module

    # Importing makes hardly any garbage, but looking for some would take a tenth of the time that it takes.
    # What runs for long runs in an event loop, and `_running` enables the collector there.
    gc.disable()
    module, _, attribute = entry.place.partition(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.place} is not a command")
    return command


def similar(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` was probably meant to be; None if none is near.

    Near means: one slip (a letter too many, too few, another one, or two exchanged) for every three letters.
    """
    distances = {candidate: slips(word, candidate) for candidate in candidates}
    nearest = min(distances, key=lambda candidate: distances[candidate], default=None)
    if nearest is None or distances[nearest] > max(len(word), len(nearest)) // LETTERS_PER_SLIP:
        return None
    return nearest


def slips(one: str, other: str) -> int:
    """Count the slips that turn one word into the other (the Damerau-Levenshtein distance, restricted)."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        here = [row]
        for column, target in enumerate(other, start=1):
            cost = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != target))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == target:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        before, above = above, here
    return above[-1]
