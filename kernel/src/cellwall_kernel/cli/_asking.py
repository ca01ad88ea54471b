"""The catalogue for commands that list things: plugins are started only if something is not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.cli import _output
from cellwall_kernel.cli._running import stoppable

if TYPE_CHECKING:
    from cellwall_kernel.catalogue import Catalogue, Entry
    from cellwall_kernel.cli._context import App
    from cellwall_kernel.cli._running import Stop

__all__ = ["asked_catalogue", "note_silent_plugins"]


def asked_catalogue(app: App, *, is_patient: bool = False, retries: bool = False) -> Catalogue:
    """Return the catalogue, after asking the plugins that were not asked yet.

    Args:
        app: the shared state.
        is_patient: also wait, to the end of their time, for those that were too slow for a list before.
        retries: also ask those again that failed.

    Raises:
        StoreProblem: the user folder cannot be used.
        Interrupted: the user did not want to wait.
    """
    from cellwall_kernel.catalogue import Catalogue

    catalogue = Catalogue.load(app.paths)
    if app.attaches:
        with stoppable() as stop:
            stop.run(lambda: attach(app, catalogue, stop))
    states = {entry.state for entry in catalogue.entries.values()}
    if not catalogue.is_complete or (is_patient and "slow" in states) or (retries and "failed" in states):
        with stoppable() as stop:
            stop.run(lambda: refresh(app, catalogue, stop, is_patient=is_patient, retries=retries))
    _output.attempts(catalogue.attempts)
    return catalogue


async def attach(app: App, catalogue: Catalogue, stop: Stop) -> None:
    """Ask the plugin that is attached to; a second signal hangs up."""
    from cellwall_kernel import attaching
    from cellwall_kernel.supervisor import Supervisor

    attachment = attaching.current()
    if attachment is not None:
        async with Supervisor(app.paths) as supervisor:
            stop.kill = supervisor.kill_now
            await catalogue.attach(supervisor, attachment.plugin)


async def refresh(app: App, catalogue: Catalogue, stop: Stop, *, is_patient: bool, retries: bool) -> None:
    """Ask the plugins; a second signal kills those that are running."""
    from cellwall_kernel.supervisor import Supervisor

    async with Supervisor(app.paths) as supervisor:
        stop.kill = supervisor.kill_now
        await catalogue.refresh(supervisor, is_thorough=is_patient, retries_failed=retries)


def note_silent_plugins(catalogue: Catalogue) -> None:
    """Say on stderr which plugins are missing from a list."""
    silent = [entry.name for entry in catalogue.entries.values() if is_silent(entry)]
    if silent:
        names = ", ".join(f"'{name}'" for name in silent)
        _output.note(f"Note: not listed, because they could not be asked: {names}; 'llm plugins' says why.")


def is_silent(entry: Entry) -> bool:
    """Whether nothing is known of what the plugin offers."""
    return entry.state in {"failed", "slow"}
