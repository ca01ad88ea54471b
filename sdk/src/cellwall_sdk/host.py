"""What a plugin may ask its host for while it answers a call: prompts, questions, a store, a little patience.

    from cellwall_sdk import host

    host.store.set("seen", 3)
    summary = host.prompt("Summarize: " + text).text()
    if host.confirm("Send it?"): ...
    host.hold("the weights are loaded", 60)

Each function blocks the thread that calls it until the host has answered, and raises Cancelled when the call
that runs is cancelled meanwhile. `host.aio` has the same functions for `async` authors. `prompt` and the
questions need the user's grant: `host = ["prompt", "ask"]` under `[permissions]` in plugin.toml.

All of them raise ServiceError when the host refuses (its `reason` says why: NotGranted, Unavailable,
WouldDeadlock, TooDeep, BudgetExceeded, QuotaExceeded, and whatever a prompt fails with), and ModelError
outside of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_wire import (
    Args,
    AskParams,
    AttachmentPart,
    Code,
    Delta,
    HoldParams,
    HostPromptParams,
    Message,
    PartStart,
    StoreDeleteParams,
    StoreGetParams,
    StoreListParams,
    StoreSetParams,
    TextPart,
    UsageItem,
)

from ._context import context
from .errors import Cancelled, ModelError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from cellwall_wire import Part, PromptResult, Usage

    from ._asking import Asking
    from ._attachments import Attachment

__all__ = ["HostAnswer", "Store", "ask", "confirm", "hold", "prompt", "secret", "select", "store"]

PERSON_S = 24 * 3600.0
"""How long a person may think, in seconds; the host pauses the call's own time meanwhile."""


class HostAnswer:
    """The answer of a model that the host was asked to prompt: iterate over it, or ask for the whole text.

    Leaving the iteration early, or closing it, cancels the prompt.

    Attributes:
        usage: tokens used, as far as they are known by now.
        finish: why the answer ended; None before it has.
        model: the provider's own name of the model, once the answer has ended.
    """

    def __init__(self, params: HostPromptParams) -> None:
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.model: str | None = None
        self._kinds: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._arguments: dict[int, str] = {}
        self._text: list[str] = []
        self._pieces = self._stream(params)

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def text(self) -> str:
        """Wait for the end and give all of the text."""
        for _ in self._pieces:
            pass
        return "".join(self._text)

    def close(self) -> None:
        """Cancel the prompt, if it has not ended."""
        self._pieces.close()

    @property
    def tool_calls(self) -> list[tuple[str, str]]:
        """The tools that the model asked for: names and arguments as JSON text."""
        return [(name, self._arguments[part]) for part, name in self._names.items()]

    def _stream(self, params: HostPromptParams) -> Generator[str, None, None]:
        answers = _asking().stream("host/prompt", params)
        try:
            while True:
                try:
                    items = next(answers)
                except StopIteration as end:
                    self._note_end(end.value)
                    return
                for item in items:
                    piece = self._take(item)
                    if piece:
                        self._text.append(piece)
                        yield piece
        finally:
            answers.close()

    def _take(self, item: Any) -> str:
        """Note an item; gives the text that it adds to the answer."""
        if isinstance(item, Delta):
            return item.text if self._kinds.get(item.part, "text") == "text" else ""
        if isinstance(item, PartStart):
            self._kinds[item.part] = item.type
            if item.type == "tool_call":
                self._names[item.part], self._arguments[item.part] = item.name or "", ""
        elif isinstance(item, Args):
            self._arguments[item.part] = self._arguments.get(item.part, "") + item.json
        elif isinstance(item, UsageItem):
            self.usage = item.usage
        return ""

    def _note_end(self, result: PromptResult) -> None:
        self.finish, self.model = result.finish, result.model_resolved
        self.usage = self.usage or result.usage


