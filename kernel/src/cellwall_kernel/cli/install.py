"""`llm install`: bring a plugin in, into an environment of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._bringing import Answers, answer_options, bring, each, names_of, progress
from cellwall_kernel.cli._context import App, pass_app
from cellwall_kernel.cli._lazy import HELP_SETTINGS
from cellwall_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.environments import Wanted
    from cellwall_kernel.paths import Paths

__all__ = ["install"]


@click.command(context_settings=HELP_SETTINGS)
@click.argument("names", nargs=-1, required=True, metavar="NAME|WHEEL|FOLDER...")
@click.option("--with", "extra", multiple=True, metavar="REQ", help="Install this too, such as httpx.")
@click.option("--constraint", "constraints", multiple=True, metavar="REQ", help="Bound this, as 'click<8.2'.")
@click.option("--build", is_flag=True, help="Allow building from sources, behind the wall.")
@click.option("-U", "--upgrade", is_flag=True, hidden=True, help="The newest is installed anyway.")
@answer_options
@pass_app
def install(  # noqa: PLR0913 - click passes every option
    app: App,
    names: tuple[str, ...],
    *,
    extra: tuple[str, ...],
    constraints: tuple[str, ...],
    build: bool,
    upgrade: bool,  # noqa: ARG001 - as above
    grant: tuple[str, ...],
    deny: tuple[str, ...],
    as_asked: bool,
    installer: str | None,
) -> None:
    """Install plugins, each into an environment of its own.

    A NAME is looked for in the package index; it may say which version: 'llm-foo>=1.2'. A WHEEL is a file or
    an address that ends in .whl. A FOLDER (or an archive) of sources needs --build.

    Only wheels are installed, so nothing of the plugin runs. What it asks for is shown, and it is asked
    whether it may. If anything fails, nothing has changed.
    """
    from cellwall_kernel.cli._running import stoppable

    answers = Answers(grant, deny, as_asked, installer).checked()

    def one(text: str) -> None:
        install_one(app.paths, text, answers, extra=extra, constraints=constraints, build=build)

    with stoppable():
        each(names, one)


def install_one(
    paths: Paths,
    text: str,
    answers: Answers,
    *,
    extra: tuple[str, ...],
    constraints: tuple[str, ...],
    build: bool,
) -> None:
    """Install one plugin and say so."""
    from cellwall_kernel.environments.making import is_sources, understand

    if not is_sources(text):
        put(paths, understand(text, extra=extra, constraints=constraints), answers)
        return
    if not build:
        raise UsageProblem(
            f"{text} is source code, and building it runs what is in it; 'llm install --build {text}' does "
            "so behind the wall, or install a wheel."
        )
    from cellwall_kernel.environments.making import built_wheel, from_sources

    with progress() as say, built_wheel(paths, text, installer=answers.installer, say=say) as wheel:
        say("")
        put(paths, from_sources(text, wheel, extra=extra, constraints=constraints), answers, built=wheel)


def put(paths: Paths, wanted: Wanted, answers: Answers, *, built: Path | None = None) -> None:
    """Install what is wanted and say so."""
    from cellwall_kernel.environments.making import slot

    with slot(paths, wanted.name) as place:
        found = bring(paths, place, wanted, answers, built=built)
        called = names_of(paths, found)
    names = ", ".join(f"'{name}'" for name in called)
    _output.line(f"Installed {found.dist} {found.version} (plugin{'s'[: len(called) - 1]} {names}).")
    for name in called:
        if "@" in name:
            plain = name.partition("@")[0]
            _output.note(
                f"Another distribution has a plugin '{plain}' too, so each bears its distribution's name."
            )
