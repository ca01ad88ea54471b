"""Run a model in memory, for its author's tests: no process, no network, the real protocol on both sides.

    from cellwall_sdk.testing import run_model

    def test_it_shouts():
        assert run_model(Shout(), "hello") == "HELLO"

A test sees what a user would: options are strings that are checked, keys are asked for, the answer is what
came over the wire.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cellwall_wire as wire
from cellwall_wire import Code, Connection, ErrorInfo, ErrorResponse, Request, Response, Role

from ._context import context
from ._hooks import hookimpl
from ._link import Link
from ._load import Plugin
from ._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ._attachments import Attachment
    from ._models import Model
    from ._parts import Tool

__all__ = ["PromptFailed", "Reply", "run_model"]

MODEL_WINDOW_BYTES = 256 * 1024
"""The credit that a prompt starts with, as the real host grants it."""


class Reply(str):  # noqa: SLOT000 - it carries more than its text
    """A model's answer: the text itself, with all else that came.

    Attributes:
        reasoning: what the model thought.
        tool_calls: (name, arguments as JSON text) of each tool call.
        notes: remarks for the user.
        usage: tokens used, or None.
        finish: why the answer ended.
        result: the whole result, as it came over the wire.
        items: every item, as it came over the wire.
    """

    reasoning: str
    tool_calls: list[tuple[str, str]]
    notes: list[str]
    usage: wire.Usage | None
    finish: str
    result: wire.PromptResult
    items: list[Any]

    @property
    def text(self) -> str:
        """The answer as a plain string."""
        return str(self)


class PromptFailed(Exception):
    """Raised when the model fails; the text is what the user would read.

    Args:
        info: the error as it came over the wire.
        text: what the model had answered before.
    """

    def __init__(self, info: ErrorInfo, text: str) -> None:
        super().__init__(info.message)
        self.info = info
        self.kind = info.kind
        self.text = text
        detail = info.data.detail if info.data is not None else None
        if detail and detail.get("traceback"):
            self.add_note(str(detail["traceback"]))


def run_model(  # noqa: PLR0913 - all but two are keywords, one for each thing a user can give
    model: Model,
    prompt: str = "",
    *,
    system: str | None = None,
    history: Sequence[tuple[str, str]] = (),
    attachments: Sequence[Attachment] = (),
    schema: dict[str, Any] | None = None,
    tools: Sequence[Tool] = (),
    stream: bool = True,
    keys: Mapping[str, str] | None = None,
    assets: Mapping[str, str | Path] | None = None,
    **options: Any,
) -> Reply:
    """Ask a model, in memory.

    Args:
        model: the model.
        prompt: what the user says.
        system: the system prompt.
        history: earlier turns, (prompt, answer) each.
        attachments: files that come with the prompt.
        schema: the JSON Schema that the answer must follow.
        tools: tools that the model may ask for.
        stream: whether pieces are wanted as they come.
        keys: the user's API keys, by alias.
        assets: the model's data files, by name.
        options: the model's options; strings are checked as those of a user are.

    Returns:
        the answer.

    Raises:
        PromptFailed: the model could not be described or run.
    """
    messages = _chain(prompt, system, history, attachments)
    params = wire.PromptParams(
        model=getattr(model, "model_id", ""),
        messages=messages,
        options=dict(options),
        tools=[
            wire.ToolInfo(name=t.name, description=t.description, input_schema=t.input_schema) for t in tools
        ],
        schema=schema,
        stream=stream,
        meta=wire.Meta(credit=MODEL_WINDOW_BYTES),
    )
    before = context.told, context.ask_key
    try:
        with TemporaryDirectory(prefix="cellwall-test-") as folder:
            host = _Host(model, folder, keys or {}, assets or {})
            return host.ask(params)
    finally:
        context.told, context.ask_key = before


class _OneModel:
    """A plugin that offers one model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @hookimpl
    def register_models(self, register: Callable[[Model], None]) -> None:
        register(self._model)


