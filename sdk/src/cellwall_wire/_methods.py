"""Every method: its parameters, its result, who may call it, and whether its answer streams.

`METHODS` is the table that Connection, the JSON Schema and the pages of `protocol.md` are made from.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from ._content import Item
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
        repeatable: whether calling it twice does no harm.
        errors: the kinds of error it is expected to end with, beside the general ones.
        summary: one sentence for the documentation.
    """

    name: str
    caller: Role | None
    params: type[Params]
    result: type[msgspec.Struct]
    item: Any = None
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
            name="keys/get",
            caller=Role.PLUGIN,
            params=KeysGetParams,
            result=KeysGetResult,
            repeatable=True,
            errors=("KeyMissing", "NotGranted", "NoParent"),
            summary="Ask for an API key that a model of the plugin declared.",
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
