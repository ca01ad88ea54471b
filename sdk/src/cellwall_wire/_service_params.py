"""What a plugin asks its host for, and what it gets: the services of the host, beside keys.

All types ignore members they do not know, so that a newer peer can add some [P-13].
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._content import Message
from ._params import Params, ToolInfo

__all__ = [
    "AskParams",
    "AskResult",
    "HoldParams",
    "HoldResult",
    "HostPromptParams",
    "StoreDeleteParams",
    "StoreGetParams",
    "StoreGetResult",
    "StoreListParams",
    "StoreListResult",
    "StoreSetParams",
]


class _Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class HostPromptParams(Params, frozen=True, kw_only=True):
    """Run a prompt on any model of the user's; without `model`, on the default one [P-71]."""

    messages: list[Message]
    model: str | None = None
    options: dict[str, str | bool | int | float | None] = msgspec.field(default_factory=dict[str, Any])
    tools: list[ToolInfo] = msgspec.field(default_factory=list[ToolInfo])
    tool_choice: str | None = None
    schema: dict[str, Any] | None = None
    stream: bool = True


class StoreGetParams(Params, frozen=True, kw_only=True):
    """Read what the plugin has stored under a key [P-72]."""

    key: str


class StoreGetResult(_Result, frozen=True):
    """The value, if there is one; null is a value like any other."""

    found: bool
    value: Any = None


class StoreSetParams(Params, frozen=True, kw_only=True):
    """Store any JSON value under a key."""

    key: str
    value: Any


class StoreDeleteParams(Params, frozen=True, kw_only=True):
    """Forget a key; one that is not there is no error."""

    key: str


class StoreListParams(Params, frozen=True, kw_only=True):
    """Ask which keys there are, all or those with a prefix."""

    prefix: str = ""


class StoreListResult(_Result, frozen=True):
    """The keys, sorted by their code points."""

    keys: list[str]


class AskParams(Params, frozen=True, kw_only=True):
    """Ask the user a question [P-73].

    Attributes:
        kind: confirm, text, secret or select; an open set [P-13].
        message: the question.
        choices: what can be selected.
        default: the value that an empty answer stands for: true or false, a text, or one of the choices.
    """

    kind: str
    message: str
    choices: list[str] = msgspec.field(default_factory=list[str])
    default: str | bool | None = None


class AskResult(_Result, frozen=True):
    """What the user did.

    Attributes:
        action: accept, decline, cancel or unavailable.
        value: with accept: true, or the text, or the choice.
    """

    action: str
    value: str | bool | None = None

    def __repr__(self) -> str:
        """Hide the value, which may be a secret."""
        return f"AskResult(action={self.action!r})"


class HoldParams(Params, frozen=True, kw_only=True):
    """Ask not to be stopped while idle, for `max_ms` milliseconds from now; 0 ends a hold [P-74]."""

    reason: str
    max_ms: int


class HoldResult(_Result, frozen=True):
    """How long the hold lasts, in milliseconds; 0 if there is none."""

    granted_ms: int
