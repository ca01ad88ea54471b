"""Messages as one line for people: short, printable, and without what was granted in secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_line", "members_of", "printable", "redacted"]

SHOWN = 200
"""How many characters of a message are shown."""

FEWEST_SECRET = 8
"""A shorter value of a variable is no secret, and would be found everywhere (characters)."""


def members_of(value: Any) -> dict[str, Any]:
    """Return a value if it is an object, else an empty one: a plugin may put anything anywhere."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_line(message: Any) -> str:
    """Return a message as it stands on the wire, cut where it is long."""
    return printable(json.dumps(message, separators=(",", ":"), ensure_ascii=False))


def printable(text: str | bytes) -> str:
    """Return a text in one line without what would steer a terminal, cut where it is long."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN].decode("utf-8", "replace")
    cut = text[:SHOWN]
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)
    return f"{shown}…" if len(text) > SHOWN else shown


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the values of variables that the plugin was granted."""
    for secret in secrets:
        if len(secret) >= FEWEST_SECRET:
            text = text.replace(secret, "(a granted variable)")
    return text
