"""The plugin that a command asks: chosen, given its data files, started, killed, and what was tried in vain.

What a prompt, an embedding and a chat have in common, in the order in which they do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from cellwall_kernel.catalogue import Catalogue
from cellwall_kernel.config import load_config
from cellwall_kernel.prompting.choose import Choice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import AssetFile

__all__ = ["AskedPlugin", "Runner"]

T = TypeVar("T")


class Runner(Protocol):
    """Runs an async function in an event loop of its own, and heeds signals meanwhile."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> T:
        """Return what the function returns."""
        ...


class AskedPlugin:
    """The plugin that a command asks, once it is chosen; loads settings and catalogue.

    Args:
        paths: the user folder.
        run: runs the asynchronous parts.
        progress: makes what is told about data files that must be fetched first.

    Attributes:
        config: the user's settings.
        catalogue: what plugins offer.
        choice: finds the model, and its plugin.
        notes: sentences for the user about what plugins tried and were not allowed, as they are found out.
        supervisor: owns the processes; set by who makes it.

    Raises:
        UsageProblem: the settings are wrong.
        StoreProblem: the user folder cannot be used.
    """

    def __init__(self, paths: Paths, run: Runner, progress: Callable[[], Progress]) -> None:
        self.config = load_config(paths)
        self.catalogue = Catalogue.load(paths, owners=self.config.owners)
        self.choice = Choice(paths, self.catalogue, run)
        self.notes = self.catalogue.attempts
        self.supervisor: Supervisor | None = None
        self._paths = paths
        self._run = run
        self._progress = progress
        self._spawned: Spawned | None = None

    def assets(self, record: PluginRecord, needed: Sequence[str]) -> Mapping[str, AssetFile]:
        """Return the plugin's data files; those that are needed and not here are fetched.

        Raises:
            Quarantined: nothing large is fetched for a plugin that is not started for now.
            AssetProblem: one cannot be fetched.
        """
        from cellwall_kernel.assets.launching import resolve_for_launch
        from cellwall_kernel.breaker import Breaker

        if needed and (refusal := Breaker(self._paths).quarantine(record)) is not None:
            raise refusal
        progress = self._progress() if needed else None
        return resolve_for_launch(record.manifest, needed, record.name, self._paths, progress)

    def start(self, record: PluginRecord, assets: Mapping[str, AssetFile], grant: Grant) -> Spawned:
        """Start the plugin's process; raises as `spawn_plugin`."""
        from cellwall_kernel.supervisor import spawn_plugin

        self._spawned = spawn_plugin(record, self._paths, assets=assets, grant=grant)
        return self._spawned

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what is to be done with the plugin that was started, and note what plugins tried meanwhile.

        Returns:
            what `work` returns.
        """
        try:
            return self._run(work)
        except BaseException:
            if self._spawned is not None:
                self._spawned.kill_now()  # has no effect on one that has ended
            raise
        finally:
            found = self.supervisor.refusals if self.supervisor is not None else {}
            self.notes += [tried.sentence(name) for name, refusals in found.items() for tried in refusals]

    def kill(self) -> None:
        """Have all processes of the command killed, without waiting; safe in a signal handler."""
        self.choice.kill()
        if self.supervisor is not None:
            self.supervisor.kill_now()
        if self._spawned is not None:
            self._spawned.kill_now()
