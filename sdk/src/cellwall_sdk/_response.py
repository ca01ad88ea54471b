"""The response that `execute` may declare: what a model says about its answer beside the text it yields."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from cellwall_wire import Note, Progress, PromptResult, UsageItem
from cellwall_wire import Usage as WireUsage

from ._parts import ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._answer import Answer
    from ._call import Call
    from ._emit import Emitter
    from ._link import Link
    from ._models import Model
    from ._prompt import Conversation, Prompt

__all__ = ["FinishReason", "Response"]

PROGRESS_INTERVAL_S = 0.1
"""The protocol allows ten progress messages a second; those that come faster are left out."""

FinishReason = Literal["stop", "length", "tool_calls", "refusal", "filtered"]


class Response:
    """The answer while it is made.

    Attributes:
        prompt: what is asked.
        conversation: what was said before.
        model: the model that answers.
        stream: whether pieces are wanted as they come.
        response_json: the provider's raw data, a dict that is kept in the log and given back with the answer.
    """

    def __init__(self, prompt: Prompt, conversation: Conversation, *, stream: bool, run: Running) -> None:
        self.prompt = prompt
        self.conversation = conversation
        self.model: Model = prompt.model
        self.stream = stream
        self.response_json: dict[str, Any] | None = None
        self._run = run
        self._usage: WireUsage | None = None
        self._resolved: str | None = None
        self._finish: FinishReason | None = None
        self._tool_calls: list[ToolCall] = []
        self._progress_at = 0.0

    # -- what a model says -----------------------------------------------------------------------------------

    def set_usage(
        self,
        *,
        input: int | None = None,  # noqa: A002 - the name that authors know
        output: int | None = None,
        details: dict[str, Any] | None = None,
        cached_input: int | None = None,
        reasoning: int | None = None,
    ) -> None:
        """Say how many tokens the answer cost so far; a later call replaces an earlier one.

        Args:
            input: tokens read.
            output: tokens written.
            details: the provider's own account.
            cached_input: those of `input` that came from a cache.
            reasoning: those of `output` that were reasoning.
        """
        self._usage = WireUsage(
            input=_count(input),
            output=_count(output),
            cached_input=_count(cached_input),
            reasoning=_count(reasoning),
            details=dict(details) if details else None,
        )
        self._emit(UsageItem(self._usage))

    def set_resolved_model(self, model_id: str) -> None:
        """Say which model really answered, where an id like "latest" was asked for."""
        self._resolved = str(model_id)

    def set_finish_reason(self, reason: FinishReason) -> None:
        """Say why the answer ends, where it is not simply complete."""
        self._finish = reason

    def add_tool_call(self, tool_call: ToolCall) -> None:
        """Ask the host to call a tool; the same call may be yielded as events, too."""
        self._tool_calls.append(tool_call)

    def note(self, level: Literal["info", "warning"], text: str) -> None:
        """Tell the user something that is not part of the answer."""
        self._emit(Note(str(text), level if level == "info" else "warning"))

    def progress(
        self, done: float | None = None, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far a long call is, in any unit; at most ten times a second, more is left out."""
        now = monotonic()
        if now - self._progress_at < PROGRESS_INTERVAL_S and (done is None or done != total):
            return
        self._progress_at = now
        with self._run.call.shield():
            self._run.call.check()
            self._run.link.send(Progress(self._run.call.id, done, total, message))

    # -- what a model asks -----------------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """Whether the host no longer wants the answer."""
        return self._run.call.cancelled

    def on_cancel(self, callback: Callable[[], Any]) -> None:
        """Call back, on another thread, as soon as the host no longer wants the answer.

        For models that wait inside a library: the callback sets a flag or closes a socket.
        """
        self._run.call.on_cancel(callback)

    def text(self) -> str:
        """Give the text that was yielded so far."""
        return self._run.answer.text

    def tool_calls(self) -> list[ToolCall]:
        """Give the tool calls that were added by add_tool_call() so far."""
        return list(self._tool_calls)

    def usage(self) -> Usage:
        """Give what set_usage() was told last."""
        usage = self._usage or WireUsage()
        return Usage(usage.input, usage.output, usage.details)

    # -- for the SDK -----------------------------------------------------------------------------------------

    def result(self) -> PromptResult:
        """Say how the answer ended."""
        finish: str = "stop"
        if self._run.call.cancelled:
            finish = "cancelled"
        elif self._finish is not None:
            finish = self._finish
        elif self._run.answer.asks_for_tools:
            finish = "tool_calls"
        return PromptResult(
            finish=finish,
            usage=self._usage,
            model_resolved=self._resolved,
            provider=_as_object(self.response_json),
        )

    def _emit(self, item: Any) -> None:
        run = self._run
        with run.call.shield():
            run.emitter.item(item)
            if run.emitter.full and run.emitter.may_wait:
                run.emitter.wait_for_room()


def _count(value: Any) -> int | None:
    """Make a number of tokens of what a library may give: a float, a number of NumPy's."""
    return None if value is None else int(value)


def _as_object(raw: Any) -> dict[str, Any] | None:
    """Make a JSON object of whatever raw data a model was given."""
    return raw if raw is None or issubclass(type(raw), dict) else {"value": raw}


class Running:
    """What a running prompt is made of."""

    __slots__ = ("answer", "call", "emitter", "link")

    def __init__(self, call: Call, link: Link, emitter: Emitter, answer: Answer) -> None:
        self.call = call
        self.link = link
        self.emitter = emitter
        self.answer = answer