def prompt(
    text: str,
    *,
    model: str | None = None,
    system: str | None = None,
    options: Mapping[str, str | bool | float | None] | None = None,
    schema: dict[str, Any] | None = None,
    attachments: Sequence[Attachment] = (),
) -> HostAnswer:
    """Run a prompt on any model that the user has; its plugin, keys and price are the user's.

    Args:
        text: the prompt.
        model: id or alias; None for the user's default model.
        system: the system prompt.
        options: the model's options.
        schema: a JSON Schema that the answer shall follow.
        attachments: files for the model.

    Returns:
        the answer, which runs while one iterates over it.
    """
    messages = [Message(role="system", parts=[TextPart(text=system)])] if system is not None else []
    parts: list[Part] = [TextPart(text=text)]
    for file in attachments:
        data = None if file.url else file.base64_content()
        parts.append(AttachmentPart(media_type=file.type, data=data, url=file.url, name=file.name))
    messages.append(Message(role="user", parts=parts))
    return HostAnswer(
        HostPromptParams(messages=messages, model=model, options=dict(options or {}), schema=schema)
    )


# -- questions -----------------------------------------------------------------------------------------------


def ask(message: str, *, default: str | None = None) -> str | None:
    """Ask the user for a line of text.

    Args:
        message: the question.
        default: what an empty answer stands for.

    Returns:
        the text; None if the user declined.

    Raises:
        Cancelled: the user wants to stop.
        ServiceError: there is nobody to ask ("Unavailable"), or the user has not granted questions.
    """
    return _text(_answer("text", message, default=default))


def secret(message: str) -> str | None:
    """Ask the user for something that is not shown while it is typed; else as ask()."""
    return _text(_answer("secret", message))


def select(message: str, choices: Sequence[str], *, default: str | None = None) -> str | None:
    """Let the user choose one of `choices`; else as ask()."""
    return _text(_answer("select", message, choices=list(choices), default=default))


def confirm(message: str, *, default: bool = False) -> bool:
    """Ask the user a yes-or-no question; a declined one is a no. Else as ask()."""
    return _answer("confirm", message, default=default) is True


def _answer(
    kind: str, message: str, *, choices: list[str] | None = None, default: str | bool | None = None
) -> str | bool | None:
    params = AskParams(kind=kind, message=message, choices=choices or [], default=default)
    answer = _asking().ask("user/ask", params, wait_s=PERSON_S)
    if answer.action == "cancel":
        raise Cancelled("the user does not want to go on")
    if answer.action == "unavailable":
        raise ServiceError("There is nobody to ask.", reason=Code.UNAVAILABLE.kind)
    value: str | bool | None = answer.value
    return value if answer.action == "accept" else None


def _text(value: str | bool | None) -> str | None:
    return None if value is None else str(value)


# -- store and hold ------------------------------------------------------------------------------------------


class Store:
    """JSON values that the host keeps for the plugin, across its processes; no other plugin sees them."""

    def get(self, key: str, default: Any = None) -> Any:
        """Give the value of a key, or `default` where there is none."""
        result = _asking().ask("store/get", StoreGetParams(key=key))
        return result.value if result.found else default

    def set(self, key: str, value: Any) -> None:
        """Keep a value: anything that JSON can say, up to 1 MiB; the key has at most 512 bytes."""
        _asking().ask("store/set", StoreSetParams(key=key, value=value))

    def delete(self, key: str) -> None:
        """Forget a key; one that is not there is no error."""
        _asking().ask("store/delete", StoreDeleteParams(key=key))

    def keys(self, prefix: str = "") -> list[str]:
        """List the keys that begin with `prefix`, sorted."""
        found: list[str] = _asking().ask("store/list", StoreListParams(prefix=prefix)).keys
        return found


store = Store()
"""The plugin's store."""


def hold(reason: str, seconds: float) -> float:
    """Ask the host not to stop this process while it is idle, for instance because a model is loaded.

    Args:
        reason: for the user, who sees it in `llm plugins list`.
        seconds: how long from now; 0 ends a hold.

    Returns:
        how long the host will wait, in seconds; 0 if it will not.
    """
    params = HoldParams(reason=reason, max_ms=max(0, round(seconds * 1000)))
    granted: int = _asking().ask("plugin/hold", params).granted_ms
    return granted / 1000


def _asking() -> Asking:
    if context.asking is None:
        raise ModelError("The host can be asked only inside a plugin that Cellwall runs.")
    return context.asking


def __getattr__(name: str) -> Any:
    """Load `aio` when it is first used: only `async` authors pay for asyncio."""
    if name == "aio":
        from . import _host_aio

        return _host_aio
    raise AttributeError(f"cellwall_sdk.host has no '{name}'")
