"""One exchange with a model: the prompt goes out, the answer comes in, is logged, and then shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwall_kernel.errors import CellwallError
from cellwall_kernel.prompting.answer import Arrivals
from cellwall_kernel.prompting.request import SinkClosed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.process import Spawned
    from cellwall_kernel.prompting.log import PromptLog
    from cellwall_kernel.prompting.request import Sink
    from cellwall_kernel.session import Call, Deadline
    from cellwall_kernel.store import Outcome
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import AssetFile, Item, PromptParams, PromptResult, UnknownItem

__all__ = ["Cell", "Exchange"]

PROGRESS_EVERY_S = 0.2
"""How often a person is told how far a plugin is (seconds)."""

LAST_LINE_S = 0.2
"""How long the end of the last line may take to print once the user has stopped the answer (seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The plugin that is asked: its record, its data files, and its process, if that was started already."""

    record: PluginRecord
    assets: Mapping[str, AssetFile]
    spawned: Spawned | None = None


class Exchange:
    """Runs one prompt.

    Args:
        log: takes what arrives, before anybody sees it.
        sink: shows it.

    Attributes:
        arrivals: the answer as far as it has arrived.
        result: how the model ended it; None while it has not.
        problem: why it ended badly; None if it did not.
    """

    def __init__(self, log: PromptLog, sink: Sink) -> None:
        self.arrivals = Arrivals()
        self.result: PromptResult | None = None
        self.problem: CellwallError | None = None
        self._log = log
        self._sink = sink

    async def run(
        self,
        supervisor: Supervisor,
        cell: Cell,
        params: PromptParams,
        deadline: Deadline,
        *,
        is_last: bool = True,
    ) -> None:
        """Bring the plugin to the point where it can be asked, ask it, and log how that ended.

        It is asked once, whatever happens: a prompt that a plugin has read may have been paid for. A plugin
        that fails is no exception: `problem` holds it.

        Args:
            supervisor: owns the plugin from now on.
            cell: the plugin.
            params: the prompt.
            deadline: how long the answer may take.
            is_last: nothing more will be asked of any plugin, so all are stopped meanwhile.
        """
        from anyio import get_cancelled_exc_class

        try:
            await self._ask(supervisor, cell, params, deadline)
            await self._sink.end()
        except CellwallError as problem:
            self.problem = problem
            await self._end_last_line()
        except get_cancelled_exc_class():
            self._log.finish(self._outcome("cancelled"))
            await self._end_last_line()
            raise
        if is_last:
            await self._stop_and_log(supervisor)
        else:
            self._log.finish(self._outcome())

    async def _ask(
        self, supervisor: Supervisor, cell: Cell, params: PromptParams, deadline: Deadline
    ) -> None:
        from anyio import create_task_group

        problem: CellwallError | None = None
        opened = supervisor.call(
            cell.record, "model/prompt", params, deadline=deadline, assets=cell.assets, spawned=cell.spawned
        )
        async with opened as call, create_task_group() as tasks:
            if self._sink.shows_progress:
                tasks.start_soon(self._show_progress, call)
            try:
                await self._read(call)
            except CellwallError as raised:  # a task group would wrap it
                problem = raised
            tasks.cancel_scope.cancel()
        if problem is not None:
            raise problem
        self.result = call.result

    async def _read(self, call: Call) -> None:
        from anyio import get_cancelled_exc_class

        try:
            async for items in call:
                await self._take(items)
        except get_cancelled_exc_class():
            await self._keep_the_rest(call)
            raise

    async def _show_progress(self, call: Call) -> None:
        """Show the plugin's last word on how far it is, whenever it is a new one."""
        from anyio import sleep

        shown = None
        while True:
            await sleep(PROGRESS_EVERY_S)
            latest = call.progress
            if latest is not None and latest is not shown:
                self._sink.progress(latest.done, latest.total, latest.message)
            shown = latest

    async def _take(self, items: Sequence[Item | UnknownItem]) -> None:
        """Log a batch, then show it."""
        if self._log.append(items) and self._log.problem is not None:
            await self._sink.remark(f"Warning: {self._log.problem.message} The answer goes on.")
        for piece in self.arrivals.take(items):
            match piece.kind:
                case "text":
                    await self._sink.text(piece.text)
                case "reasoning":
                    await self._sink.reasoning(piece.text)
                case "remark":
                    await self._sink.remark(piece.text)

    async def _keep_the_rest(self, call: Call) -> None:
        """Tell the plugin to stop, and log what it had sent by then; nobody waits to see it."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            call.cancel("the user stopped it")
            try:
                async for items in call:
                    self._log.append(items)
                    self.arrivals.take(items)
            except CellwallError:
                return  # it ended badly while it was being stopped: it ended

    async def _end_last_line(self) -> None:
        """Let what follows begin on a line of its own, unless nobody reads it."""
        from anyio import CancelScope, move_on_after

        with CancelScope(shield=True), move_on_after(LAST_LINE_S):
            try:
                await self._sink.end()
            except CellwallError:
                return  # the same that ended the answer

    async def _stop_and_log(self, supervisor: Supervisor) -> None:
        """Log the end while the plugins' processes leave: each takes some milliseconds."""
        from anyio import create_task_group
        from anyio.lowlevel import checkpoint

        async with create_task_group() as tasks:
            tasks.start_soon(supervisor.stop_all)
            await checkpoint()
            self._log.finish(self._outcome())

    def _outcome(self, status: str | None = None) -> Outcome:
        from cellwall_kernel.store import Outcome

        problem, result = self.problem, self.result
        if isinstance(problem, SinkClosed) or status == "cancelled":
            return Outcome(status="cancelled")
        if problem is not None:
            return Outcome(status="error", error_kind=problem.kind, error_message=problem.message)
        if result is None:
            return Outcome(status="cancelled")
        return Outcome(
            status="cancelled" if result.finish == "cancelled" else "done",
            finish=result.finish,
            usage=result.usage,
            resolved_model=result.model_resolved,
            provider=result.provider,
        )
