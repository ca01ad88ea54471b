"""Plugins that asked not to be stopped while idle: one small file for each hold, as long as it lasts [P-74].

The files are in `holds/` of the user folder, so that any command can show who holds what, and for how long;
`llm plugins release` removes one, and the process that keeps the plugin notices within a second or two. A
file whose process has died, told by its id and start, is removed by whoever finds it.
"""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Self

import msgspec

from cellwall_kernel.errors import StoreProblem

if TYPE_CHECKING:
    from pathlib import Path

    from cellwall_kernel.paths import Paths

__all__ = ["MOST_S", "Hold", "Holding", "current_holds", "release"]

MOST_S = 3600.0
"""How long one hold lasts at most (seconds): a model that is costly to load survives a meal, and no night."""

MOST_REASON = 200
"""How many characters of a reason are kept."""

FOLDER = "holds"

_numbers = count(1)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A hold as its file tells it.

    Args:
        plugin: the plugin's name.
        reason: why, in the plugin's words.
        until: when it ends, in seconds since the epoch.
        pid: the process that keeps the plugin.
        started: when that was started, and `machine` where, as in the log.
        machine: as above.
    """

    plugin: str
    reason: str
    until: float
    pid: int
    started: int
    machine: str

    @property
    def sentence(self) -> str:
        """Who holds it until when and why, such as "held by process 12 until 10:11:12: because"."""
        when = time.strftime("%H:%M:%S", time.localtime(self.until))
        return f"held by process {self.pid} until {when}: {self.reason}"

    @property
    def until_utc(self) -> str:
        """When it ends, in UTC, such as "2027-01-31T12:00:00Z"."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.until))


class Hold:
    """A hold of a plugin that this process keeps.

    Args:
        path: its file; None if none could be written, which ends nothing but the user's ways to see it.
        granted_s: how long it lasts from now on, in seconds.
    """

    def __init__(self, path: Path | None, granted_s: float) -> None:
        self._path = path
        self._until = time.monotonic() + granted_s
        self.granted_ms = round(granted_s * 1000)

    @classmethod
    def begin(cls, paths: Paths, plugin: str, reason: str, max_ms: int) -> Self | None:
        """Begin a hold; None if no time was asked for.

        Raises:
            StoreProblem: its file cannot be written: what nobody could see or end is not granted.
        """
        from cellwall_kernel.private_files import replace
        from cellwall_kernel.store.host import this_host

        granted_s = min(max(max_ms, 0) / 1000, MOST_S)
        if not granted_s:
            return None
        host = this_host()
        words = " ".join("".join(c if c.isprintable() else " " for c in reason[:MOST_REASON]).split())
        holding = Holding(
            plugin=plugin,
            reason=words or "no reason given",
            until=time.time() + granted_s,
            **host._asdict(),
        )
        path = paths.folder(FOLDER) / f"{host.pid}-{next(_numbers)}.json"
        replace(path, msgspec.json.encode(holding))
        return cls(path, granted_s)

    @property
    def is_over(self) -> bool:
        """Whether its time is over, or the user has ended it."""
        return time.monotonic() >= self._until or self._path is None or not self._path.exists()

    def end(self) -> None:
        """End it: nobody sees it any more."""
        if self._path is not None:
            _remove(self._path)
            self._path = None


def current_holds(paths: Paths) -> list[Holding]:
    """Return the holds of all processes of this user, by plugin; files of the past are removed."""
    return sorted(
        (holding for _, holding in _found(paths)), key=lambda holding: (holding.plugin, holding.until)
    )


def release(paths: Paths, plugin: str) -> list[Holding]:
    """End all holds of a plugin, by its user's wish.

    Returns:
        those that there were.

    Raises:
        StoreProblem: a file cannot be removed.
    """
    ended: list[Holding] = []
    for path, holding in _found(paths):
        if holding.plugin == plugin:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreProblem(f"the hold {path} cannot be ended: {error.strerror}.") from error
            ended.append(holding)
    return ended


def _found(paths: Paths) -> list[tuple[Path, Holding]]:
    folder = paths.root / FOLDER
    if not folder.is_dir():
        return []
    from cellwall_kernel.store.host import Host, life_of

    found: list[tuple[Path, Holding]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            holding = msgspec.json.decode(path.read_bytes(), type=Holding)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # it has just ended, or is none
        host = Host(holding.pid, holding.started, holding.machine)
        if holding.until < time.time() or life_of(host) == "gone":
            _remove(path)
        else:
            found.append((path, holding))
    return found


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # it will be known to be of the past
