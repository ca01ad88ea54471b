"""What each permission's value may be; the checks that a manifest and a command line have in common.

Every check returns the value as it is kept, or raises ValueError with the end of a sentence that begins with
the value in quotes.
"""

from __future__ import annotations

import re

from cellwall_kernel.permissions._hosts import HostPattern
from cellwall_kernel.permissions._places import check_place

__all__ = [
    "DEVICES",
    "SERVICES",
    "SOCKETS",
    "check_device",
    "check_host",
    "check_key",
    "check_program",
    "check_service",
    "check_socket",
    "check_variable",
    "is_secret_name",
]

DEVICES = ("gpu",)
"""The groups of devices that can be granted."""

SERVICES = ("prompt", "ask")
"""The services of the host that need a grant [P-69]."""

SOCKETS = ("docker", "ssh-agent")
"""The sockets that have a name of their own."""

MOST_CHARACTERS = 200
"""Longer names are mistakes, and would push the rest of a table out of sight."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PROGRAM = re.compile(r"[^/\s]+|/\S+")

STARTING_PREFIXES = ("BASH_FUNC_", "CELLWALL_", "DYLD_", "LD_", "MALLOC_", "PYTHON")
STARTING_VARIABLES = frozenset(
    "BASH_ENV ENV GCONV_PATH GLIBC_TUNABLES HOME LOCPATH PATH SHELLOPTS TEMP TMP TMPDIR".split()  # noqa: SIM905 - a line
)
"""Variables that decide how a process starts and where its folders are; those are the host's to set."""

SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL")


def check_host(text: str) -> str:
    """Return a host in its shortest form, such as `api.example.com` or `localhost:11434`."""
    if text == "none":
        raise ValueError("is no host, but what holds where no host is named")
    return HostPattern.parse(text).text


def check_key(text: str) -> str:
    """Return the name of a key."""
    text = _printable(text).strip()
    if text.startswith("//"):
        raise ValueError("begins with '//', as no key does")
    return text


def check_variable(text: str) -> str:
    """Return the name of an environment variable, unless it would change how the plugin is started."""
    if VARIABLE.fullmatch(_printable(text)) is None:
        raise ValueError("is no name of an environment variable")
    if text in STARTING_VARIABLES or text.startswith(STARTING_PREFIXES):
        raise ValueError("changes how a program starts and cannot be passed on")
    return text


def check_program(text: str) -> str:
    """Return the name of a program, or its whole path."""
    if PROGRAM.fullmatch(_printable(text)) is None:
        raise ValueError("is neither the name of a program nor its whole path")
    return text


def check_device(text: str) -> str:
    """Return a known group of devices."""
    if text not in DEVICES:
        raise ValueError(f"is no group of devices; possible is {', '.join(DEVICES)}")
    return text


def check_service(text: str) -> str:
    """Return a known service of the host."""
    if text not in SERVICES:
        raise ValueError(f"is no service of the host; possible are {' and '.join(SERVICES)}")
    return text


def check_socket(text: str) -> str:
    """Return a known socket, or the path of one."""
    if text in SOCKETS:
        return text
    if not text.startswith(("/", "~/", "${")):
        raise ValueError(f"is no socket; possible are {', '.join(SOCKETS)} and a path")
    return check_place(text)


def is_secret_name(variable: str) -> bool:
    """Whether a variable's name says that its value is a secret."""
    return any(word in variable.upper() for word in SECRET_WORDS)


def _printable(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("has a control character or an invisible one")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"has more than {MOST_CHARACTERS} characters")
    return text
