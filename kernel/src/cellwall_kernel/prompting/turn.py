"""One prompt and its answer, once it is settled who is asked: log, ask, log."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwall_kernel.prompting.exchange import Exchange
from cellwall_kernel.prompting.messages import chain, user_message

if TYPE_CHECKING:
    from collections.abc import Generator

    from cellwall_kernel.errors import CellwallError
    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.attachments import Packed
    from cellwall_kernel.prompting.exchange import Cell
    from cellwall_kernel.prompting.log import PromptLog
    from cellwall_kernel.prompting.request import PromptRequest, Sink
    from cellwall_kernel.prompting.scene import Scene
    from cellwall_kernel.session import Deadline
    from cellwall_kernel.store import LoggedResponse, PromptRow
    from cellwall_kernel.supervisor import Supervisor
    from cellwall_wire import Message, PromptParams, Usage

__all__ = ["Answer", "Turn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a prompt.

    Attributes:
        text: the answer's text, as far as it arrived.
        finish: the model's own word for the end; None if it did not come to it.
        usage: tokens used, as far as the model told.
        record: the whole record, if the request wanted it.
        problem: why it ended badly; None if it did not.
    """

    text: str
    finish: str | None
    usage: Usage | None
    record: LoggedResponse | None
    problem: CellwallError | None


class Turn:
    """One prompt and its answer.

    Args:
        paths: the user folder.
        request: what is asked.
        scene: what it is asked with.
        log: takes the prompt before it is sent, and what arrives before it is shown.
        sink: shows the answer.
    """

    def __init__(
        self, paths: Paths, request: PromptRequest, scene: Scene, log: PromptLog, sink: Sink
    ) -> None:
        self._paths = paths
        self._request = request
        self._scene = scene
        self._log = log
        self._exchange = Exchange(log, sink)
        self._messages: list[Message] = []

    @contextmanager
    def begun(self, sandbox: str) -> Generator[None]:
        """Log the prompt and keep its attachments where the plugin can read them.

        Args:
            sandbox: how strong the wall around the plugin is.

        Raises:
            StoreProblem: it cannot be logged.
        """
        from cellwall_kernel.prompting.attachments import packed

        request, scene = self._request, self._scene
        scratch = self._paths.plugin_tmp(scene.entry.name)
        with ExitStack() as things:
            attachments = things.enter_context(packed(request.attachments, scratch))
            added = user_message(request, attachments)
            self._messages = things.enter_context(chain(scene.history, request.system, added, scratch))
            self._log.begin(self._row(added, attachments, sandbox))
            yield

    async def run(self, supervisor: Supervisor, cell: Cell, *, is_last: bool = True) -> None:
        """Ask, and log how it ended.

        Args:
            supervisor: runs the plugin.
            cell: the plugin.
            is_last: nothing more will be asked, so all plugins are stopped meanwhile.
        """
        await self._exchange.run(supervisor, cell, self._params(), self._deadline(), is_last=is_last)

    def answer(self) -> Answer:
        """Return what became of it."""
        exchange = self._exchange
        result = exchange.result
        return Answer(
            text=exchange.arrivals.text,
            finish=result.finish if result is not None else None,
            usage=(result.usage if result is not None else None) or exchange.arrivals.usage,
            record=self._log.record() if self._request.wants_record else None,
            problem=exchange.problem or self._log.problem,
        )

    def _deadline(self) -> Deadline:
        from cellwall_kernel.session import Deadline

        scene = self._scene
        usual = Deadline.from_settings(
            scene.config.timeouts, plugin=scene.entry.name, total_s=self._request.timeout_s
        )
        return usual.within(scene.grant.permissions.limits.deadline_s)

    def _row(self, added: Message, attachments: Packed, sandbox: str) -> PromptRow:
        from cellwall_kernel.store import PromptRow

        request, scene = self._request, self._scene
        return PromptRow(
            model=scene.model.id,
            plugin=scene.entry.name,
            sandbox=sandbox,
            messages=[added],
            system=request.system,
            options=request.options,
            schema=request.schema,
            conversation_id=scene.conversation.id if scene.conversation is not None else None,
            blobs=attachments.blobs,
        )

    def _params(self) -> PromptParams:
        from cellwall_wire import PromptParams

        request, scene = self._request, self._scene
        return PromptParams(
            model=scene.model.id,
            messages=self._messages,
            options=dict(request.options),
            schema=request.schema,
            stream=request.stream and scene.model.supports.stream,
            conversation_id=scene.conversation.id if scene.conversation is not None else None,
            hide_reasoning=request.hide_reasoning,
        )
