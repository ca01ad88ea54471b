"""A prompt from beginning to end: choose the model, start its plugin, log, ask, log, stop.

The order is what makes it quick and safe. The plugin's process is started as soon as it is known which one it
is, before this process imports its event loop and opens the log, so that both begin to run side by side. The
prompt is in the log before the plugin is told of it; what arrives is in the log before it is shown; and
however it ends, the end is logged while the plugin's process is being stopped.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from cellwall_kernel.errors import PluginBroken
from cellwall_kernel.prompting.asked import AskedPlugin
from cellwall_kernel.prompting.exchange import Cell
from cellwall_kernel.prompting.keys import KeyService
from cellwall_kernel.prompting.log import PromptLog
from cellwall_kernel.prompting.request import SinkClosed
from cellwall_kernel.prompting.scene import Scene, settle
from cellwall_kernel.prompting.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.prompting.asked import Runner
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.request import PromptRequest, Sink
    from cellwall_kernel.prompting.turn import Answer
    from cellwall_wire import AssetFile

__all__ = ["Prompting"]


class Prompting:
    """Runs one prompt.

    Args:
        paths: the user folder.
        request: what is asked.
        sink: shows the answer while it arrives.
        run: runs the asynchronous parts.
        progress: makes what is told about data files that must be fetched first.
        asker: shows questions of plugins; None where nobody can be asked.
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
        self._paths = paths
        self._request = request
        self._sink = sink
        self._run = run
        self._progress = progress
        self._asker = asker
        self._asked: AskedPlugin | None = None

    @property
    def notes(self) -> list[str]:
        """Sentences for the user about what plugins tried and were not allowed."""
        return self._asked.notes if self._asked is not None else []

    def answer(self) -> Answer:
        """Ask, and return what became of it.

        Returns:
            The answer, also one that ended badly: then `problem` says why.

        Raises:
            CellwallError: the model could not be asked.
            SinkClosed: nobody reads the answer any more.
        """
        self._asked = asked = AskedPlugin(self._paths, self._run, self._progress)
        scene = settle(self._paths, self._request, asked.config, asked.choice)
        record = scene.entry.record
        assets = asked.assets(record, scene.model.assets)
        spawned = asked.start(record, assets, scene.grant)
        answer = asked.run(lambda: self._converse(asked, scene, assets, spawned))
        if isinstance(answer.problem, SinkClosed):
            raise answer.problem
        if answer.problem is not None and answer.problem.kind == "UnknownModel":
            asked.catalogue.forget(record.name)
        if isinstance(answer.problem, PluginBroken):
            asked.catalogue.note_failure(record.name, answer.problem)
        return answer

    def kill(self) -> None:
        """Have all processes of this prompt killed, without waiting; safe in a signal handler."""
        if self._asked is not None:
            self._asked.kill()

    async def _converse(
        self, asked: AskedPlugin, scene: Scene, assets: Mapping[str, AssetFile], spawned: Spawned
    ) -> Answer:
        """Log the prompt, ask, and log how it ended."""
        from cellwall_kernel.prompting.services import PromptsOfPlugins, services
        from cellwall_kernel.supervisor import Supervisor

        request = self._request
        is_kept = scene.config.logging if request.log is None else request.log
        keys = KeyService(self._paths, scene.entry, scene.model, request.key, scene.grant)
        log = PromptLog.open(self._paths, is_kept=is_kept, wants_record=request.wants_record)
        turn = Turn(self._paths, request, scene, log, self._sink)
        nested = PromptsOfPlugins(
            self._paths, asked.catalogue, scene.config, keys=keys, log=log, notes=asked.notes
        )
        with ExitStack() as things:
            things.callback(log.close)
            things.enter_context(turn.begun(self._sandbox(spawned)))
            handlers = things.enter_context(services(self._paths, keys, asker=self._asker))
            handlers["host/prompt"] = nested.answer
            async with Supervisor(self._paths, services=handlers) as asked.supervisor:
                nested.serve(asked.supervisor)
                cell = Cell(record=scene.entry.record, assets=assets, spawned=spawned)
                await turn.run(asked.supervisor, cell)
            return turn.answer()

    def _sandbox(self, spawned: Spawned) -> str:
        """Return how strong the wall around the plugin is."""
        from cellwall_kernel.doctor import quick_level

        return "NONE" if spawned.wall is None else quick_level(self._paths, spawned.wall.plan.mechanisms)
