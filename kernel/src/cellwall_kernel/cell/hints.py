"""Hints: what a plugin tries that its wall will refuse, told to the host, so that the user learns of it.

They are a courtesy of Python's audit events and never the boundary: code that does not go through the
interpreter leaves none, and code that wants to can forge them. The host treats them as such.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["tell_attempts"]

MOST_TOLD = 50
"""How many different attempts are told."""

LONGEST_TEXT = 1000
"""How many bytes of a path or a name are told."""

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CHANGES = frozenset(
    {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
)
LOOKS = frozenset({"os.listdir", "os.scandir"})
STARTS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"})
REACHES = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})
HEARD = frozenset({"open", *CHANGES, *LOOKS, *STARTS, *REACHES})


class Hints:
    """Tells the host what is tried; only what could be refused, and each thing once.

    Args:
        report: the channel to the host, non-blocking: a host that does not listen costs nothing.
        allowed: beginnings of paths that are not worth a word.
    """

    def __init__(self, report: int, allowed: tuple[str, ...]) -> None:
        self._report = report
        self._allowed = allowed
        self._told: set[bytes] = set()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event. Nothing may be raised here: it would stop what the plugin is about to do."""
        if event not in HEARD or (event == "open" and self._is_allowed(arguments[0])):
            return
        try:
            self._heed(event, arguments)
        except Exception:  # noqa: BLE001 - see above
            return

    def _is_allowed(self, path: object) -> bool:
        return type(path) is str and path.startswith(self._allowed)

    def _heed(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            self._tell_path("write" if flags and flags & WRITE_FLAGS else "read", path)
        elif event in LOOKS:
            self._tell_path("read", arguments[0])
        elif event in CHANGES:
            self._tell_path("write", arguments[0])
        elif event in REACHES:
            self._tell("reach", place(event, arguments))
        else:
            self._tell("start", os.fsdecode(arguments[0]))

    def _tell_path(self, kind: str, path: Any) -> None:
        if not isinstance(path, int):  # a descriptor was opened, and told, before
            full = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path)))
            if not full.startswith(self._allowed):
                self._tell(kind, full)

    def _tell(self, kind: str, text: str) -> None:
        message = kind.encode() + b"\0" + os.fsencode(text)[:LONGEST_TEXT]
        if message not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(message)
            os.write(self._report, message)


def tell_attempts(report: int, allowed: tuple[str, ...]) -> None:
    """From now on tell the host what is tried; arguments as for `Hints`."""
    os.set_blocking(report, False)
    sys.addaudithook(Hints(report, allowed).hear)


def place(event: str, arguments: tuple[Any, ...]) -> str:
    """Return where an event of the network leads, as HOST:PORT or HOST."""
    place: Any = arguments if event.startswith("socket.get") else arguments[1]
    if isinstance(place, (str, bytes)):  # of a Unix socket
        return os.fsdecode(place)
    host, port = place[0], place[1] if len(place) > 1 else None
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host
