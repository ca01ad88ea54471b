"""What goes wrong on the wire, as errors for people, and errors of the host, as answers for plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import (
    CallFailed,
    CellwallError,
    CrashedAtStart,
    LimitExceeded,
    PluginBroken,
    PluginCrashed,
    PluginError,
    PluginHungUp,
    PluginMisbehaved,
)
from cellwall_kernel.session._shortage import advice_after, excess_at_end
from cellwall_wire import SUPPORTED, Code, ErrorInfo, ErrorResponse, Response, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_kernel.process import Excess, Exit
    from cellwall_kernel.wall import Resources
    from cellwall_wire import LoadError, LocalError, Outgoing

__all__ = [
    "answer_for",
    "broken_import",
    "call_failed",
    "crashed",
    "hung_up",
    "misbehaved",
    "over_limit",
    "refused_start",
    "unanswerable",
]

FIRST_OF_HOST = 5000
"""Codes from here on are the host's own and not valid on the wire [P-70]."""

SENDABLE = {code.kind: code for code in Code if code < FIRST_OF_HOST}
"""Kinds of errors that a plugin can be told as they are."""

MOST_SHOWN = 4000
"""How much of a plugin's own error text is shown and logged (characters): an HTML page, or worse, is cut."""

LONG_S = 120
"""From here on a time to wait is told in minutes (seconds)."""

EXITS_WITH_A_SENTENCE = frozenset({95, 97})
"""As in `cell`: no wall could be built, or there is no SDK or no program; the last line says which."""


def crashed(
    plugin: str, end: Exit, last_lines: str, *, was_ready: bool, resources: Resources | None = None
) -> PluginError:
    """Return the error for a process that ended while it was needed.

    Args:
        plugin: its name.
        end: how it ended.
        last_lines: the last that it printed.
        was_ready: whether it had answered `initialize`; before that it was only being loaded.
        resources: what it may use; None if it has no wall.
    """
    if end.status in EXITS_WITH_A_SENTENCE and not was_ready:
        sentence = last_lines.rpartition("\n")[2] or "its environment has no usable cellwall-sdk."
        return PluginBroken(plugin, f"plugin '{plugin}' cannot run: {sentence}", detail=last_lines)
    excess = excess_at_end(end, last_lines, resources) if resources is not None else None
    if excess is not None and resources is not None:
        return LimitExceeded(plugin, excess.sentence(plugin, resources, fate="ended"), detail=last_lines)
    if was_ready:
        return PluginCrashed(plugin, end.cause, last_lines)
    return CrashedAtStart(
        plugin, f"plugin '{plugin}' ended with {end.cause} while it was being loaded.", detail=last_lines
    )


def hung_up(plugin: str) -> PluginHungUp:
    """Return the error for an attached plugin whose connection ended while it was needed."""
    return PluginHungUp(
        plugin,
        f"plugin '{plugin}' hung up before it had answered; the terminal where it was started shows why.",
    )


def over_limit(plugin: str, excess: Excess, resources: Resources, last_lines: str) -> LimitExceeded:
    """Return the error for a plugin that was stopped because it used more than it may."""
    return LimitExceeded(plugin, excess.sentence(plugin, resources), detail=last_lines)


def misbehaved(plugin: str, what: str, last_lines: str) -> PluginMisbehaved:
    """Return the error for a plugin that broke the protocol; `what` ends the sentence "the plugin …"."""
    return PluginMisbehaved(plugin, f"plugin '{plugin}' was stopped: it {what}.", detail=last_lines)


def broken_import(plugin: str, error: LoadError, resources: Resources | None = None) -> PluginBroken:
    """Return the error for a plugin whose own code cannot be imported.

    An SDK may put the error's type and place into its message; what is missing there is added.
    """
    text = " ".join(error.message.split()).removesuffix(".")
    if not text.startswith(error.type) and not error.message.endswith("."):
        text = f"{error.type}: {text}" if text else error.type
    if error.file and error.file not in text:
        text += f" ({error.file}, line {error.line})" if error.line else f" ({error.file})"
    advice = advice_after(text, plugin, resources)
    return PluginBroken(
        plugin, f"plugin '{plugin}' cannot be loaded: {text}.{advice}", detail=error.traceback
    )