class _Host:
    """The other side: a host that lives in the same thread and answers at once."""

    def __init__(
        self, model: Model, folder: str, keys: Mapping[str, str], assets: Mapping[str, str | Path]
    ) -> None:
        self._connection = Connection(Role.HOST)
        self._keys = keys
        self._answers: dict[str, Response | ErrorResponse] = {}
        self._items: list[Any] = []
        link = Link(Connection(Role.PLUGIN), self)
        self._session = Session(link, lambda: Plugin("model", _OneModel(model), ()))
        limits = self._connection.limits
        hello = wire.InitializeParams(
            protocols=list(wire.SUPPORTED),
            host=wire.Peer(name="cellwall-testing"),
            plugin=wire.PluginIdentity(name="model"),
            limits=wire.WireLimits(line=limits.line, data_line=limits.data_line),
            dirs=wire.Dirs(data=folder, scratch=folder),
            assets={name: wire.AssetFile(path=str(path)) for name, path in assets.items()},
        )
        self._call("initialize", hello)

    def ask(self, params: wire.PromptParams) -> Reply:
        """Describe the plugin, as the real host would have, and send it a prompt."""
        self._call("plugin/describe", wire.DescribeParams())
        result = self._call("model/prompt", params)
        reply = Reply(self._text("text"))
        reply.reasoning = self._text("reasoning")
        reply.tool_calls = self._tool_calls()
        reply.notes = [item.text for item in self._items if isinstance(item, wire.Note)]
        reply.usage, reply.finish, reply.result = result.usage, result.finish, result
        reply.items = self._items
        return reply

    def _call(self, method: str, params: wire.Params) -> Any:
        request = Request(self._connection.next_id(), method, params)
        self._session.feed(self._connection.send(request))
        self._session.serve_waiting()
        answer = self._answers.pop(request.id)
        if isinstance(answer, ErrorResponse):
            raise PromptFailed(answer.error, self._text("text"))
        return answer.result

    # -- what a Link writes to -------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Take in what the plugin writes, and react."""
        self._connection.receive(data)
        while (event := self._connection.next_event()) is not wire.NEED_DATA:
            self._react(event)

    def write_some(self, data: bytes) -> bytes:
        """Take in all of it: there is no pipe that could be full."""
        self.write(data)
        return b""

    def _react(self, event: wire.Event) -> None:
        if isinstance(event, wire.Data):
            self._items.extend(event.items)
            self._session.feed(self._connection.send(wire.Credit(event.id, event.cost)))
        elif isinstance(event, Response | ErrorResponse):
            self._answers[event.id or ""] = event
        elif isinstance(event, wire.Refused):
            self._session.feed(self._connection.send(event.answer))
        elif isinstance(event, Request):
            self._session.feed(self._connection.send(self._answer(event)))

    def _answer(self, request: Request) -> Response | ErrorResponse:
        if not isinstance(request.params, wire.KeysGetParams):
            return Response(request.id, wire.Empty())
        alias = request.params.alias
        if alias in self._keys:
            return Response(request.id, wire.KeysGetResult(value=self._keys[alias]))
        info = ErrorInfo.of(
            Code.KEY_MISSING, f"No key '{alias}' was given to run_model().", hint=f"keys={{'{alias}': …}}"
        )
        return ErrorResponse(request.id, info)

    def _text(self, kind: str) -> str:
        parts = {item.part for item in self._items if isinstance(item, wire.PartStart) and item.type == kind}
        return "".join(
            item.text for item in self._items if isinstance(item, wire.Delta) and item.part in parts
        )

    def _tool_calls(self) -> list[tuple[str, str]]:
        arguments: dict[int, str] = {}
        names: dict[int, str] = {}
        for item in self._items:
            if isinstance(item, wire.PartStart) and item.type == "tool_call":
                names[item.part], arguments[item.part] = item.name or "", ""
            elif isinstance(item, wire.Args):
                arguments[item.part] += item.json
        return [(names[part], arguments[part]) for part in names]


def _chain(
    prompt: str, system: str | None, history: Sequence[tuple[str, str]], attachments: Sequence[Attachment]
) -> list[wire.Message]:
    messages: list[wire.Message] = []
    if system is not None:
        messages.append(wire.Message(role="system", parts=[wire.TextPart(text=system)]))
    for asked, answered in history:
        messages.append(wire.Message(role="user", parts=[wire.TextPart(text=asked)]))
        messages.append(wire.Message(role="assistant", parts=[wire.TextPart(text=answered)]))
    parts: list[wire.Part] = [wire.TextPart(text=prompt)] if prompt else []
    for file in attachments:
        data = None if file.url else file.base64_content()
        parts.append(wire.AttachmentPart(media_type=file.type, data=data, url=file.url, name=file.name))
    messages.append(wire.Message(role="user", parts=parts))
    return messages
