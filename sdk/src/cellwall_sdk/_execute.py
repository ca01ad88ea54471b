"""Runs one prompt: finds the model, checks the options, calls `execute`, and takes whatever it gives.

- a string is the answer;
- None says that the response was filled by its methods;
- a generator, or any iterable, of strings and StreamEvents is taken one by one, an async generator, too;
- a coroutine gives any of these.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._answer import Answer, a_kind, is_pieces
from ._context import context
from ._emit import Emitter
from ._options import parse_options
from ._prompt import Conversation, Prompt, read_messages
from ._response import Response, Running
from .errors import BadOutput

if TYPE_CHECKING:
    from cellwall_wire import PromptParams, PromptResult

    from ._call import Call
    from ._link import Link
    from ._registry import Registry

__all__ = ["run_prompt"]


def run_prompt(call: Call, link: Link, registry: Registry) -> PromptResult:
    """Run a prompt to its end.

    Args:
        call: the `model/prompt` call.
        link: where its items go.
        registry: the plugin's models.

    Returns:
        how it ended; all items have been sent.

    Raises:
        ModelError: it cannot be run, or the author's code says so.
        Cancelled: the host no longer wants the answer.
        BaseException: whatever else the author's code raises, SystemExit among it.
    """
    params: PromptParams = call.params
    offer = registry.find(params.model)
    model = offer.model
    options = parse_options(model.Options, params.options)
    prompt = Prompt(read_messages(params.messages, context.scratch), model, options, params)
    conversation = Conversation(prompt, params.conversation_id)
    emitter = Emitter(link, call, params.meta.credit or 0)
    call.emitter = emitter
    run = Running(call, link, emitter, Answer(emitter))
    stream = bool(params.stream and model.can_stream)
    response = Response(prompt, conversation, stream=stream, run=run)
    values: dict[str, Any] = {
        "prompt": prompt,
        "stream": stream,
        "response": response,
        "conversation": conversation,
    }
    if "key" in offer.binding.names:
        values["key"] = model.get_key()
    _take(call.run_author(offer.binding.call, model.execute, values), run)
    if not call.cancelled:
        run.answer.add_tool_calls(response.tool_calls())
    run.answer.end()
    emitter.flush()
    return response.result()


def _take(result: Any, run: Running) -> None:
    """Take what `execute` returned."""
    if result is None:
        return
    if isinstance(result, str):
        run.answer.put(result)
    elif hasattr(result, "__await__") or hasattr(result, "__aiter__"):
        from ._async import run_async

        run_async(result, run)
    elif is_pieces(result):
        _take_each(result, run)
    else:
        raise BadOutput(
            f"execute() returned {a_kind(result)}; it returns a str, yields str and StreamEvent, or returns "
            "nothing."
        )


_END = object()


def _take_each(pieces: Any, run: Running) -> None:
    call, emitter, put, put_text = run.call, run.emitter, run.answer.put, run.answer.put_text
    iterator = iter(pieces)
    try:
        while True:
            call.interruptible = True
            piece = next(iterator, _END)
            call.interruptible = False
            if type(piece) is str and piece:  # nearly always: spare it the questions
                put_text(piece)
            elif piece is _END:
                return
            else:
                put(piece)
            if emitter.full:
                emitter.wait_for_room()
    finally:
        call.interruptible = False
        _close(iterator, call)


def _close(iterator: Any, call: Call) -> None:
    """Let a generator that was left early run its `finally` blocks."""
    close = getattr(iterator, "close", None)
    if close is not None:
        with suppress(Exception):  # why it was left early is the news, not that it minds
            call.run_author(close)
