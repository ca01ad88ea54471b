"""A prompt from beginning to end: choose the model, start its plugin, log, ask, log, stop.

The order is what makes it quick and safe. The plugin's process is started as soon as it is known which one it
is, before this process imports its event loop and opens the log, so that both begin to run side by side. The
prompt is in the log before the plugin is told of it; what arrives is in the log before it is shown; and
however it ends, the end is logged while the plugin's process is being stopped.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.prompting.choose import Choice
from cellwall_kernel.prompting.exchange import Cell
from cellwall_kernel.prompting.keys import KeyService
from cellwall_kernel.prompting.log import PromptLog
from cellwall_kernel.prompting.request import SinkClosed
from cellwall_kernel.prompting.scene import Scene, settle
from cellwall_kernel.prompting.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.catalogue import Catalogue
    from cellwall_kernel.config import Config
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.nested import NestedPrompts
    from cellwall_kernel.prompting.request import PromptRequest, Sink
    from cellwall_kernel.prompting.turn import Answer
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import AssetFile

__all__ = ["Prompting", "Runner"]

T = TypeVar("T")


class Runner(Protocol):
    """Runs an async function in an event loop of its own, and heeds signals meanwhile."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> T:
        """Return what the function returns."""
        ...


class Prompting:
    """Runs one prompt.

    Args:
        paths: the user folder.
        request: what is asked.
        sink: shows the answer while it arrives.
        run: runs the asynchronous parts.
        progress: makes what is told about data files that must be fetched first.
        asker: shows questions of plugins; None where nobody can be asked.

    Attributes:
        notes: sentences for the user about what plugins tried and were not allowed.
    """

    def __init__(
        self,
        paths: Paths,
        request: PromptRequest,
        sink: Sink,
        *,
        run: Runner,
        progress: Callable[[], Progress],
        asker: Asker | None = None,
    ) -> None:
        self._asker = asker
        self._paths = paths
        self._request = request
        self._sink = sink
        self._run = run
        self._progress = progress
        self.notes: list[str] = []
        self._choice: Choice | None = None
        self._spawned: Spawned | None = None
        self._supervisor: Supervisor | None = None

    def answer(self) -> Answer:
        """Ask, and return what became of it.

        Returns:
            The answer, also one that ended badly: then `problem` says why.

        Raises:
            CellwallError: the model could not be asked.
            SinkClosed: nobody reads the answer any more.
        """
        from cellwall_kernel.assets.launching import resolve_for_launch
        from cellwall_kernel.breaker import Breaker
        from cellwall_kernel.catalogue import Catalogue
        from cellwall_kernel.config import load_config
        from cellwall_kernel.supervisor import spawn_plugin

        config = load_config(self._paths)
        catalogue = Catalogue.load(self._paths, owners=config.owners)
        self.notes = catalogue.attempts  # as they are found out
        self._choice = Choice(self._paths, catalogue, self._run)
        scene = settle(self._paths, self._request, config, self._choice)
        record = scene.entry.record
        needed = scene.model.assets
        if needed and (refusal := Breaker(self._paths).quarantine(record)) is not None:
            raise refusal  # before anything large is fetched for it
        progress = self._progress() if needed else None
        assets = resolve_for_launch(record.manifest, needed, record.name, self._paths, progress)
        self._spawned = spawned = spawn_plugin(record, self._paths, assets=assets, grant=scene.grant)
        try:
            answer = self._run(lambda: self._converse(scene, catalogue, assets, spawned))
        except BaseException:
            spawned.kill_now()  # has no effect on one that has ended
            raise
        finally:
            found = self._supervisor.refusals if self._supervisor is not None else {}
            self.notes += [tried.sentence(name) for name, refusals in found.items() for tried in refusals]
        if isinstance(answer.problem, SinkClosed):
            raise answer.problem
        if answer.problem is not None and answer.problem.kind == "UnknownModel":
            catalogue.forget(record.name)
        if isinstance(answer.problem, PluginBroken):
            catalogue.note_failure(record.name, answer.problem)
        return answer

    def kill(self) -> None:
        """Have all processes of this prompt killed, without waiting; safe in a signal handler."""
        if self._choice is not None:
            self._choice.kill()
        if self._supervisor is not None:
            self._supervisor.kill_now()
        if self._spawned is not None:
            self._spawned.kill_now()

    async def _converse(
        self, scene: Scene, catalogue: Catalogue, assets: Mapping[str, AssetFile], spawned: Spawned
    ) -> Answer:
        """Log the prompt, ask, and log how it ended."""
        from cellwall_kernel.prompting.services import PromptsOfPlugins, services
        from cellwall_kernel.supervisor import Supervisor

        request = self._request
        is_kept = scene.config.logging if request.log is None else request.log
        keys = KeyService(self._paths, scene.entry, scene.model, request.key, scene.grant)
        log = PromptLog.open(self._paths, is_kept=is_kept, wants_record=request.wants_record)
        turn = Turn(self._paths, request, scene, log, self._sink)
        nested = PromptsOfPlugins(partial(self._nested, catalogue, scene.config, keys, log))
        with ExitStack() as things:
            things.callback(log.close)
            things.enter_context(turn.begun(self._sandbox(spawned)))
            handlers = things.enter_context(services(self._paths, keys, asker=self._asker))
            handlers["host/prompt"] = nested.answer
            async with Supervisor(self._paths, services=handlers) as self._supervisor:
                nested.serve(self._supervisor)
                cell = Cell(record=scene.entry.record, assets=assets, spawned=spawned)
                await turn.run(self._supervisor, cell)
            return turn.answer()

    def _nested(
        self, catalogue: Catalogue, config: Config, keys: KeyService, log: PromptLog, supervisor: Supervisor
    ) -> NestedPrompts:
        from cellwall_kernel.prompting.nested import NestedPrompts

        return NestedPrompts(
            self._paths, catalogue, config, keys=keys, log=log, notes=self.notes, supervisor=supervisor
        )

    def _sandbox(self, spawned: Spawned) -> str:
        """Return how strong the wall around the plugin is."""
        from cellwall_kernel.doctor import quick_level

        return "NONE" if spawned.wall is None else quick_level(self._paths, spawned.wall.plan.mechanisms)
