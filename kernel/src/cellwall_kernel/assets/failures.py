"""Why a source of a data file did not work: one exception inside this package, and its words for a person.

`SourceFailed` never leaves the package: `fetch` collects the causes of all sources into one
`errors.AssetProblem`.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import urllib.error
from http import HTTPStatus

__all__ = ["SourceFailed", "cause_of", "is_passing", "is_silence"]

# Answers of a server that may be different in a moment.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "the certificate of {place} is not trusted ({error}); install ca-certificates or set PIP_CERT",
    ),
    (socket.gaierror, "the name {place} cannot be resolved (no network?)"),
    (TimeoutError, "{place} does not answer"),
    (ConnectionRefusedError, "{place} refuses the connection"),
    (
        (ConnectionError, http.client.HTTPException, ssl.SSLError),
        "the connection to {place} broke ({error})",
    ),
)


class SourceFailed(Exception):
    """Raised when one source of a data file does not work; the text is a clause without a full stop."""


def cause_of(error: BaseException, place: str) -> str:
    """Say in a clause why talking to `place` (a host name or a path) failed.

    Args:
        error: what urllib, ssl, a socket or the file system raised.
        place: a name for the other side, free of credentials.
    """
    if isinstance(error, urllib.error.HTTPError):
        return _status_cause(error.code, error.reason, place)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return cause_of(error.reason, place)
    text = str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words.format(place=place, error=text)
    return _system_cause(error, place) if isinstance(error, OSError) else f"{place}: {text}"


def is_passing(error: BaseException) -> bool:
    """Whether another attempt a moment later may succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING_STATUS
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return is_passing(error.reason)
    if isinstance(error, (ssl.SSLCertVerificationError, socket.gaierror, ConnectionRefusedError)):
        return False
    return isinstance(error, (TimeoutError, ConnectionError, http.client.HTTPException, ssl.SSLError))


def is_silence(error: BaseException) -> bool:
    """Whether the other side said nothing for as long as we wait."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return is_silence(error.reason)
    return isinstance(error, TimeoutError)


def _status_cause(status: int, reason: str, place: str) -> str:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"{place} does not let us in ({status} {reason}); check the name and password of the index"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return f"the proxy on the way to {place} asks for a name and password"
    return f"{place} answers {status} {reason}".rstrip()


def _system_cause(error: OSError, place: str) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return f"{place} cannot be reached (no network?)"
    text = error.strerror or str(error)
    return f"{place}: {text}"
