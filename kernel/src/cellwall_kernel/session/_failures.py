"""What goes wrong on the wire, as errors for people, and errors of the host, as answers for plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_kernel.errors import (
    CallFailed,
    CellwallError,
    KeyProblem,
    NotFound,
    PluginBroken,
    PluginCrashed,
    PluginError,
    PluginMisbehaved,
)
from cellwall_wire import SUPPORTED, Code, ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cellwall_kernel.process import Exit
    from cellwall_wire import LoadError

__all__ = ["answer_for", "broken_import", "call_failed", "crashed", "misbehaved", "refused_start"]

EXIT_NO_SDK = 97
"""As in `bootstrap`: the plugin's environment has no SDK, and the child said so in its last line."""


def crashed(plugin: str, end: Exit, last_lines: str, *, was_ready: bool) -> PluginError:
    """Return the error for a process that ended while it was needed.

    Args:
        plugin: its name.
        end: how it ended.
        last_lines: the last that it printed.
        was_ready: whether it had answered `initialize`; before that it was only being loaded.
    """
    if end.status == EXIT_NO_SDK:
        sentence = last_lines.rpartition("\n")[2] or "its environment has no usable cellwall-sdk."
        return PluginBroken(plugin, f"plugin '{plugin}' cannot run: {sentence}", detail=last_lines)
    if was_ready:
        return PluginCrashed(plugin, end.cause, last_lines)
    return PluginBroken(
        plugin, f"plugin '{plugin}' ended with {end.cause} while it was being loaded.", detail=last_lines
    )


def misbehaved(plugin: str, what: str, last_lines: str) -> PluginMisbehaved:
    """Return the error for a plugin that broke the protocol; `what` ends the sentence "the plugin …"."""
    return PluginMisbehaved(plugin, f"plugin '{plugin}' was stopped: it {what}.", detail=last_lines)


def broken_import(plugin: str, error: LoadError) -> PluginBroken:
    """Return the error for a plugin whose own code cannot be imported.

    An SDK may put the error's type and place into its message; what is missing there is added.
    """
    text = " ".join(error.message.split()).removesuffix(".")
    if not text.startswith(error.type) and not error.message.endswith("."):
        text = f"{error.type}: {text}" if text else error.type
    if error.file and error.file not in text:
        text += f" ({error.file}, line {error.line})" if error.line else f" ({error.file})"
    return PluginBroken(plugin, f"plugin '{plugin}' cannot be loaded: {text}.", detail=error.traceback)


def refused_start(plugin: str, error: ErrorInfo) -> PluginBroken:
    """Return the error for a plugin that answered `initialize` with an error.

    Without a version in common it says which side must be upgraded.
    """
    theirs = error.data.supported if error.data is not None else None
    if error.kind != Code.UNSUPPORTED_VERSION.kind or not theirs:
        return PluginBroken(plugin, f"plugin '{plugin}' refused to start: {error.message}")
    advice = "upgrade Cellwall" if min(theirs) > max(SUPPORTED) else "upgrade the plugin"
    return PluginBroken(
        plugin,
        f"plugin '{plugin}' speaks version {_listed(theirs)} of the protocol and this Cellwall speaks "
        f"version {_listed(SUPPORTED)}; {advice}.",
    )


def call_failed(plugin: str, error: ErrorInfo) -> CallFailed:
    """Return the error for a call that the plugin answered with an error."""
    hint = error.data.hint if error.data is not None else None
    message = f"{error.message} {hint}" if hint else error.message
    detail = error.data.detail if error.data is not None else None
    trace = detail.get("traceback") if detail else None
    return CallFailed(plugin, message, kind=error.kind, detail=trace if isinstance(trace, str) else "")


def answer_for(problem: Exception) -> ErrorInfo:
    """Return what a plugin is told when a service of the host fails; nothing of the host's inside."""
    match problem:
        case KeyProblem():
            return ErrorInfo.of(Code.KEY_MISSING, problem.message)
        case NotFound():
            return ErrorInfo.of(Code.NOT_FOUND, problem.message)
        case CallFailed() if problem.kind == "NotGranted":
            return ErrorInfo.of(Code.NOT_GRANTED, problem.message)
        case CellwallError():
            return ErrorInfo.of(Code.UNAVAILABLE, problem.message)
        case _:
            return ErrorInfo.of(Code.INTERNAL_ERROR, "the host failed to answer this call")


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(versions)))
