"""An embedding from beginning to end: choose the model, start its plugin, stream inputs in and vectors out.

Inputs are read only as fast as the plugin grants credit for them, and the plugin gets credit only as fast as
the vectors are taken, so an endless source and a slow reader cost no memory. Nothing is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

from cellwall_kernel.errors import CellwallError, DeadlineExceeded
from cellwall_kernel.prompting.asked import AskedPlugin
from cellwall_kernel.prompting.keys import KeyService, check_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from cellwall_kernel.assets.progress import Progress
    from cellwall_kernel.grants import Grant
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.prompting.asked import Runner
    from cellwall_kernel.prompting.choose import EmbedderOffer
    from cellwall_kernel.session import Call, Deadline
    from cellwall_wire import AssetFile, EmbedFile, EmbedResult, EmbedText, UnknownItem, Vector, VectorFailure

__all__ = ["EmbedRequest", "Embedding", "VectorSink"]

LONGEST_S = 7 * 24 * 3600.0
"""How long an embedding may take in all (seconds): as long as its source has something to say."""

PATIENCE_CHECK_S = 0.5
"""How often is looked whether the plugin still answers (seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """What is to be embedded with what.

    Attributes:
        model: an embedding model's id or alias; None means the default one.
        dimensions: how many numbers a vector shall have; None leaves it to the model.
        key: an API key, or the name of a stored one, to be used instead of the model's own.
        timeout_s: seconds that all of it may take; None for no such limit.
    """

    model: str | None = None
    dimensions: int | None = None
    key: str | None = None
    timeout_s: float | None = None


class VectorSink(Protocol):
    """Where vectors go; may raise SinkClosed or another CellwallError."""

    async def take(self, item: Vector | VectorFailure) -> None:
        """Take a vector, or the reason why there is none."""
        ...


class Embedding:
    """Runs one embedding.

    Args:
        paths: the user folder.
        request: what with.
        source: gives the inputs, in lists, as they come.
        sink: takes the vectors.
        run: runs the asynchronous parts.
        progress: makes what is told about data files that must be fetched first.
    """

    def __init__(
        self,
        paths: Paths,
        request: EmbedRequest,
        source: AsyncIterator[list[EmbedText | EmbedFile]],
        sink: VectorSink,
        *,
        run: Runner,
        progress: Callable[[], Progress],
    ) -> None:
        self._paths = paths
        self._request = request
        self._source = source
        self._sink = sink
        self._run = run
        self._progress = progress
        self._asked: AskedPlugin | None = None

    @property
    def notes(self) -> list[str]:
        """Sentences for the user about what plugins tried and were not allowed."""
        return self._asked.notes if self._asked is not None else []

    def vectors(self) -> EmbedResult:
        """Embed everything that the source gives.

        Raises:
            CellwallError: the model could not be asked, or failed.
        """
        from cellwall_kernel.grants import valid_grant

        self._asked = asked = AskedPlugin(self._paths, self._run, self._progress)
        name = self._request.model or asked.config.default_embedding_model
        offer = asked.choice.default_embedder() if name is None else asked.choice.embedder(name)
        entry, model = offer
        grant = valid_grant(self._paths, entry.record)
        check_key(self._paths, entry.name, model, self._request.key, grant)
        assets = asked.assets(entry.record, model.assets)
        spawned = asked.start(entry.record, assets, grant)
        return asked.run(lambda: self._converse(asked, offer, assets, spawned, grant))

    def kill(self) -> None:
        """Have all processes of this embedding killed, without waiting; safe in a signal handler."""
        if self._asked is not None:
            self._asked.kill()

    async def _converse(
        self,
        asked: AskedPlugin,
        offer: EmbedderOffer,
        assets: Mapping[str, AssetFile],
        spawned: Spawned,
        grant: Grant,
    ) -> EmbedResult:
        from msgspec.structs import replace

        from cellwall_kernel.prompting.services import services
        from cellwall_kernel.session import Deadline
        from cellwall_kernel.supervisor import Supervisor
        from cellwall_wire import EmbedParams

        entry, model = offer
        keys = KeyService(self._paths, entry, model, self._request.key, grant)
        total_s = self._request.timeout_s or LONGEST_S
        usual = Deadline.from_settings(asked.config.timeouts, plugin=entry.name, total_s=total_s)
        usual = usual.within(grant.permissions.limits.deadline_s)
        # Silence is looked at in _Stream, where it is known whether the plugin has anything to answer.
        deadline = replace(usual, first_s=None, idle_s=None)
        params = EmbedParams(model=model.id, dimensions=self._request.dimensions)
        with services(self._paths, keys) as handlers:
            async with Supervisor(self._paths, services=handlers) as asked.supervisor:
                opened = asked.supervisor.call(
                    entry.record, "embed/batch", params, deadline=deadline, assets=assets, spawned=spawned
                )
                async with opened as call:
                    return await _Stream(call, self._source, self._sink, usual, entry.name).run()


class _Stream:
    """Moves inputs in and vectors out at the same time.

    Args:
        call: the open call.
        source: gives the inputs.
        sink: takes the vectors.
        deadline: its `idle_s` is how long the plugin may be silent while it has something to answer.
        plugin: its name.
    """

    def __init__(
        self,
        call: Call,
        source: AsyncIterator[list[EmbedText | EmbedFile]],
        sink: VectorSink,
        deadline: Deadline,
        plugin: str,
    ) -> None:
        self._call = call
        self._source = source
        self._sink = sink
        self._deadline = deadline
        self._plugin = plugin
        self._waiting = 0
        self._heard = 0.0
        self._problem: CellwallError | None = None

    async def run(self) -> EmbedResult:
        """Move everything, and give the result."""
        from anyio import create_task_group

        async with create_task_group() as tasks:
            tasks.start_soon(self._feed)
            tasks.start_soon(self._watch)
            await self._take_all()
            tasks.cancel_scope.cancel()
        if self._problem is not None:
            raise self._problem
        result: EmbedResult = self._call.result
        return result

    async def _take_all(self) -> None:
        try:
            async for items in self._call:
                for item in items:
                    await self._take(item)
        except CellwallError as problem:  # a task group would wrap it
            self._problem = self._problem or problem

    async def _take(self, item: Vector | VectorFailure | UnknownItem) -> None:
        from anyio import current_time

        from cellwall_wire import UnknownItem

        if isinstance(item, UnknownItem):
            return
        self._waiting -= 1
        self._heard = inf  # the plugin is not to blame for the time that the reader takes
        await self._sink.take(item)
        self._heard = current_time()

    async def _feed(self) -> None:
        from anyio import current_time

        try:
            async for items in self._source:
                if not self._waiting:
                    self._heard = current_time()
                self._waiting += sum(not item.more for item in items)
                await self._call.feed(items)
            await self._call.end_input()
        except CellwallError as problem:  # the call's own, which its reader tells, or the source's
            self._problem = self._problem or problem
            self._call.cancel("the input has failed")

    async def _watch(self) -> None:
        """Give up on a plugin that has inputs and says nothing."""
        from anyio import current_time, sleep

        limit_s = self._deadline.idle_s
        while limit_s is not None:
            await sleep(PATIENCE_CHECK_S)
            if self._waiting > 0 and current_time() - self._heard > limit_s:
                what = f"sent nothing for {limit_s:g} s while it had something to embed"
                advice = self._deadline.advice("idle", self._plugin)
                self._problem = DeadlineExceeded(f"plugin '{self._plugin}' {what}{advice}")
                self._call.cancel("deadline")
                return
