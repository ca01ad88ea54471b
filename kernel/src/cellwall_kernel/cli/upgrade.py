"""`llm upgrade`: newer versions of plugins and of what they need; the old stay until the new are accepted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._bringing import Answers, answer_options, bring, each, environment_named, progress
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import NotFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cellwall_kernel.environments import Installed
    from cellwall_kernel.paths import Paths

__all__ = ["upgrade"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All that 'llm install' brought.")
@answer_options
@pass_app
def upgrade(
    app: App,
    names: tuple[str, ...],
    *,
    everything: bool,
    grant: tuple[str, ...],
    deny: tuple[str, ...],
    as_asked: bool,
    installer: str | None,
) -> None:
    """Upgrade plugins that 'llm install' brought, with all that they need.

    What was asked for at installation is asked for again: version, --with and --constraint. Who asks for no
    more than before is upgraded without a question; else only what is new is shown, and the old version stays
    if that is not allowed.
    """
    from cellwall_kernel.cli._running import stoppable
    from cellwall_kernel.environments import installed

    if bool(names) == everything:
        raise UsageProblem("name the plugins to upgrade, or say --all.")
    answers = Answers(grant, deny, as_asked, installer).checked()
    chosen = [found.name for found in installed(app.paths)] if everything else names
    if not chosen:
        _output.note("Nothing was installed by 'llm install', so there is nothing to upgrade.")
        return
    with stoppable():
        each(chosen, lambda name: upgrade_one(app.paths, name, answers))


def upgrade_one(paths: Paths, name: str, answers: Answers) -> None:
    """Upgrade one plugin and say what came of it."""
    from cellwall_kernel.environments.making import slot

    found = environment_named(paths, name, pip="install --upgrade")
    with rebuilt(paths, found, answers) as built, slot(paths, found.name) as place:
        before = place.current
        if before is None:
            raise NotFound(f"no plugin '{name}' is installed any more: another command has removed it.")
        now = bring(paths, place, before.file.wanted, answers, built=built, unless_same=True)
    if now is before:
        _output.line(f"{before.dist} {before.version} {why_it_stays(before)}.")
    elif now.version != before.version:
        _output.line(f"Upgraded {now.dist} {before.version} -> {now.version}.")
    elif changed := difference(before, now):
        _output.line(f"Upgraded what {now.dist} {now.version} needs: {changed}.")
    else:
        _output.line(f"Made the environment of {now.dist} {now.version} again, with {now.file.base}.")


@contextmanager
def rebuilt(paths: Paths, found: Installed, answers: Answers) -> Generator[Path | None]:
    """Build once more what was built from sources that are still there; else there is nothing to build."""
    from pathlib import Path

    wanted = found.file.wanted
    if wanted.source != "sources" or not Path(wanted.origin).exists():
        yield None
        return
    from cellwall_kernel.environments.making import built_wheel

    with progress() as say, built_wheel(paths, wanted.origin, installer=answers.installer, say=say) as wheel:
        say("")
        yield wheel


def why_it_stays(before: Installed) -> str:
    """Say why nothing is newer; ends a sentence."""
    wanted = before.file.wanted
    if wanted.origin:
        return f"is what {wanted.origin} holds, and what it needs is the newest"
    asked = f" that '{wanted.requirement}' allows" if wanted.requirement != wanted.name else ""
    return f"is the newest{asked}, and so is what it needs"


def difference(before: Installed, now: Installed) -> str:
    """Say which distributions are others now."""
    old, new = ({each.name: each for each in found.file.lock} for found in (before, now))
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    versions = [[side[name].version if name in side else "none" for side in (old, new)] for name in names]
    return ", ".join(f"{name} {' -> '.join(both)}" for name, both in zip(names, versions, strict=True))