def refused_start(plugin: str, error: ErrorInfo) -> PluginBroken:
    """Return the error for a plugin that answered `initialize` with an error.

    Without a version in common it says which side must be upgraded.
    """
    theirs = error.data.supported if error.data is not None else None
    if error.kind != Code.UNSUPPORTED_VERSION.kind or not theirs:
        return PluginBroken(plugin, f"plugin '{plugin}' refused to start: {_cut(error.message)}")
    advice = "upgrade Cellwall" if min(theirs) > max(SUPPORTED) else "upgrade the plugin"
    return PluginBroken(
        plugin,
        f"plugin '{plugin}' speaks version {_listed(theirs)} of the protocol and this Cellwall speaks "
        f"version {_listed(SUPPORTED)}; {advice}.",
    )


def call_failed(plugin: str, error: ErrorInfo, resources: Resources | None = None) -> CallFailed:
    """Return the error for a call that the plugin answered with an error.

    Args:
        plugin: its name.
        error: what it said.
        resources: what it may use; None if it has no wall.
    """
    data = error.data
    hint = data.hint if data is not None else None
    message = _cut(f"{error.message} {hint}" if hint else error.message)
    if data is not None and data.retry_after_ms is not None and data.retry_after_ms > 0:
        message = f"{_ended(message)} Try again in {_waiting(data.retry_after_ms)}."
    if error.code == int(Code.BAD_OUTPUT):  # no plugin says that of itself [P-70]
        message = f"plugin '{plugin}' broke the protocol: {message}"
    if advice := advice_after(error.message, plugin, resources):
        message = f"{message.removesuffix('.')}.{advice}"
    detail = data.detail if data is not None else None
    trace = detail.get("traceback") if detail else None
    return CallFailed(
        plugin,
        message,
        kind=error.kind,
        detail=trace if isinstance(trace, str) else "",
        retryable=data is not None and data.retryable,
        retry_after_ms=data.retry_after_ms if data is not None else None,
    )


def answer_for(problem: Exception) -> ErrorInfo:
    """Return what a plugin is told when a service of the host fails; nothing of the host's inside."""
    match problem:
        case TooLarge():
            return ErrorInfo.of(Code.TOO_LARGE, f"{problem}.")
        case CallFailed() if problem.retry_after_ms is not None:
            code = SENDABLE.get(problem.kind, Code.UNAVAILABLE)
            return ErrorInfo.of(code, problem.message, retry_after_ms=problem.retry_after_ms)
        case CellwallError():
            return ErrorInfo.of(SENDABLE.get(problem.kind, Code.UNAVAILABLE), problem.message)
        case _:
            return ErrorInfo.of(Code.INTERNAL_ERROR, "the host failed to answer this call")


def unanswerable(answer: Outgoing, error: LocalError) -> ErrorResponse:
    """Return what a plugin is told in place of an answer that cannot be sent."""
    code = Code.TOO_LARGE if isinstance(error, TooLarge) else Code.INTERNAL_ERROR
    call_id = answer.id if isinstance(answer, (Response, ErrorResponse)) else None
    return ErrorResponse(call_id, ErrorInfo.of(code, "the answer cannot be sent; ask for less."))


def _cut(text: str) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[:MOST_SHOWN]} … (cut: {len(text):,} characters)"


def _ended(text: str) -> str:
    """The text as a sentence that another one can follow."""
    return text if text.endswith((".", "!", "?", ")")) else f"{text}."


def _waiting(milliseconds: int) -> str:
    """A time to wait, for people: rounded up, or they would come too early."""
    seconds = -(-milliseconds // 1000)
    return f"{seconds} s" if seconds < LONG_S else f"{-(-seconds // 60)} min"


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(versions)))
