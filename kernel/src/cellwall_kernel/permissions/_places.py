"""Folders and files in permissions, as texts: what may be written, what it means, which one holds which.

A place begins with `/`, `~`, `${VARIABLE}` or `.`; the last is the folder in which the command was called, so
it means another folder every time and is compared with its own kind only.
"""

# ruff: noqa: PTH111 - places are texts

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_place", "expanded", "holds"]

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
BEGINNING = re.compile(r"(?:/|~(?=/|$)|\.(?=/|$)|\$\{[A-Za-z_][A-Za-z0-9_]*\}(?=/|$))")

USUAL_FOLDERS = {
    "XDG_CACHE_HOME": "~/.cache",
    "XDG_CONFIG_HOME": "~/.config",
    "XDG_DATA_HOME": "~/.local/share",
    "XDG_STATE_HOME": "~/.local/state",
}
"""What these variables mean where they are not set (XDG Base Directory Specification)."""

MOST_CHARACTERS = 4096
"""No path of the system is longer."""


def check_place(text: str) -> str:
    """Return the place as it is kept, without a slash at its end.

    Raises:
        ValueError: it cannot be one; the message ends a sentence that begins "'TEXT'".
    """
    if not text.isprintable():
        raise ValueError("has a control character or an invisible one")
    if BEGINNING.match(text) is None:
        raise ValueError("does not begin with '/', '~/', '${VARIABLE}/' or './' (the folder of the caller)")
    if ".." in text.split("/"):
        raise ValueError("has a part '..'; write the folder that is meant")
    if "*" in text:
        raise ValueError("has a '*'; a folder includes all that is below it")
    if "$" in BEGINNING.sub("", text, count=1):
        raise ValueError("has a '$' that does not begin it")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"has more than {MOST_CHARACTERS} characters")
    return text.rstrip("/") or "/"


def expanded(place: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the path that a place means, not looking at the disk; a place below `.` stays relative.

    Args:
        place: as `check_place` returns it.
        environ: where `~` and variables are looked up; by default this process's environment.

    Returns:
        None if its variable is not set, or not to a whole path.
    """
    environ = os.environ if environ is None else environ
    if found := VARIABLE.match(place):
        start = environ.get(found[1]) or USUAL_FOLDERS.get(found[1], "")
        if not start.startswith(("/", "~/")):
            return None
        place = start + place[found.end() :]
    if place == "~" or place.startswith("~/"):
        place = (environ.get("HOME") or os.path.expanduser("~")) + place[1:]
    return os.path.normpath(place)


def holds(outer: str, inner: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the place `inner` is the place `outer` or lies below it."""
    if outer == inner:
        return True
    path, below = expanded(outer, environ), expanded(inner, environ)
    if path is None or below is None:
        return False
    if path in ("/", below):
        return True
    if path == ".":
        return not below.startswith("/")
    return below.startswith(f"{path}/")
