"""Error codes: the only module that allocates them.

Policy [P-70]: JSON-RPC's own codes keep their meaning; -32800 is Cancelled, as in the language-server world;
everything of ours is positive, a thousand to a layer: 1xxx protocol, 2xxx models, 3xxx contributions, 4xxx
host services, 5xxx made by the host about a process and never valid on the wire. A code is never given a
second meaning; a retired code stays in the table of `protocol.md`.
"""

from __future__ import annotations

import enum

__all__ = ["Code"]


class Code(enum.IntEnum):
    """An error's code; `kind` is the stable name that goes with it, `retryable` the default advice."""

    kind: str
    retryable: bool
    sender: str
    meaning: str

    def __new__(cls, value: int, sender: str, retryable: bool, meaning: str) -> Code:  # noqa: PYI034 - an enum's __new__ names its class
        """Attach what the protocol's table says of a code to the code itself."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.sender = sender
        member.retryable = retryable
        member.meaning = meaning
        return member

    def __init__(self, *_: object) -> None:
        """Derive `kind` from the member's name: RATE_LIMITED is RateLimited."""
        self.kind = "".join(word.capitalize() for word in self.name.split("_"))

    PARSE_ERROR = -32700, "both", False, "The line was not valid JSON."
    INVALID_REQUEST = (
        -32600,
        "both",
        False,
        "The object was not a valid request; batches are refused with it.",
    )
    METHOD_NOT_FOUND = -32601, "both", False, "The method does not exist here."
    INVALID_PARAMS = -32602, "both", False, "The parameters do not fit the method."
    INTERNAL_ERROR = -32603, "both", False, "The handler failed without saying why."
    CANCELLED = -32800, "both", False, "The call was cancelled before it was complete."

    NOT_INITIALIZED = 1001, "both", False, "A request came before `initialize` was answered."
    UNSUPPORTED_VERSION = (
        1002,
        "plugin",
        False,
        "No protocol version in common; `supported` and `requested` say which.",
    )
    FEATURE_NOT_NEGOTIATED = (
        1003,
        "both",
        False,
        "The message needs a feature that the other side did not offer.",
    )
    CREDIT_OVERRUN = 1004, "both", False, "More data was sent than credit was granted."
    WOULD_DEADLOCK = 1005, "both", False, "Answering would need the very call that is waiting for the answer."
    TOO_DEEP = 1006, "host", False, "Calls are nested deeper than the limit."
    NO_PARENT = 1007, "host", False, "A call to the host named no call of the host that is still open."
    TOO_LARGE = 1008, "both", False, "The message is larger than the limit."
    SHUTTING_DOWN = 1009, "both", False, "The connection is being shut down."

    KEY_MISSING = 2001, "both", False, "An API key is needed and the user has none stored."
    KEY_REJECTED = 2002, "plugin", False, "The provider did not accept the API key."
    UNKNOWN_MODEL = 2003, "plugin", False, "The plugin has no model of that name."
    RATE_LIMITED = 2004, "plugin", True, "The provider asks for fewer requests; see `retry_after_ms`."
    OVERLOADED = 2005, "plugin", True, "The provider is overloaded for the moment."
    CONTEXT_TOO_LONG = 2006, "plugin", False, "The prompt is longer than the model can read."
    FILTERED = 2007, "plugin", False, "The provider's content filter refused the prompt or the answer."
    BAD_OPTIONS = 2008, "plugin", False, "An option has a wrong name or value."
    PROVIDER_ERROR = 2009, "plugin", False, "The model failed; the message says how."

    UNKNOWN_TOOL = 3001, "plugin", False, "The plugin has no tool of that name."
    UNKNOWN_COMMAND = 3002, "plugin", False, "The plugin has no command of that name."
    NOT_FOUND = 3003, "plugin", False, "The thing asked for does not exist."
    USAGE_ERROR = 3004, "plugin", False, "A command was called with a wrong parameter."
    HOOK_FAILED = 3005, "plugin", False, "An implementation of a hook failed."

    NOT_GRANTED = 4001, "host", False, "The plugin did not declare this, or the user did not grant it."
    QUOTA_EXCEEDED = 4002, "host", False, "The plugin used up what it may store or send."
    BUDGET_EXCEEDED = 4003, "host", False, "The user's budget for nested prompts is used up."
    UNAVAILABLE = (
        4004,
        "host",
        False,
        "The service cannot be had now, for instance a question without a terminal.",
    )

    SPAWN_FAILED = 5001, "host", False, "The plugin's process could not be started."
    HANDSHAKE_TIMEOUT = 5002, "host", False, "The plugin did not answer `initialize` in time."
    CRASHED = 5003, "host", False, "The plugin's process ended during the call."
    DEADLINE_EXCEEDED = 5004, "host", False, "The call took longer than it was given."
    QUARANTINED = 5005, "host", False, "The plugin crashed too often and is not started for now."
    BAD_OUTPUT = 5006, "host", False, "The plugin broke the protocol."
