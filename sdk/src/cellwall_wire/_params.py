"""What stands in `params` and `result`: one type for each method and notification.

All types ignore members they do not know, so that a newer peer can add some [P-13].
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._content import Message, Usage

__all__ = [
    "AssetFile",
    "CancelParams",
    "CreditParams",
    "DataParams",
    "DescribeParams",
    "DescribeResult",
    "Dirs",
    "EmbedderInfo",
    "Empty",
    "HookInfo",
    "InitializeParams",
    "InitializeResult",
    "KeyNeed",
    "KeysGetParams",
    "KeysGetResult",
    "LoadError",
    "Meta",
    "ModelInfo",
    "ModelLimits",
    "Params",
    "Peer",
    "PingParams",
    "PluginIdentity",
    "PluginLimits",
    "ProgressParams",
    "PromptParams",
    "PromptResult",
    "ShutdownParams",
    "Supports",
    "ToolInfo",
    "WireLimits",
]


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may stand in `params.meta` of every request.

    Attributes:
        parent: the id of the host's open call on whose behalf a plugin calls; mandatory from plugin to host.
        timeout_ms: how long the caller will wait in all, in milliseconds; kept by the caller.
        idle_ms: how long the caller will wait between two items, in milliseconds.
        credit: how many bytes of `$/data` lines the callee may send before it is granted more.
        traceparent: a W3C trace context, passed on unread.
        idempotent: the caller may repeat this call.
    """

    parent: str | None = None
    timeout_ms: int | None = None
    idle_ms: int | None = None
    credit: int | None = None
    traceparent: str | None = None
    idempotent: bool = False


NO_META = Meta()


