"""Exceptions of the plugin's code, as sentences for the user and as answers on the wire.

The user sees the message, the type and the place in the plugin's own code; the traceback goes along for
`--debug`, without the SDK's frames.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cellwall_wire import SUPPORTED, Code, ErrorData, ErrorInfo

from .errors import Cancelled, ModelError, RegistrationError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Place", "blame", "clean", "error_info", "find_place", "log", "plugin_traceback", "unsupported"]

MESSAGE_CHARS = 4000
"""How much of an exception's text is passed on; some carry a whole web page."""

TRACEBACK_CHARS = 16_000
"""How much of a traceback is passed on, from its end."""

_MACHINERY = ("<", os.path.dirname(__file__) + os.sep, os.path.dirname(importlib.__file__) + os.sep)
"""How the files begin that are nobody's plugin: frozen modules, the SDK, the import machinery."""

Place = tuple[str, int]
"""A file and a line."""


def find_place(error: BaseException, roots: tuple[str, ...]) -> Place | None:
    """Find the innermost place in the plugin's own code that an exception passed through.

    Args:
        error: the exception.
        roots: the plugin's folders and files; without any, whatever is not the SDK's counts.
    """
    if isinstance(error, SyntaxError) and error.filename and _is_own(error.filename, roots):
        return error.filename, error.lineno or 1
    place = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _is_own(file, roots):
            place = file, trace.tb_lineno
        trace = trace.tb_next
    return place


def _is_own(file: str, roots: tuple[str, ...]) -> bool:
    if file.startswith(_MACHINERY):
        return False
    return not roots or any(file == root or file.startswith(root + os.sep) for root in roots)


def blame(error: BaseException, roots: tuple[str, ...]) -> str:
    """Say what happened and where, in one line."""
    text = clean(" ".join(str(error).split()))
    if isinstance(error, SystemExit):
        text = f"the plugin called sys.exit({error.code!r})"
    elif isinstance(error, RegistrationError):
        return text
    else:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = find_place(error, roots)
    if place is None:
        return text
    return f"{text} ({place[0]}, line {place[1]})"


def plugin_traceback(error: BaseException) -> str:
    """Give the traceback from where the author's code begins; its end when it is very long."""
    from traceback import format_exception

    lines = format_exception(type(error), error, _skip(error.__traceback__))
    return clean("".join(lines))[-TRACEBACK_CHARS:]


def _skip(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames before the author's: those of the SDK and of the import machinery."""
    kept = trace
    while kept is not None and not _is_own(kept.tb_frame.f_code.co_filename, ()):
        kept = kept.tb_next
    return kept if kept is not None else trace


def error_info(error: BaseException, roots: tuple[str, ...], *, items_sent: int | None = None) -> ErrorInfo:
    """Turn whatever ended a call into the error that answers it.

    Args:
        error: the exception.
        roots: the plugin's own folders and files.
        items_sent: how many items of the answer were sent before.
    """
    if isinstance(error, Cancelled):
        return ErrorInfo.of(Code.CANCELLED, "The call was cancelled.", items_sent=items_sent)
    code, kind = Code.INTERNAL_ERROR, Code.INTERNAL_ERROR.kind
    hint, retryable, retry_after_ms = None, False, None
    message = blame(error, roots)
    if isinstance(error, ModelError):
        code, kind, hint = error.code, error.kind, error.hint
        retryable = code.retryable if error.retryable is None else error.retryable
        retry_after_ms = None if error.retry_after_s is None else round(error.retry_after_s * 1000)
        message = str(error) or code.meaning
    elif isinstance(error, RegistrationError):
        code, kind = Code.HOOK_FAILED, Code.HOOK_FAILED.kind
    data = ErrorData(
        kind=kind,
        retryable=retryable,
        retry_after_ms=retry_after_ms,
        hint=clean(hint) if hint else None,
        detail={"traceback": plugin_traceback(_source(error))},
        items_sent=items_sent,
    )
    return ErrorInfo(int(code), clean(message)[:MESSAGE_CHARS], data)


def _source(error: BaseException) -> BaseException:
    """The exception whose traceback is worth reading: the one that made a registration fail."""
    cause = error.__cause__
    return cause if isinstance(error, RegistrationError) and cause is not None else error


def unsupported(requested: list[int]) -> ErrorInfo:
    """Say that no protocol version is common to both sides, and which one to upgrade."""
    newest = max(SUPPORTED)
    older = "Cellwall" if not requested or max(requested) < newest else "the plugin's cellwall-sdk"
    return ErrorInfo.of(
        Code.UNSUPPORTED_VERSION,
        f"The plugin speaks protocol {_versions(list(SUPPORTED))} and was asked for {_versions(requested)}: "
        f"upgrade {older}.",
        supported=list(SUPPORTED),
        requested=requested,
    )


def _versions(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers)) or "none"


def log(text: str) -> None:
    """Write a line of the SDK's own to the plugin's log; the author's code may have closed it."""
    with suppress(Exception):
        sys.stderr.write(f"cellwall: {text}\n")


def clean(text: Any) -> str:
    """Make text encodable: what is not Unicode becomes a question mark."""
    return str(text).encode("utf-8", "replace").decode("utf-8")
