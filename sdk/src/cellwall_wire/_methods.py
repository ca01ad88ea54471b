"""Every method: its parameters, its result, who may call it, and whether its answer streams.

`METHODS` is the table that Connection, the JSON Schema and the pages of `protocol.md` are made from.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from ._content import Item
from ._embedding import EmbedInput, EmbedItem, EmbedParams, EmbedResult
from ._params import (
    DescribeParams,
    DescribeResult,
    Empty,
    InitializeParams,
    InitializeResult,
    KeysGetParams,
    KeysGetResult,
    Params,
    PingParams,
    PromptParams,
    PromptResult,
    ShutdownParams,
)
from ._service_params import (
    AskParams,
    AskResult,
    HoldParams,
    HoldResult,
    HostPromptParams,
    StoreDeleteParams,
    StoreGetParams,
    StoreGetResult,
    StoreListParams,
    StoreListResult,
    StoreSetParams,
)

__all__ = ["METHODS", "Method", "Role"]


class Role(enum.Enum):
    """Which side of the connection one is on."""

    __hash__ = object.__hash__

    HOST = "host"
    PLUGIN = "plugin"

    @property
    def other(self) -> Role:
        """The side one talks to."""
        return Role.PLUGIN if self is Role.HOST else Role.HOST

    @property
    def id_prefix(self) -> str:
        """The letter that the ids of this side's requests begin with [P-21]."""
        return "h" if self is Role.HOST else "p"


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the method table.

    Attributes:
        name: the method on the wire.
        caller: the side that may call it; None means either.
        params: the type of its parameters.
        result: the type of its result.
        item: the union of the items its answer streams; None when it does not stream.
        input: the union of the items that its caller streams; None when it takes none.
        repeatable: whether calling it twice does no harm.
        errors: the kinds of error it is expected to end with, beside the general ones.
        summary: one sentence for the documentation.
    """

    name: str
    caller: Role | None
    params: type[Params]
    result: type[msgspec.Struct]
    item: Any = None
    input: Any = None
    repeatable: bool = False
    errors: tuple[str, ...] = ()
    summary: str


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="initialize",
            caller=Role.HOST,
            params=InitializeParams,
            result=InitializeResult,
            errors=("UnsupportedVersion",),
            summary="The first message: agree on a version and say what holds for the connection.",
        ),
        Method(
            name="plugin/describe",
            caller=Role.HOST,
            params=DescribeParams,
            result=DescribeResult,
            repeatable=True,
            errors=("HookFailed",),
            summary="Ask what the plugin contributes; the host keeps the answer until the plugin changes.",
        ),
        Method(
            name="model/prompt",
            caller=Role.HOST,
            params=PromptParams,
            result=PromptResult,
            item=Item,
            errors=(
                "UnknownModel",
                "BadOptions",
                "KeyMissing",
                "KeyRejected",
                "RateLimited",
                "Overloaded",
                "ContextTooLong",
                "Filtered",
                "ProviderError",
            ),
            summary="Run a prompt; the answer streams as items.",
        ),
        Method(
            name="embed/batch",
            caller=Role.HOST,
            params=EmbedParams,
            result=EmbedResult,
            item=EmbedItem,
            input=EmbedInput,
            repeatable=True,
            errors=(
                "UnknownModel",
                "KeyMissing",
                "KeyRejected",
                "RateLimited",
                "Overloaded",
                "ProviderError",
            ),
            summary="Turn a stream of texts or files into a stream of vectors.",
        ),
        Method(
            name="keys/get",
            caller=Role.PLUGIN,
            params=KeysGetParams,
            result=KeysGetResult,
            repeatable=True,
            errors=("KeyMissing", "NotGranted", "NoParent"),
            summary="Ask for an API key that a model of the plugin declared.",
        ),
        Method(
            name="host/prompt",
            caller=Role.PLUGIN,
            params=HostPromptParams,
            result=PromptResult,
            item=Item,
            errors=("NotGranted", "NoParent", "WouldDeadlock", "TooDeep", "BudgetExceeded", "Unavailable"),
            summary="Run a prompt on a model of any plugin; also fails as `model/prompt` does.",
        ),
        Method(
            name="store/get",
            caller=Role.PLUGIN,
            params=StoreGetParams,
            result=StoreGetResult,
            repeatable=True,
            errors=("NoParent",),
            summary="Read a value that the plugin has stored.",
        ),
        Method(
            name="store/set",
            caller=Role.PLUGIN,
            params=StoreSetParams,
            result=Empty,
            repeatable=True,
            errors=("NoParent", "TooLarge", "QuotaExceeded"),
            summary="Store a value for later processes of the plugin.",
        ),
        Method(
            name="store/delete",
            caller=Role.PLUGIN,
            params=StoreDeleteParams,
            result=Empty,
            repeatable=True,
            errors=("NoParent",),
            summary="Forget a stored value.",
        ),
        Method(
            name="store/list",
            caller=Role.PLUGIN,
            params=StoreListParams,
            result=StoreListResult,
            repeatable=True,
            errors=("NoParent",),
            summary="List the keys of stored values.",
        ),
        Method(
            name="user/ask",
            caller=Role.PLUGIN,
            params=AskParams,
            result=AskResult,
            errors=("NotGranted", "NoParent"),
            summary="Ask the user a question; without a terminal the answer is `unavailable` at once.",
        ),
        Method(
            name="plugin/hold",
            caller=Role.PLUGIN,
            params=HoldParams,
            result=HoldResult,
            repeatable=True,
            errors=("NoParent",),
            summary="Ask not to be stopped while idle, for a time and a reason that the user can see.",
        ),
        Method(
            name="ping",
            caller=None,
            params=PingParams,
            result=Empty,
            repeatable=True,
            summary="Ask whether the other side still reads; answered by the reader, not by a handler.",
        ),
        Method(
            name="shutdown",
            caller=Role.HOST,
            params=ShutdownParams,
            result=Empty,
            summary="Ask the plugin to finish; the host closes its input after the answer.",
        ),
    )
}
