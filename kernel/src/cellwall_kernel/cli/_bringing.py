"""What `llm install` and `llm upgrade` share: a new generation is made, asked about, and put to use."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._lazy import similar
from cellwall_kernel.errors import CellwallError, NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.environments import Installed, Wanted
    from cellwall_kernel.environments.making import Fresh, Slot
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.permissions import Permissions

__all__ = [
    "Answers",
    "Refused",
    "answer_options",
    "bring",
    "each",
    "environment_named",
    "names_of",
    "progress",
]

CODE_REFUSED = 1


class Answers(NamedTuple):
    """What the user has said on the command line, so that it need not be asked.

    Args:
        grant: permissions that are allowed, as they were typed.
        deny: kinds of permissions that are not.
        as_asked: whether all that is asked for is allowed.
        installer: "uv" or "pip"; None for what is there.
    """

    grant: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    as_asked: bool = False
    installer: str | None = None

    def checked(self) -> Answers:
        """Return the same, if it makes sense: better now than after a minute of installing.

        Raises:
            UsageProblem: it does not.
        """
        from cellwall_kernel.cli._trust import read_items
        from cellwall_kernel.permissions import KINDS

        read_items(self.grant)
        for kind in self.deny:
            if kind not in KINDS:
                raise UsageProblem(f"there is no kind of permission '{kind}'; there are {', '.join(KINDS)}.")
        return self


class Refused(CellwallError):
    """Raised when the user does not allow what a plugin asks for."""

    exit_code = CODE_REFUSED
    kind = "Refused"


def answer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that answer what would be asked."""
    options = (
        click.option("--grant", multiple=True, metavar="PERMISSION", help="Allow this, such as key=openai."),
        click.option("--deny", multiple=True, metavar="KIND", help="Do not allow this kind, such as write."),
        click.option("--yes-as-asked", "as_asked", is_flag=True, help="Allow all that it asks for, unasked."),
        click.option(
            "--installer",
            type=click.Choice(["uv", "pip"]),
            envvar="CELLWALL_INSTALLER",
            help="What fetches the packages (or CELLWALL_INSTALLER); else uv if it is there, else pip.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """Show on a terminal what is being done, in one line that vanishes."""
    from cellwall_kernel.cli._progress_line import ProgressLine

    line = ProgressLine()
    try:
        yield lambda text: line.show(None, None, text)
    finally:
        line.clear()


def each(items: Iterable[str], work: Callable[[str], None]) -> None:
    """Do the work for each item; one that fails keeps none of the others from being done.

    Raises:
        Exit: some failed; their sentences have been printed. With one item, its own error is raised.
    """
    chosen = list(dict.fromkeys(items))
    if len(chosen) == 1:
        work(chosen[0])
        return
    codes: list[int] = []
    for item in chosen:
        try:
            work(item)
        except CellwallError as problem:
            _output.error(f"{item}: {problem.message}")
            codes.append(problem.exit_code)
    if codes:
        raise click.exceptions.Exit(codes[0])


def bring(
    paths: Paths,
    place: Slot,
    wanted: Wanted,
    answers: Answers,
    *,
    built: Path | None = None,
    unless_same: bool = False,
) -> Installed:
    """Make a new generation, ask what it may do, and put it to use.

    Args:
        paths: the user folder.
        place: the plugin's slot, held.
        wanted: what the user asked for.
        answers: what need not be asked.
        built: the wheel that was built from sources just now.
        unless_same: keep what is in use if nothing in the new one would be new.

    Returns:
        what is in use now.

    Raises:
        Refused: the user said No. Nothing is changed then, nor after any other error.
    """
    from cellwall_kernel.environments.making import make

    with progress() as say:
        say(f"making an environment for {wanted.name}")
        fresh = make(paths, place, wanted, installer=answers.installer, built=built, say=say)
    before = place.current
    if unless_same and before is not None and fresh.is_same_as(before):
        return before
    allowed = [
        (record, decide(paths, record, before, answers, source_of(wanted))) for record in fresh.plugins
    ]
    with kept_grants(paths, fresh.plugins):
        for record, permissions in allowed:
            accept_pinned(paths, record, permissions, fresh)
        return place.switch(fresh.installed.file)


def source_of(wanted: Wanted) -> str:
    """Say where a plugin comes from."""
    return f"from {wanted.origin}" if wanted.origin else ""


def decide(
    paths: Paths, record: PluginRecord, before: Installed | None, answers: Answers, source: str
) -> Permissions:
    """Return all that a plugin may do from now on: by what was said already, else by asking.

    Raises:
        Refused: the user said No.
        UsageProblem: nobody can be asked.
    """
    from functools import partial

    from cellwall_kernel.cli._trust import Wish, ask_trust, command_for, read_items, show_wish
    from cellwall_kernel.doctor import enforcement
    from cellwall_kernel.grants import Grants, asked_by, pin_of
    from cellwall_kernel.permissions import items_of, permissions_of, union, with_items
    from cellwall_kernel.wall import Mechanisms

    items = read_items(answers.grant)
    wish = Wish(
        name=record.name,
        version=record.version,
        asked=permissions_of(item for item in items_of(asked_by(record)) if item.kind not in answers.deny),
        reasons=record.manifest.reasons if record.manifest is not None else {},
        granted=Grants.load(paths).of(record).permissions if before is not None else permissions_of(()),
        previous=before.version if before is not None else None,
        digest=pin_of(record).tree,
        source=source,
    )
    enforced = partial(enforcement, mechanisms=Mechanisms.detect(paths))
    if not (items or answers.as_asked):
        instead = (
            "repeat it with --yes-as-asked, or with --grant for each permission: "
            f"{command_for(record.name, wish.wanted).partition(record.name)[2].strip()}."
        )
        allowed = ask_trust(wish, instead=instead, enforcement=enforced)
        if allowed is None:
            raise Refused(f"plugin '{record.name}' was not allowed what it asks for; nothing was changed.")
        return allowed
    show_wish(wish, enforcement=enforced)
    allowed = union(wish.granted, wish.wanted) if answers.as_asked else wish.granted
    return with_items(allowed, items)


def accept_pinned(paths: Paths, record: PluginRecord, permissions: Permissions, fresh: Fresh) -> None:
    """Store what a plugin may do, with the hashes of all that was installed for it."""
    from cellwall_kernel.doctor import quick_level
    from cellwall_kernel.grants import Grants, accept

    accept(
        paths,
        record,
        permissions,
        unsandboxed=Grants.load(paths).of(record).unsandboxed,
        level=quick_level(paths),
        wheels=[(locked.file, locked.sha256) for locked in fresh.installed.file.lock],
    )


@contextmanager
def kept_grants(paths: Paths, records: Iterable[PluginRecord]) -> Generator[None]:
    """Put back what plugins were granted before if what happens inside fails."""
    from cellwall_kernel.grants import Grants, change_grant

    grants = Grants.load(paths)
    known = {record.grant_key: grants.of(record) for record in records}
    try:
        yield
    except BaseException:
        for key, grant in known.items():
            with suppress(CellwallError):
                change_grant(paths, key, always(grant))
        raise


def always(grant: Grant) -> Callable[[Grant], Grant]:
    """Return the change that ends in this grant, whatever there was."""
    return lambda _: grant


def names_of(paths: Paths, found: Installed) -> list[str]:
    """Return what a distribution's plugins are called among all that are installed.

    Where two distributions use one name, neither keeps it; see `discovery`.
    """
    from cellwall_kernel.discovery import Environment, discover
    from cellwall_kernel.environments import installed

    everything = discover(Environment.current(), *(each.environment() for each in installed(paths)))
    return [record.name for record in everything if record.environment == found.root]


def environment_named(paths: Paths, name: str, *, pip: str) -> Installed:
    """Return the environment of a plugin, by the plugin's name or by its distribution's.

    Args:
        paths: the user folder.
        name: as it was typed.
        pip: what the user would tell pip about a plugin in our own environment: "uninstall".

    Raises:
        NotFound: there is none; the sentence says where the plugin is, if it is somewhere.
    """
    from cellwall_kernel.discovery import Environment, discover, normal_name
    from cellwall_kernel.environments import installed

    own = installed(paths)
    dist = normal_name(name.partition("@")[2].partition(":")[0] or name)
    matches = [found for found in own if found.name == dist]
    matches = matches or [found for found in own if name in found.file.plugins]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = " and ".join(found.name for found in matches)
        raise UsageProblem(f"'{name}' is a plugin of {names}; name one of these.")
    here = Environment.current()
    for record in discover(here):
        if name == record.name or normal_name(name) == normal_name(record.dist):
            raise NotFound(
                f"plugin '{record.name}' was not installed by 'llm install': it is in the environment of llm "
                f"itself, and '{here.python} -m pip {pip} {record.dist}' is the command for that."
            )
    meant = similar(name, [known for found in own for known in (found.name, *found.file.plugins)])
    hint = f"did you mean '{meant}'?" if meant else "'llm plugins' lists those that are."
    raise NotFound(f"no plugin '{name}' is installed; {hint}")
