"""The words for what goes wrong on the way to a file."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
import subprocess
import sys
from email.message import Message
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from cellwall_kernel.assets.failures import cause_of, is_passing, is_silence


def status(code: int, reason: str) -> HTTPError:
    """An answer of a server that is no success."""
    return HTTPError("https://example.org", code, reason, Message(), None)


@pytest.mark.parametrize(
    ("error", "words", "passing"),
    [
        (status(404, "Not Found"), "here answers 404 Not Found", False),
        (status(403, "Forbidden"), "here does not let us in (403 Forbidden)", False),
        (status(407, ""), "the proxy on the way to here asks for a name", False),
        (status(503, "Busy"), "here answers 503 Busy", True),
        (URLError(socket.gaierror(-2, "x")), "the name here cannot be resolved (no network?)", False),
        (URLError(ConnectionRefusedError()), "here refuses the connection", False),
        (URLError(OSError(errno.ENETUNREACH, "x")), "here cannot be reached (no network?)", False),
        (TimeoutError(), "here does not answer", True),
        (ConnectionResetError(), "the connection to here broke (ConnectionResetError)", True),
        (http.client.IncompleteRead(b""), "the connection to here broke (IncompleteRead", True),
        (ssl.SSLError(1, "bad record"), "the connection to here broke", True),
        (OSError(errno.ENOSPC, "x"), "the disk is full", False),
        (PermissionError(errno.EACCES, "Permission denied"), "here: Permission denied", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_cause_has_its_words(error: Exception, words: str, passing: bool) -> None:
    """And it is known whether trying again may help."""
    assert cause_of(error, "here").startswith(words)
    assert is_passing(error) is passing
    if isinstance(error, HTTPError):
        error.close()


def test_a_certificate_that_is_not_trusted_comes_with_advice() -> None:
    """Slim systems have no list of authorities, companies have their own."""
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "unable to get local issuer certificate"

    assert cause_of(URLError(error), "here") == (
        "the certificate of here is not trusted (unable to get local issuer certificate); "
        "install ca-certificates or set PIP_CERT"
    )
    assert not is_passing(URLError(error))


def test_silence_is_told_from_noise() -> None:
    """It is not waited for a second time."""
    assert is_silence(URLError(TimeoutError()))
    assert not is_silence(URLError(ConnectionResetError()))


@pytest.mark.skipif(
    find_spec("pip") is None, reason="pip, whose list of authorities is used, is not installed here"
)
def test_a_system_without_authorities_gets_those_of_pip() -> None:
    """A container without the package ca-certificates can fetch what pip could fetch."""
    code = "from cellwall_kernel.assets.web import _bundled_authorities as found; print(found())"
    bare = {**os.environ, "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}

    done = subprocess.run(
        [sys.executable, "-c", code], env=bare, capture_output=True, text=True, timeout=30, check=True
    )

    assert "BEGIN CERTIFICATE" in Path(done.stdout.strip()).read_text()
