"""How long plugins are waited for: the named deadlines, their usual times, and those that the user has set.

In the settings (`config.json`) they are the member "timeouts":

    {"total_s": 60,
     "commands": {"models list": {"describe_s": 2}},
     "plugins": {"foo": {"first_s": 30, "idle_s": 0}}}

The nearest one counts: what the command line says, then the plugin's, the command's, the one for all, the
usual one. What a plugin's grant allows caps the total (`session.Deadline`). A nested call has no time of its
own: it gets what is left of its parent's.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEADLINES", "USUAL", "Limit", "Named", "Patience", "Timeouts", "note_command"]


class Named(NamedTuple):
    """A deadline.

    Args:
        usual_s: in seconds; 0 is off.
        can_be_off: whether another deadline bounds the call without it.
        what: what it bounds, for people.
    """

    usual_s: float
    can_be_off: bool
    what: str


DEADLINES: dict[str, Named] = {
    "start": Named(10.0, False, "until the plugin is loaded"),
    "describe": Named(10.0, False, "until it has said what it offers"),
    "first": Named(0.0, True, "from the request to the first piece of the answer"),
    "idle": Named(300.0, True, "from one piece of the answer to the next"),
    "total": Named(600.0, False, "for the whole answer"),
}
"""By name. Ten minutes: long answers of slow machines end before; five: some models think that long. A model
that does not stream sends everything at the end, so nothing bounds the first piece but the total."""

MOST_S = 366 * 24 * 3600
"""A longer deadline is a mistake (seconds)."""

Source = Literal["usual", "all", "command", "plugin"]

_command: ContextVar[str] = ContextVar("command", default="")


def note_command(command: str) -> None:
    """Note which command this process runs, such as "models list": its deadlines count from now on."""
    _command.set(command)


class Limit(NamedTuple):
    """A deadline as it counts for somebody.

    Args:
        seconds: 0 is off.
        source: who has set it.
        where: the plugin or command for which it was set; "" for all.
    """

    seconds: float
    source: Source
    where: str = ""


class Patience(NamedTuple):
    """All deadlines of one plugin in one command, as `DEADLINES` names them."""

    start: Limit
    describe: Limit
    first: Limit
    idle: Limit
    total: Limit

    @property
    def is_asked_for(self) -> bool:
        """Whether the user has set how long it may take to be loaded or described."""
        return self.start.source != "usual" or self.describe.source != "usual"

    @property
    def introduction_s(self) -> float:
        """How long it may take to be loaded and described, in seconds."""
        return self.start.seconds + self.describe.seconds


USUAL = Patience(**{name: Limit(named.usual_s, "usual") for name, named in DEADLINES.items()})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The deadlines that the user has set, each as seconds by its name in `DEADLINES`.

    Attributes:
        everywhere: for all plugins and commands.
        plugins: name of a plugin -> for it.
        commands: words of a command -> while it runs.
    """

    everywhere: Mapping[str, float] = field(default_factory=dict[str, float])
    plugins: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, "Mapping[str, float]"])
    commands: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, "Mapping[str, float]"])

    @classmethod
    def parse(cls, value: object) -> Timeouts:
        """Read the member "timeouts" of the settings.

        Raises:
            ValueError: it is wrong; the message says which member must be what.
        """
        members = dict(_object(value, "timeouts"))
        groups = {
            group: {
                name: _read(entries, f"timeouts.{group}.{name}")
                for name, entries in _object(members.pop(group, {}), f"timeouts.{group}").items()
            }
            for group in ("plugins", "commands")
        }
        return cls(_read(members, "timeouts"), **groups)

    def members(self) -> dict[str, Any]:
        """Return the member "timeouts" of the settings; empty if nothing is set."""
        found: dict[str, Any] = _write(self.everywhere)
        for group, tables in (("commands", self.commands), ("plugins", self.plugins)):
            if written := {name: _write(table) for name, table in sorted(tables.items()) if table}:
                found[group] = written
        return found

    def patience(self, plugin: str, command: str | None = None) -> Patience:
        """Return the deadlines of a plugin.

        Args:
            plugin: its name; "" for no special one.
            command: in which command, "" for no special one; by default the one that runs.
        """
        command = _command.get() if command is None else command
        levels: tuple[tuple[Source, str, Mapping[str, float]], ...] = (
            ("plugin", plugin, self.plugins.get(plugin, {})),
            ("command", command, self.commands.get(command, {})),
            ("all", "", self.everywhere),
        )
        found = USUAL._asdict()
        for name in DEADLINES:
            for source, where, table in levels:
                if name in table:
                    found[name] = Limit(table[name], source, where)
                    break
        return Patience(**found)

    def changed(
        self, times: Mapping[str, float | None], *, plugin: str | None = None, command: str | None = None
    ) -> Timeouts:
        """Return these with other times for a plugin, else for a command, else for all.

        Args:
            times: name of a deadline -> seconds; None removes it.
            plugin: its name.
            command: its words.
        """
        if plugin is not None:
            return replace(
                self, plugins={**self.plugins, plugin: _mixed(self.plugins.get(plugin, {}), times)}
            )
        if command is not None:
            table = _mixed(self.commands.get(command, {}), times)
            return replace(self, commands={**self.commands, command: table})
        return replace(self, everywhere=_mixed(self.everywhere, times))


def _mixed(table: Mapping[str, float], times: Mapping[str, float | None]) -> dict[str, float]:
    return {name: seconds for name, seconds in {**table, **times}.items() if seconds is not None}


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"'{where}' must be an object of names and {_meant(where)}")  # noqa: TRY004 - it is data
    return cast("dict[str, object]", value)


def _meant(where: str) -> str:
    return "objects" if where in {"timeouts.plugins", "timeouts.commands"} else "seconds"


def _read(value: object, where: str) -> dict[str, float]:
    """Read one table of deadlines: a wrong name is refused, for a limit that does not count is a trap."""
    found: dict[str, float] = {}
    for member, seconds in _object(value, where).items():
        name = member.removesuffix("_s")
        if name not in DEADLINES or name == member:
            known = ", ".join(f"{name}_s" for name in DEADLINES)
            raise ValueError(f"'{where}.{member}' is no deadline; there are {known}")
        found[name] = _seconds(seconds, f"{where}.{member}", can_be_off=DEADLINES[name].can_be_off)
    return found


def _seconds(value: object, where: str, *, can_be_off: bool) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= cast("float", value) <= MOST_S or not (value or can_be_off):
        least = "of 0 (which is off) or more" if can_be_off else "greater than 0"
        raise ValueError(f"'{where}' must be seconds {least}, at most a year")
    return cast("float", value)


def _write(table: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_s": table[name] for name in DEADLINES if name in table}
