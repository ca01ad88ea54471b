"""Attach mode: the plugin that its author has started under a debugger, and the socket on which it waits.

    llm --attach weather "…"                       the SDK's own place for a plugin of that name
    llm --attach /path/weather.sock "…"            any socket; the file's name is the plugin's
    llm --attach weather=/path/to/socket "…"       any socket and any name

A command attaches to one plugin or to none: `begin` says which, `end` forgets it, and who would start a
plugin looks whether there is an `attachment_of` it. Everything else about such a plugin stands with those who
do it: `process.attached` connects, `session` waits without a limit.
"""

# ruff: noqa: PTH100, PTH118, PTH119 - paths are texts on a command line

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cellwall_kernel.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Attachment", "attachment_of", "begin", "current", "end"]

SUFFIX = ".sock"
"""What the SDK's sockets end with; as in `cellwall_sdk._attach`."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
"""What a plugin may be called: the name of an entry point, maybe with `@DIST`."""

_running: list[Attachment] = []
"""The attachment of this command, if it has one."""


class Attachment:
    """One plugin that is not started but connected to.

    Args:
        plugin: its name.
        socket: where it waits, an absolute path.
        say: is told once, when the first connection stands, that no wall stands around it.

    Attributes:
        is_used: whether this command has tried to connect.
    """

    def __init__(self, plugin: str, socket: str, say: Callable[[str], None]) -> None:
        self.plugin = plugin
        self.socket = socket
        self.is_used = False
        self._say = say
        self._is_said = False

    def connected(self) -> None:
        """Note that a connection stands."""
        if not self._is_said:
            self._is_said = True
            self._say(f"attached: no wall around plugin '{self.plugin}', and no deadline.")


def begin(text: str, say: Callable[[str], None]) -> Attachment:
    """Attach to a plugin for the rest of this command.

    Args:
        text: NAME, SOCKET or NAME=SOCKET, as the module's docstring says.
        say: shows a person a sentence.

    Raises:
        UsageProblem: the text is none of these.
    """
    end()
    attachment = Attachment(*_parsed(text), say)
    _running.append(attachment)
    return attachment


def end() -> str | None:
    """Forget the attachment.

    Returns:
        a sentence if this command had no use for it; else None.
    """
    if not _running:
        return None
    attachment = _running.pop()
    if attachment.is_used:
        return None
    return f"plugin '{attachment.plugin}' was not attached to: this command asks no plugin, or another one."


def current() -> Attachment | None:
    """Return the attachment of this command; None if it has none."""
    return _running[-1] if _running else None


def attachment_of(plugin: str) -> Attachment | None:
    """Return the attachment if it is to this plugin."""
    return next((each for each in _running if each.plugin == plugin), None)


def _parsed(text: str) -> tuple[str, str]:
    """Return name and socket."""
    name, equals, place = text.partition("=")
    if not equals or "/" in name:
        place = text if "/" in text or text.endswith(SUFFIX) else ""
        name = os.path.basename(text).removesuffix(SUFFIX) if place else text
    elif not place:
        raise UsageProblem(
            f"--attach {text} names no socket; give --attach {name} or --attach {name}=SOCKET."
        )
    if NAME.fullmatch(name) is None:
        raise UsageProblem(
            f"'{name}' cannot be a plugin's name; give --attach NAME=SOCKET, where NAME is the plugin's "
            "entry point and SOCKET is where it waits."
        )
    return name, os.path.abspath(place) if place else os.path.join(_usual_folder(), name + SUFFIX)


def _usual_folder() -> str:
    """Return where the SDK makes its sockets; as in `cellwall_sdk._attach`."""
    from tempfile import gettempdir

    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):  # noqa: PTH112, PTH117
        return os.path.join(runtime, "cellwall")
    return os.path.join(gettempdir(), f"cellwall-{os.geteuid()}")
