"""The echo models: one, the same as `async`, and one that needs an API key."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from cellwall_sdk import AsyncModel, BadOptions, KeyModel, Model, StreamEvent, ToolCall, get_key

from ._misbehave import misbehave, misbehave_first
from ._options import EchoOptions
from ._show import show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cellwall_sdk import Conversation, Prompt, Response

__all__ = ["AsyncEcho", "Echo", "KeyedEcho"]


class Echo(Model):
    """Answers with what it was asked."""

    model_id = "echo"
    title = "Echo: answers with what it was asked"
    attachment_types = ("*/*",)
    supports_schema = True
    supports_tools = True
    supports_reasoning = True

    class Options(EchoOptions):
        """See `_options`."""

    def execute(
        self, prompt: Prompt, response: Response, conversation: Conversation
    ) -> Iterator[str | StreamEvent]:
        """Answer, in as many pieces and with as much trouble as the options ask for."""
        options: EchoOptions = prompt.options
        misbehave_first(options)
        if options.reasoning is not None:
            yield StreamEvent("reasoning", options.reasoning)
        answer = show(prompt, conversation)
        if options.ask_key is not None:
            answer = f"{answer}\nkey: {get_key(options.ask_key)}"
        for _ in range(options.repeat):
            if options.delay:
                time.sleep(options.delay)
            yield answer
        _report(answer, options, response)
        yield from misbehave(options)


class AsyncEcho(AsyncModel):
    """Does the same on an event loop."""

    model_id = "echo-async"
    title = "Echo, written with async"
    attachment_types = ("*/*",)
    supports_schema = True
    supports_tools = True

    class Options(EchoOptions):
        """See `_options`."""

    async def execute(
        self, prompt: Prompt, response: Response, conversation: Conversation
    ) -> AsyncIterator[str | StreamEvent]:
        """Answer, in as many pieces and with as much trouble as the options ask for."""
        from asyncio import sleep

        options: EchoOptions = prompt.options
        misbehave_first(options)
        if options.reasoning is not None:
            yield StreamEvent("reasoning", options.reasoning)
        answer = show(prompt, conversation)
        for _ in range(options.repeat):
            if options.delay:
                await sleep(options.delay)
            yield answer
        _report(answer, options, response)
        if options.hang == "sleep":
            await sleep(3600)
        for piece in misbehave(options):
            yield piece


class KeyedEcho(KeyModel):
    """Needs an API key and says how long it is, never what it is."""

    model_id = "echo-needs-key"
    title = "Echo with an API key, for trying out keys"
    needs_key = "echo"
    key_env_var = "CELLWALL_ECHO_KEY"

    def execute(self, prompt: Prompt, key: str) -> str:
        """Answer with the prompt and the length of the key."""
        return f"{prompt.prompt} (with a key of {len(key)} characters)"


def _report(answer: str, options: EchoOptions, response: Response) -> None:
    """Say what the options ask for beside the answer."""
    if options.tool_call is not None:
        response.add_tool_call(_tool_call(options.tool_call))
    if options.note is not None:
        response.note("info", options.note)
    if options.usage:
        response.set_usage(
            input=len(response.prompt.prompt.split()), output=options.repeat * len(answer.split())
        )
    if options.finish is not None:
        response.set_finish_reason(options.finish)


def _tool_call(text: str) -> ToolCall:
    if not text.lstrip().startswith("{"):
        return ToolCall(text, {})
    try:
        wish: dict[str, Any] = json.loads(text)
        return ToolCall(str(wish["name"]), dict(wish.get("arguments", {})), wish.get("id"))
    except (ValueError, KeyError, TypeError) as error:
        raise BadOptions('tool_call: this is not a name or {"name": …, "arguments": {…}}') from error
