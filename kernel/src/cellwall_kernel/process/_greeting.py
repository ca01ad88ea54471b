"""The first line to a plugin: written before there is an event loop, so that both import at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import CallFailed
from cellwall_kernel.timeouts import USUAL
from cellwall_wire import Code, Connection, InitializeParams, LocalError, Meta, Request, Role, TooLarge

if TYPE_CHECKING:
    from cellwall_wire import Limits

__all__ = ["INITIALIZE_S", "Greeting", "compose", "unsendable"]

INITIALIZE_S = USUAL.start.seconds
"""How long a plugin may take to be imported and to answer the first message (seconds) [P-34]."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation whose first word is said, or about to be.

    Args:
        wire: the conversation.
        call_id: of `initialize`.
        params: of `initialize`.
        unsent: what is left to write of its line; nothing may be written before it.
    """

    wire: Connection
    call_id: str
    params: InitializeParams
    unsent: bytes


def compose(
    plugin: str, params: InitializeParams, limits: Limits, timeout_s: float = INITIALIZE_S
) -> Greeting:
    """Prepare the first word; `Spawned.greet` says it.

    Args:
        plugin: the plugin's name, for messages.
        params: of `initialize`; `meta` is filled in.
        limits: sizes on the wire.
        timeout_s: how long it may take to answer, in seconds.

    Raises:
        CallFailed: the line is too large, or has no JSON form.
    """
    wire = Connection(Role.HOST, limits=limits)
    params = msgspec.structs.replace(params, meta=Meta(timeout_ms=max(1, round(timeout_s * 1000))))
    call_id = wire.next_id()
    try:
        line = wire.send(Request(call_id, "initialize", params))
    except LocalError as error:
        raise unsendable(plugin, error) from error
    return Greeting(wire=wire, call_id=call_id, params=params, unsent=line)


def unsendable(plugin: str, error: LocalError) -> CallFailed:
    """Return the error for a request that cannot be sent: too large, or without a JSON form."""
    code = Code.TOO_LARGE if isinstance(error, TooLarge) else Code.INVALID_PARAMS
    return CallFailed(plugin, f"plugin '{plugin}' cannot be asked: {error}.", kind=code.kind)
