"""A conversation that goes on: one model, and plugins that stay while they are used.

The event loop runs as long as the chat does, because plugins must be attended to (read from, watched, stopped
when idle) while the user types.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from cellwall_kernel.prompting.asked import AskedPlugin
from cellwall_kernel.prompting.exchange import Cell
from cellwall_kernel.prompting.keys import KeyService
from cellwall_kernel.prompting.log import PromptLog
from cellwall_kernel.prompting.scene import Scene, settle
from cellwall_kernel.prompting.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from anyio import CancelScope

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.asked import Runner
    from cellwall_kernel.prompting.asking import Asker
    from cellwall_kernel.prompting.request import PromptRequest, Sink
    from cellwall_kernel.prompting.turn import Answer
    from cellwall_kernel.store import Store
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import AssetFile

__all__ = ["Chat"]


class Chat:
    """A conversation; an async context manager, once `settle` was called.

    Args:
        paths: the user folder.
        request: what all prompts have in common: model, system prompt, options, conversation to continue.
        sink: shows the answers.
        progress: makes what is told about data files that must be fetched first.
        asker: shows questions of plugins.

    Attributes:
        notes: sentences for the user about what plugins tried and were not allowed; to be taken out.
    """

    def __init__(
        self,
        paths: Paths,
        request: PromptRequest,
        sink: Sink,
        *,
        progress: Callable[[], Progress],
        asker: Asker | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._paths = paths
        self._request = request
        self._sink = sink
        self._progress = progress
        self._asker = asker
        self._things = AsyncExitStack()
        self._asked: AskedPlugin | None = None
        self._scene: Scene | None = None
        self._assets: Mapping[str, AssetFile] = {}
        self._store: Store | None = None
        self._supervisor: Supervisor | None = None
        self._conversation_id: str | None = None
        self._scope: CancelScope | None = None
        self._told: set[tuple[str, str]] = set()

    def settle(self, run: Runner) -> None:
        """Choose the model and fetch its data files, before the event loop begins.

        Args:
            run: runs an async function in an event loop of its own.

        Raises:
            CellwallError: it cannot be asked.
        """
        self._asked = asked = AskedPlugin(self._paths, run, self._progress)
        self.notes = asked.notes
        self._scene = scene = settle(self._paths, self._request, asked.config, asked.choice)
        self._conversation_id = scene.conversation.id if scene.conversation is not None else None
        self._assets = asked.assets(scene.entry.record, scene.model.assets)

    async def __aenter__(self) -> Self:
        """Open the log, and get ready to run plugins.

        Raises:
            StoreProblem: the log cannot be written.
        """
        from cellwall_kernel.prompting.services import PromptsOfPlugins, services
        from cellwall_kernel.store import Store
        from cellwall_kernel.supervisor import Supervisor

        scene, asked = self._settled, self._asked
        if asked is None:
            raise RuntimeError("settle() comes first")
        is_logged = scene.config.logging if self._request.log is None else self._request.log
        self._store = Store.open(self._paths) if is_logged else Store.in_memory()
        async with AsyncExitStack() as things:
            things.callback(self._store.close)
            keys = KeyService(self._paths, scene.entry, scene.model, self._request.key, scene.grant)
            nested = PromptsOfPlugins(
                self._paths, asked.catalogue, scene.config, keys=keys, log=self._new_log(), notes=self.notes
            )
            handlers = things.enter_context(services(self._paths, keys, asker=self._asker))
            handlers["host/prompt"] = nested.answer
            supervisor = Supervisor(self._paths, services=handlers)
            self._supervisor = asked.supervisor = await things.enter_async_context(supervisor)
            nested.serve(supervisor)
            self._things = things.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all plugins, and close the log."""
        await self._things.__aexit__(kind, error, trace)

    @property
    def model(self) -> str:
        """The id of the model that answers."""
        return self._settled.model.id

    @property
    def is_busy(self) -> bool:
        """Whether an answer is under way."""
        return self._scope is not None

    async def ask(self, prompt: str) -> Answer | None:
        """Ask, and return the answer, also one that ended badly; None if it was stopped.

        Raises:
            CellwallError: it could not be asked.
        """
        from anyio import CancelScope

        from cellwall_kernel.doctor import quick_level

        if self._supervisor is None or self._store is None:
            raise RuntimeError("the chat has not begun")
        scene, system = self._settled, self._request.system
        if self._conversation_id is not None:
            conversation, history = self._store.conversation_messages(self._conversation_id)
            scene, system = replace(scene, conversation=conversation, history=history), None
        log = self._new_log()
        turn = Turn(self._paths, replace(self._request, prompt=prompt, system=system), scene, log, self._sink)
        sandbox = "NONE" if scene.grant.unsandboxed else quick_level(self._paths)
        try:
            with CancelScope() as self._scope, turn.begun(sandbox):
                self._conversation_id = log.conversation_id
                cell = Cell(record=scene.entry.record, assets=self._assets)
                await turn.run(self._supervisor, cell, is_last=False)
                return turn.answer()
        finally:
            self._scope = None
            self._take_notes()
        return None

    def stop(self) -> None:
        """Stop the answer that is under way; what has arrived stays. In the event loop's thread."""
        if self._scope is not None:
            self._scope.cancel()

    def kill_now(self) -> None:
        """Have all plugins killed, without waiting; safe in a signal handler."""
        if self._asked is not None:
            self._asked.kill()

    @property
    def _settled(self) -> Scene:
        if self._scene is None:
            raise RuntimeError("settle() comes first")
        return self._scene

    def _new_log(self) -> PromptLog:
        """Return the log for one prompt; a chat remembers itself, also where nothing shall be kept."""
        return PromptLog(self._store, is_kept=True)

    def _take_notes(self) -> None:
        """Note what plugins tried and were not allowed, each thing once in a chat."""
        found = self._supervisor.refusals if self._supervisor is not None else {}
        for name, refusals in found.items():
            for refusal in refusals:
                said = (name, refusal.sentence(name))
                if said not in self._told:
                    self._told.add(said)
                    self.notes.append(said[1])
