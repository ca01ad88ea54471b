"""A plugin under test: start it in one of three ways, ask it, look at what came."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import msgspec

import cellwall_wire as wire

from ._answers import Reply, failed
from ._host import Host
from ._services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from cellwall_sdk._attachments import Attachment
    from cellwall_sdk._parts import Tool

    from ._answers import Running
    from ._recording import Tape
    from ._transport import Transport

__all__ = ["PluginUnderTest", "chain"]

TIMEOUT_S = 30.0
"""How long one answer may take unless a test says otherwise, in seconds."""

WINDOW_BYTES = wire.Limits().window
"""The credit that a prompt starts with, as the real host grants it."""

LEAST_CREDIT_BYTES = 512
"""With less, a plugin may have no line that it could send."""


class PluginUnderTest:
    """A plugin under test. It is started when it is first asked, and again after it has ended.

    Args:
        make: makes the way to the plugin, given an empty folder.
        name: the plugin's name.
        keys: the user's API keys, by alias.
        answers: what answers its other calls, by method: a value, or a function of the parameters.
        assets: its data files, by name.
        timeout_s: how long one answer may take, in seconds; None for ever.
        tape: what records the conversation; None if nobody does.
    """

    def __init__(
        self,
        make: Callable[[Path], Transport],
        *,
        name: str = "plugin",
        keys: Mapping[str, str] | None = None,
        answers: Mapping[str, Any] | None = None,
        assets: Mapping[str, str | Path] | None = None,
        timeout_s: float | None = TIMEOUT_S,
        tape: Tape | None = None,
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self._make = make
        self._services = Services(keys or {}, answers or {})
        self._assets = dict(assets or {})
        self._tape = tape
        self._host: Host | None = None
        self._told: wire.InitializeResult | None = None
        self._described: wire.DescribeResult | None = None
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- asking ----------------------------------------------------------------------------------------------

    def prompt(  # noqa: PLR0913 - all but one are keywords, one for each thing a user can give
        self,
        text: str = "",
        *,
        model: str | None = None,
        system: str | None = None,
        history: Sequence[tuple[str, str] | wire.Message] = (),
        attachments: Sequence[Attachment] = (),
        schema: dict[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        options: Mapping[str, Any] | None = None,
        stream: bool = True,
        keys: Mapping[str, str] | None = None,
        answers: Mapping[str, Any] | None = None,
        credit: int = WINDOW_BYTES,
        watch: Callable[[Running], object] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Ask a model.

        Args:
            text: what the user says.
            model: its id or alias; None for the plugin's default, or its first.
            system: the system prompt.
            history: earlier turns: (prompt, answer) each, or messages of any kind.
            attachments: files that come with the prompt.
            schema: the JSON Schema that the answer must follow.
            tools: tools that the model may ask for.
            options: the model's options; strings are checked as those of a user are.
            stream: whether pieces are wanted as they come.
            keys: API keys beside those of the plugin under test.
            answers: what answers the plugin's calls, likewise.
            credit: how many bytes may be under way; a small number makes a slow consumer.
            watch: called after each group of items with the answer so far; it may cancel.
            timeout_s: how long the answer may take, in seconds.

        Returns:
            the answer.

        Raises:
            PromptFailed: there is none; its `kind` says why.
        """
        __tracebackhide__ = True  # a failure is shown where the test asked
        if credit < LEAST_CREDIT_BYTES:
            raise ValueError(f"credit={credit} is too little for any line; grant {LEAST_CREDIT_BYTES}")
        params = wire.PromptParams(
            model=model or self.default_model(),
            messages=chain(text, system, history, attachments),
            options=dict(options or {}),
            tools=[
                wire.ToolInfo(name=t.name, description=t.description, input_schema=t.input_schema)
                for t in tools
            ],
            schema=schema,
            stream=stream,
            meta=wire.Meta(credit=credit),
        )
        result, items = self._call(
            "model/prompt", params, keys=keys, answers=answers, watch=watch, timeout_s=timeout_s
        )
        return Reply.of(items, result)

    def embed(
        self,
        texts: Iterable[str],
        *,
        model: str,
        dimensions: int | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> list[tuple[float, ...]]:
        """Turn texts into vectors.

        Raises:
            PromptFailed: the model failed, or a text could not be embedded.
        """
        __tracebackhide__ = True
        feed = [wire.EmbedText(str(number), text) for number, text in enumerate(texts)]
        params = wire.EmbedParams(model=model, dimensions=dimensions, meta=wire.Meta(credit=WINDOW_BYTES))
        _, items = self._call("embed/batch", params, keys=keys, feed=feed)
        vectors: dict[str, tuple[float, ...]] = {}
        for item in items:
            if isinstance(item, wire.VectorFailure):
                raise failed(wire.Code.PROVIDER_ERROR, f"text {item.id} cannot be embedded: {item.message}")
            vectors[item.id] = _floats(item.vector)
        return [vectors[each.id] for each in feed]

    def describe(self) -> wire.DescribeResult:
        """Ask what the plugin offers.

        Raises:
            PromptFailed: it does not say.
        """
        __tracebackhide__ = True
        result, _ = self._call("plugin/describe", wire.DescribeParams())
        described: wire.DescribeResult = result
        self._described = described
        return described

    def default_model(self) -> str:
        """Give the id of the model that is asked when none is named."""
        __tracebackhide__ = True
        described = self._described or self.describe()
        if not described.models:
            raise ValueError(f"the plugin {self.name} offers no model")
        return next((model.id for model in described.models if model.default), described.models[0].id)

    @property
    def asked(self) -> list[tuple[str, Any]]:
        """The plugin's calls to its host so far: (method, parameters) each."""
        return self._services.asked

    @property
    def stored(self) -> dict[str, Any]:
        """What the plugin keeps in its host's store; a test may put something there."""
        return self._services.stored

    @property
    def transport(self) -> str:
        """memory, child or recorded."""
        return self._running().transport.name

    @property
    def printed(self) -> str:
        """The last of what the plugin printed, unless it was printed here."""
        return self._host.transport.printed() if self._host is not None else ""

    def close(self) -> None:
        """Let the plugin end; nothing of it is left."""
        host, self._host = self._host, None
        if host is not None:
            try:
                if self._told is not None and self._told.needs_shutdown and not host.is_over:
                    host.call("shutdown", wire.ShutdownParams(), timeout_s=self.timeout_s)
            finally:
                host.transport.end()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    # -- running ---------------------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        params: wire.Params,
        *,
        keys: Mapping[str, str] | None = None,
        answers: Mapping[str, Any] | None = None,
        watch: Callable[[Running], object] | None = None,
        feed: list[Any] | None = None,
        timeout_s: float | None = None,
    ) -> tuple[Any, list[Any]]:
        __tracebackhide__ = True
        host = self._running()
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        if limit_s is not None:
            meta = msgspec.structs.replace(params.meta, timeout_ms=round(limit_s * 1000))
            params = msgspec.structs.replace(params, meta=meta)
        host.services = self._services.copy_with(keys or {}, answers or {})
        if self._tape is not None:
            self._tape.hide(host.services.keys.values())
        return host.call(method, params, timeout_s=limit_s, watch=watch, feed=feed)

    def _running(self) -> Host:
        """Give the plugin's host; the plugin is started if it is not there."""
        __tracebackhide__ = True
        if self._host is not None and not self._host.is_over:
            self._refuse_unloaded()
            return self._host
        self.close()
        self._folder = TemporaryDirectory(prefix="cellwall-test-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        data, scratch = folder / "data", folder / "tmp"
        data.mkdir()
        scratch.mkdir()
        recorder = None if self._tape is None else self._tape.recorder()
        try:
            host = Host(self._make(data), self._services, recorder)
        except OSError as error:
            raise failed(
                wire.Code.SPAWN_FAILED, f"The plugin cannot be started: {error.strerror}: {error.filename}."
            ) from error
        self._host = host
        self._told, _ = host.call("initialize", self._hello(data, scratch), timeout_s=self.timeout_s)
        self._refuse_unloaded()
        return host

    def _hello(self, data: Path, scratch: Path) -> wire.InitializeParams:
        limits = wire.Limits()
        return wire.InitializeParams(
            protocols=list(wire.SUPPORTED),
            host=wire.Peer(name="cellwall-testing"),
            plugin=wire.PluginIdentity(name=self.name),
            limits=wire.WireLimits(line=limits.line, data_line=limits.data_line),
            dirs=wire.Dirs(data=str(data), scratch=str(scratch)),
            assets={name: wire.AssetFile(path=str(path)) for name, path in self._assets.items()},
        )

    def _refuse_unloaded(self) -> None:
        """Raise what went wrong when the plugin was imported.

        Raises:
            PromptFailed: something did.
        """
        __tracebackhide__ = True
        problem = self._told.load_error if self._told is not None else None
        if problem is not None:
            error = failed(wire.Code.PROVIDER_ERROR, f"The plugin cannot be loaded: {problem.message}")
            if problem.traceback:
                error.add_note(problem.traceback)
            raise error


def chain(
    prompt: str,
    system: str | None,
    history: Sequence[tuple[str, str] | wire.Message],
    attachments: Sequence[Attachment],
) -> list[wire.Message]:
    """Make the messages of a conversation.

    Args:
        prompt: what the user says now.
        system: the system prompt.
        history: earlier turns.
        attachments: files that come with the prompt.
    """
    messages: list[wire.Message] = []
    if system is not None:
        messages.append(wire.Message(role="system", parts=[wire.TextPart(text=system)]))
    for turn in history:
        if isinstance(turn, wire.Message):
            messages.append(turn)
            continue
        asked, answered = turn
        messages.append(wire.Message(role="user", parts=[wire.TextPart(text=asked)]))
        messages.append(wire.Message(role="assistant", parts=[wire.TextPart(text=answered)]))
    parts: list[wire.Part] = [wire.TextPart(text=prompt)] if prompt else []
    for file in attachments:
        data = None if file.url else file.base64_content()
        parts.append(wire.AttachmentPart(media_type=file.type, data=data, url=file.url, name=file.name))
    messages.append(wire.Message(role="user", parts=parts))
    return messages


def _floats(encoded: str) -> tuple[float, ...]:
    from base64 import b64decode
    from struct import unpack

    content = b64decode(encoded, validate=True)
    return unpack(f"<{len(content) // 4}f", content)
