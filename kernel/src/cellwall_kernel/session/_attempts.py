"""A hint from inside a cell, read as an attempt: what it was, and what would have allowed it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cellwall_kernel.permissions import Refusal
from cellwall_kernel.wall import UNREMARKABLE, holds

if TYPE_CHECKING:
    from cellwall_kernel.wall import Policy

__all__ = ["refusal_of"]

MOST_SHOWN = 200
"""How many characters of what was tried are shown."""

USUAL_PORT = "443"
"""The port that a grant means if it names none."""

NAMED_PORTS = {"http": "80", "https": USUAL_PORT}
"""Services by the names that programs use for their ports."""


def refusal_of(message: bytes, policy: Policy) -> Refusal | None:
    """Return what a cell tried in vain; None if it was allowed, or is not worth a word.

    Args:
        message: a kind, a zero byte, and a text: `read` or `write` and a path, `reach` and a host, `start`
            and a program.
        policy: what the cell may do.

    Raises:
        ValueError: it is no such message.
    """
    kind, _, rest = message.partition(b"\0")
    text = rest.decode("utf-8", "replace")[:MOST_SHOWN]
    if not text.isprintable():
        raise ValueError("a hint holds control characters")
    match kind:
        case b"read" | b"write":
            return _of_path(kind.decode(), text, policy)
        case b"reach" if policy.network == "none":
            return _refusal(f"reach {text}", _item_for(text))
        case b"start" if not policy.spawn:
            return Refusal(tried=f"start the program '{text}'", grant="spawn=any")
        case _:
            return None


def _of_path(kind: str, text: str, policy: Policy) -> Refusal | None:
    path = os.path.realpath(text)
    allowed = (
        policy.write if kind == "write" else (*policy.read, *policy.write, *policy.execute, *policy.devices)
    )
    if path.startswith(UNREMARKABLE) or any(holds(os.path.realpath(folder), path) for folder in allowed):
        return None
    if kind == "read" and not os.path.lexists(path):
        return None  # it would have found nothing anyway
    if policy.closed and holds(policy.closed, path):
        return Refusal(tried=f"{kind} {path}", reason="that is Cellwall's own and is never granted")
    return _refusal(f"{kind} {path}", f"{kind}={path}")


def _item_for(address: str) -> str:
    """Return what allows to reach an address: `HOST`, `HOST:PORT`, or the path of a socket."""
    if address.startswith("/"):
        return f"socket={address}"
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return f"network={address}"
    port = NAMED_PORTS.get(port, port)
    return f"network={host}" if port == USUAL_PORT else f"network={host}:{port}"


def _refusal(tried: str, item: str) -> Refusal:
    """Return a refusal with what would allow it, if that can be granted: the text comes from the plugin."""
    from cellwall_kernel.permissions import parse_item

    try:
        return Refusal(tried=tried, grant=str(parse_item(item)))
    except ValueError:
        return Refusal(tried=tried, reason="that is nothing that can be granted")