class Params(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all parameter types: every one may carry `meta`."""

    meta: Meta = NO_META


class _Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Empty(_Data, frozen=True):
    """A result without members."""


class Peer(_Data, frozen=True):
    """The name and version of a program."""

    name: str
    version: str = ""


class PluginIdentity(_Data, frozen=True):
    """Who the host thinks the plugin is: entry-point name, distribution, version."""

    name: str
    dist: str | None = None
    version: str | None = None


class WireLimits(_Data, frozen=True):
    """What the host accepts: bytes of a line, bytes of a data line, open calls, depth of nested calls."""

    line: int
    data_line: int
    inflight: int = 64
    depth: int = 8


class Dirs(_Data, frozen=True):
    """Folders of the plugin's own: `data` is kept, `scratch` is emptied between runs."""

    data: str
    scratch: str


class AssetFile(_Data, frozen=True):
    """A data file that the host fetched, or that the user added, for reading only."""

    path: str
    sha256: str | None = None
    title: str | None = None
    user: bool = False


class InitializeParams(Params, frozen=True, kw_only=True):
    """The first message; the shape of `protocols` and `host` is frozen for all majors [P-31]."""

    protocols: list[int]
    host: Peer
    plugin: PluginIdentity
    limits: WireLimits
    dirs: Dirs
    features: dict[str, dict[str, Any]] = {}
    assets: dict[str, AssetFile] = {}
    locale: str | None = None


class FrozenRequest(_Data, frozen=True):
    """All that is read of the first message of majors that this side does not speak [P-31]."""

    protocols: list[int]


class FrozenResult(_Data, frozen=True):
    """All that is read of the answer to it of a major that was not offered [P-31]."""

    protocol: int


class PluginLimits(_Data, frozen=True):
    """How many calls the plugin runs at once, and whether it may be called again while it calls the host."""

    concurrency: int = 1
    reentrant: bool = False


class LoadError(_Data, frozen=True):
    """Why the plugin's own code could not be imported; `file` and `line` are the innermost place in it."""

    type: str
    message: str
    file: str | None = None
    line: int | None = None
    traceback: str = ""


class InitializeResult(_Data, frozen=True):
    """The answer to the first message."""

    protocol: int
    plugin: Peer
    sdk: Peer | None = None
    features: dict[str, dict[str, Any]] = {}
    limits: PluginLimits = PluginLimits()
    needs_shutdown: bool = False
    load_error: LoadError | None = None


class DescribeParams(Params, frozen=True, kw_only=True):
    """Ask a plugin what it contributes."""


class Supports(_Data, frozen=True):
    """What a model can do; absent means no, except that every model takes a conversation's text."""

    stream: bool = False
    tools: bool = False
    schema: bool = False
    reasoning: bool = False
    system: bool = False
    conversation: bool = True


class KeyNeed(_Data, frozen=True):
    """The key a model uses: its alias in the user's key store and the variable that may hold it instead."""

    alias: str
    env: str | None = None
    required: bool = True


class ModelLimits(_Data, frozen=True):
    """Tokens a model reads (`context`) and writes (`output`) at most."""

    context: int | None = None
    output: int | None = None


class ModelInfo(_Data, frozen=True):
    """A model as the host lists it; `input` holds media types, `*/*` and `image/*` among them."""

    id: str
    aliases: list[str] = []
    title: str | None = None
    input: list[str] = []
    supports: Supports = Supports()
    options_schema: dict[str, Any] = {}
    key: KeyNeed | None = None
    limits: ModelLimits | None = None
    assets: list[str] = []
    default: bool = False
    deprecated: str | None = None


class HookInfo(_Data, frozen=True):
    """An implementation of a hook: the hook's name, the implementation's, and the arguments it takes."""

    hook: str
    impl: str
    args: list[str] = []


class EmbedderInfo(_Data, frozen=True):
    """An embedding model as the host lists it; `input` holds the media types of files that it embeds."""

    id: str
    aliases: list[str] = []
    title: str | None = None
    dimensions: int | None = None
    input: list[str] = []
    key: KeyNeed | None = None
    assets: list[str] = []
    deprecated: str | None = None


class DescribeResult(_Data, frozen=True):
    """What a plugin contributes; `digest` changes when any of it changes, `ttl_ms` says how long it holds."""

    digest: str
    ttl_ms: int | None = None
    models: list[ModelInfo] = []
    embedders: list[EmbedderInfo] = []
    hooks: list[HookInfo] = []
    notes: list[str] = []


class ToolInfo(_Data, frozen=True):
    """A tool that a model may call."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}


class PromptParams(Params, frozen=True, kw_only=True):
    """A prompt: the whole chain of messages, the last one being the user's [P-61]."""

    model: str
    messages: list[Message]
    options: dict[str, str | bool | int | float | None] = {}
    tools: list[ToolInfo] = []
    tool_choice: str | None = None
    schema: dict[str, Any] | None = None
    stream: bool = True
    conversation_id: str | None = None
    hide_reasoning: bool = False


class PromptResult(_Data, frozen=True):
    """How an answer ended; the answer itself is what the items said.

    Attributes:
        finish: stop, length, tool_calls, refusal, filtered or cancelled; an open set [P-13].
        items: how many items were sent; Connection fills it in.
        usage: what the call used, if no `usage` item said it.
        model_resolved: the provider's own name of the model that answered.
        provider: opaque data, kept with the answer.
    """

    finish: str = "stop"
    items: int = 0
    usage: Usage | None = None
    model_resolved: str | None = None
    provider: dict[str, Any] | None = None


class KeysGetParams(Params, frozen=True, kw_only=True):
    """Ask the host for an API key that the plugin declared."""

    alias: str


class KeysGetResult(_Data, frozen=True):
    """The key itself. It is never written to a trace or a log."""

    value: str

    def __repr__(self) -> str:
        """Hide the key."""
        return "KeysGetResult(value=…)"


class ShutdownParams(Params, frozen=True, kw_only=True):
    """Ask the plugin to finish within `grace_ms` milliseconds."""

    reason: str = ""
    grace_ms: int = 2000


class CancelParams(_Data, frozen=True):
    """`$/cancel`: the caller no longer wants the answer; it is still answered."""

    id: str
    reason: str = ""


class CreditParams(_Data, frozen=True):
    """`$/credit`: the producer may send `n` more bytes of `$/data` lines."""

    id: str
    n: int


class ProgressParams(_Data, frozen=True):
    """`$/progress`: how far a call is; at most ten a second."""

    id: str
    done: float | None = None
    total: float | None = None
    message: str | None = None


class DataParams(msgspec.Struct, frozen=True):
    """`$/data`: the next items of a streaming answer or input; `end` says that an input has no more."""

    id: str
    seq: int
    items: msgspec.Raw
    end: bool = False


class PingParams(Params, frozen=True, kw_only=True):
    """Ask whether the other side still reads."""
