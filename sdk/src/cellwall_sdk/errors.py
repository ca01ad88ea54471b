"""What a plugin raises when a call fails, and what each error becomes for the user.

    ModelError          ProviderError   the model failed; the message says how
    ├── KeyMissing      KeyMissing      no API key is stored (`NeedsKeyException` in plugins for `llm`)
    ├── KeyRejected     KeyRejected     the provider did not accept the key
    ├── UnknownModel    UnknownModel    the plugin has no such model (`UnknownModelError`)
    ├── RateLimited     RateLimited     too many requests; retryable
    ├── Overloaded      Overloaded      the provider has no room at the moment; retryable
    ├── ContextTooLong  ContextTooLong  the prompt is longer than the model reads
    ├── Filtered        Filtered        a content filter refused the prompt or the answer
    ├── BadOptions      BadOptions      an option has a wrong name or value
    ├── ProviderError   ProviderError   anything else that the provider reports
    ├── BadOutput       BadOutput       the plugin gave something that is neither text nor a stream event
    └── ServiceError    ProviderError   the host refused what the plugin asked for; `reason` says why
    RegistrationError                   a hook or a model cannot be used as it is written
    Cancelled                           not an error: the host no longer wants the answer

The message is shown to the user as it stands, so it is one sentence that names the thing, the cause and what
to do. Any other exception that leaves a plugin's code is shown with its type, file and line; it ends the call
and nothing else.
"""

from __future__ import annotations

from typing import ClassVar

from cellwall_wire import Code

__all__ = [
    "BadOptions",
    "BadOutput",
    "Cancelled",
    "ContextTooLong",
    "Filtered",
    "KeyMissing",
    "KeyRejected",
    "ModelError",
    "NeedsKeyException",
    "Overloaded",
    "ProviderError",
    "RateLimited",
    "RegistrationError",
    "ServiceError",
    "UnknownModel",
    "UnknownModelError",
]


class ModelError(Exception):
    """Raised by a model that cannot answer; the base of the errors a plugin raises.

    Args:
        message: one sentence for the user.
        hint: what the user can do about it, if the message does not say so.
        retry_after_s: when the same prompt may succeed, in seconds.
        retryable: whether the same prompt may succeed later; by default what is usual for the class.
    """

    code: ClassVar[Code] = Code.PROVIDER_ERROR
    kind: ClassVar[str] = Code.PROVIDER_ERROR.kind

    # Defaults, so that a subclass whose __init__ forgets super().__init__() still works.
    hint: str | None = None
    retry_after_s: float | None = None
    retryable: bool | None = None

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.retry_after_s = retry_after_s
        self.retryable = retryable

    def __init_subclass__(cls) -> None:
        """Let a subclass that names another code have that code's kind."""
        if "code" in vars(cls) and "kind" not in vars(cls):
            cls.kind = cls.code.kind


class KeyMissing(ModelError):
    """Raised when a model needs an API key and the user has none stored."""

    code = Code.KEY_MISSING


class KeyRejected(ModelError):
    """Raised when the provider does not accept the API key."""

    code = Code.KEY_REJECTED


class UnknownModel(ModelError):
    """Raised when the plugin is asked for a model that it does not have."""

    code = Code.UNKNOWN_MODEL


class RateLimited(ModelError):
    """Raised when the provider asks for fewer requests."""

    code = Code.RATE_LIMITED


class Overloaded(ModelError):
    """Raised when the provider has no room at the moment."""

    code = Code.OVERLOADED


class ContextTooLong(ModelError):
    """Raised when the prompt is longer than the model can read."""

    code = Code.CONTEXT_TOO_LONG


class Filtered(ModelError):
    """Raised when a content filter refused the prompt or the answer."""

    code = Code.FILTERED


class BadOptions(ModelError):
    """Raised when an option has a wrong name or value."""

    code = Code.BAD_OPTIONS


class ProviderError(ModelError):
    """Raised for anything else that the provider reports."""

    code = Code.PROVIDER_ERROR


class BadOutput(ModelError):
    """Raised when a model gives something that is neither text nor a StreamEvent."""

    # The wire's own BAD_OUTPUT code belongs to the host, which uses it for a plugin that broke the protocol.
    # This plugin did not: its SDK stopped it. The kind tells the user the same thing.
    code = Code.INTERNAL_ERROR
    kind = Code.BAD_OUTPUT.kind


class ServiceError(ModelError):
    """Raised when the host refuses what a plugin asked for, or cannot do it.

    Args:
        message: the host's sentence.
        reason: the kind of the host's error, such as "NotGranted", "Unavailable" or "TooDeep".
        hint: as for ModelError; likewise `retryable` and `retry_after_s`.
    """

    reason: str = ""

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "",
        hint: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s, retryable=retryable)
        self.reason = reason


class RegistrationError(Exception):
    """Raised when a hook or a model cannot be used as it is written; the message names file and line."""


class Cancelled(BaseException):
    """Raised inside a model when the host no longer wants the answer; let it pass, clean up in `finally`."""


NeedsKeyException = KeyMissing
UnknownModelError = UnknownModel
