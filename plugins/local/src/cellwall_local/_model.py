"""One GGUF file as a Cellwall model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_sdk import BadOptions, ContextTooLong, Model, ModelError, StreamEvent, assets

from ._options import LocalOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwall_sdk import Prompt, Response

    from ._engine import Done, Engine, Reading

__all__ = ["LocalModel"]

# A prompt that leaves less room than this for the answer is refused instead of answered with a stump.
_LEAST_ANSWER_TOKENS = 128
# From here on reading takes so long on a small machine that a word about it is due.
_LONG_PROMPT_TOKENS = 1500
# Keeps a very small model from going round in circles, and gave 8 right answers of 12 instead of 6.
_SMALL_REPEAT_PENALTY = 1.05

# The model of the last prompt: the next turn of a conversation saves loading it and reading the earlier ones.
_kept: list[Engine] = []


class LocalModel(Model):
    """A model in a GGUF file, run by llama.cpp in this process.

    Args:
        model_id: its name.
        asset: the name of the data file.
        title: a name for lists.
        small_system: the model is so small that it needs help: this is the system prompt where the user gives
            none, and the user's is moved behind the text that it is about. None for any other model.
        default: whether it offers itself where the user has chosen no model.
        context_tokens: how many tokens it was trained for, if known.
    """

    supports_schema = True

    class Options(LocalOptions):
        """See `_options`."""

    def __init__(
        self,
        model_id: str,
        asset: str,
        *,
        title: str | None = None,
        small_system: str | None = None,
        default: bool = False,
        context_tokens: int | None = None,
    ) -> None:
        super().__init__(model_id)
        self.title = title
        self.needs_assets = (asset,)
        self.default = default
        self.context_tokens = context_tokens
        # Some models think aloud first. The bundled one does not; for a file of the user we cannot tell
        # without loading it.
        self.supports_reasoning = not default
        self._asset = asset
        self._small_system = small_system

    def execute(self, prompt: Prompt, stream: bool, response: Response) -> Iterator[str | StreamEvent]:
        """Answer with the file's model; the first prompt of a process loads it."""
        from ._engine import EngineProblem, PromptTooLong

        try:
            pieces = self._pieces(prompt, response)
            if stream:
                yield from pieces
            else:
                yield from _joined(pieces)
        except PromptTooLong as problem:
            raise self._too_long(problem.tokens, prompt.options) from problem
        except EngineProblem as problem:
            _, is_schema, cause = str(problem).partition("JSON schema error")
            if is_schema:
                raise BadOptions(f"The JSON Schema cannot be used: error{cause}.") from problem
            raise ModelError(str(problem)) from problem

    def _pieces(self, prompt: Prompt, response: Response) -> Iterator[str | StreamEvent]:
        """Give the answer as it comes, and tell `response` all else."""
        from threading import Event

        from ._engine import Done, Reading

        options: LocalOptions = prompt.options
        stop = Event()
        response.on_cancel(stop.set)
        engine = _engine_for(self._path(), options)
        for event in engine.answer(self._request(prompt, options), stop):
            if isinstance(event, Reading):
                self._note_reading(event, options, response)
            elif isinstance(event, Done):
                self._note_end(event, prompt, response)
            else:
                yield StreamEvent("reasoning", event.text) if event.is_reasoning else event.text

    def _request(self, prompt: Prompt, options: LocalOptions) -> dict[str, Any]:
        from ._chat import instruction_last, messages_for, request_for

        messages = messages_for(prompt.messages, self._small_system)
        if self._small_system is None:
            return request_for(messages, options, prompt.schema)
        body = request_for(instruction_last(messages, self._small_system), options, prompt.schema)
        return {"repeat_penalty": _SMALL_REPEAT_PENALTY, **body}

    def _path(self) -> Path:
        file = assets().get(self._asset)
        if file is None:
            raise ModelError(f"The data file of '{self.model_id}' is not here; `llm local pull` fetches it.")
        return file.path

    def _note_reading(self, event: Reading, options: LocalOptions, response: Response) -> None:
        if event.total > options.context - min(options.max_tokens, _LEAST_ANSWER_TOKENS):
            raise self._too_long(event.total, options)
        to_read = event.total - event.cached
        if to_read > _LONG_PROMPT_TOKENS:
            if event.done == event.cached:
                response.note("info", f"Reading a prompt of {event.total:,} tokens; that takes a moment.")
            response.progress(event.done - event.cached, to_read, "reading the prompt")

    def _note_end(self, event: Done, prompt: Prompt, response: Response) -> None:
        response.set_usage(
            input=event.prompt_tokens, output=event.answer_tokens, cached_input=event.cached_tokens or None
        )
        response.set_resolved_model(self._path().stem)
        speed = event.timings.get("predicted_per_second")
        if speed:
            response.response_json = {"tokens_per_second": round(float(speed), 1)}
        if event.finish == "length":
            response.set_finish_reason("length")
            if prompt.schema is not None:
                response.note(
                    "warning",
                    f"The JSON is cut off after {event.answer_tokens} tokens; `-o max_tokens` allows more.",
                )

    def _too_long(self, tokens: int, options: LocalOptions) -> ContextTooLong:
        room = options.context - min(options.max_tokens, _LEAST_ANSWER_TOKENS)
        needed = -(-(tokens + min(options.max_tokens, _LEAST_ANSWER_TOKENS)) // 1024) * 1024
        if self.context_tokens is None or needed <= self.context_tokens:
            advice = f"shorten it, or make room with `-o context {needed}` and some patience"
        else:
            advice = "shorten it, or use a larger model"
        return ContextTooLong(
            f"The prompt has {tokens:,} tokens and '{self.model_id}' takes {room:,} here; {advice}."
        )


def _joined(pieces: Iterator[str | StreamEvent]) -> Iterator[str | StreamEvent]:
    """Give the text in one piece, after all else."""
    texts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
        else:
            yield piece
    yield "".join(texts)


def _engine_for(path: Path, options: LocalOptions) -> Engine:
    """Return the model in memory, loading it unless the last prompt used the same."""
    from ._engine import Engine

    if _kept:
        engine = _kept[0]
        wanted = (path, options.context, options.threads)
        if (engine.path, engine.context, engine.threads) == wanted and not engine.is_stuck:
            return engine
        _kept.clear()  # before the next one is loaded, so that never two are in memory
        del engine
    _kept.append(Engine(path, context=options.context, threads=options.threads))
    return _kept[0]
