"""The breaker: a plugin that crashes again and again is not started for a while.

    closed       it starts; CRASHES crashes within WINDOW_S open the breaker
    open         it does not start for COOL_DOWN_S, twice as long each time it opens again, up to LONGEST_S
    half open    then one start is let through: a crash opens the breaker again, any other end closes it

What counts is a process that ended by itself while it was needed (`PluginCrashed`, `CrashedAtStart`), or that
was stopped because it broke the protocol or used more than it may (`PluginMisbehaved`, `LimitExceeded`): each
costs a start and an answer, and the next may be no better. What does not count: whatever the user ended, a
deadline, an error that the plugin answered with (its provider's, or about an option or key), a plugin that
the wall or its grants refuse, and an import that fails. That one is told in full every time, and soon.

The state is `crashes.json` in the user folder, by `PluginRecord.grant_key`; it belongs to one version of the
plugin and to one grant, since a new one of either may be the cure. It protects comfort and not security: a
file that is damaged, from the future or not writable counts as empty. Without a file, asking costs an attempt
to open it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import (
    CrashedAtStart,
    LimitExceeded,
    PluginCrashed,
    PluginMisbehaved,
    Quarantined,
    StoreProblem,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.discovery import PluginRecord
    from cellwall_kernel.paths import Paths

__all__ = ["Breaker", "pause_s"]

CRASHES = 3
"""How many crashes open the breaker: one is an accident, two may be bad luck."""

WINDOW_S = 5 * 60.0
"""Within which time they must happen (seconds); what happens once an hour is no loop."""

COOL_DOWN_S = 5 * 60.0
"""How long the breaker stays open for the first time (seconds)."""

LONGEST_S = 60 * 60.0
"""How long it stays open at most, and after how long without a crash all is forgotten (seconds)."""

TRIAL_S = 60.0
"""How long others wait for the one start that is let through (seconds): its command may have been killed."""

LOCK_WAIT_S = 1.0
"""How long a change waits for another command's (seconds); then it is left out."""

PAUSE_S = 0.1
"""How long a command waits before it starts a plugin again that has crashed once (seconds)."""

LONGEST_PAUSE_S = 5.0
"""How long it waits at most, after many crashes (seconds)."""

MAX_WORDS = 300
"""How many characters are kept of what the last crash was."""

COUNTED = (PluginCrashed, CrashedAtStart, PluginMisbehaved, LimitExceeded)


class _Trouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one plugin's crashes; times are seconds since the epoch.

    Args:
        about: which version and which grant it is about.
        crashes: when it crashed while the breaker was closed, oldest first.
        last: when it crashed last.
        words: what that was.
        openings: how many times the breaker has opened.
        until: when it may be tried again; 0 while the breaker is closed.
        tried_at: when a start was let through; 0 if none is under way.
        tried_by: the process that was let through.
    """

    about: str
    crashes: tuple[float, ...] = ()
    last: float = 0.0
    words: str = ""
    openings: int = 0
    until: float = 0.0
    tried_at: float = 0.0
    tried_by: int = 0

    def holds(self, now: float) -> bool:
        """Whether it says anything about the present: it is not long ago, and not from the future."""
        return self.last <= now <= max(self.last, self.until) + LONGEST_S and self.until <= now + LONGEST_S

    def is_tried(self, now: float) -> bool:
        """Whether a start was let through and may still be under way."""
        return self.tried_at <= now < self.tried_at + TRIAL_S

    def crashed(self, now: float, words: str) -> _Trouble:
        """Return what is known after one more crash."""
        known = msgspec.structs.replace(self, last=now, words=words)
        if now < self.until:
            return known  # it had been started before the breaker opened
        crashes = (*(at for at in self.crashes if now - WINDOW_S < at <= now), now)
        if not self.until and len(crashes) < CRASHES:
            return msgspec.structs.replace(known, crashes=crashes)
        return msgspec.structs.replace(
            known,
            crashes=(),
            openings=self.openings + 1,
            until=now + min(COOL_DOWN_S * 2.0 ** max(0, min(self.openings, 30)), LONGEST_S),
            tried_at=0.0,
            tried_by=0,
        )


class _Content(msgspec.Struct, kw_only=True):
    """The file."""

    plugins: dict[str, _Trouble] = {}


class Breaker:
    """Decides whether a plugin is started, from how it has ended lately.

    Args:
        paths: the user folder.
        clock: tells the time, in seconds since the epoch.
    """

    def __init__(self, paths: Paths, *, clock: Callable[[], float] = time.time) -> None:
        self._paths = paths
        self._clock = clock

    def quarantine(self, record: PluginRecord) -> Quarantined | None:
        """Return why a plugin would not be started now; None if it would."""
        return self._refusal(record, self._known(self._read(), record))

    def admit(self, record: PluginRecord) -> None:
        """Let a plugin start, or not; the one start after a cool-down is noted.

        Raises:
            Quarantined: it is not started for now.
        """
        trouble = self._known(self._read(), record)
        refusal = self._refusal(record, trouble)

        def let_through(trouble: _Trouble) -> _Trouble:
            nonlocal refusal
            refusal = self._refusal(record, trouble)  # another command may have been quicker
            if refusal is not None or not trouble.until:
                return trouble
            return msgspec.structs.replace(trouble, tried_at=self._clock(), tried_by=os.getpid())

        if refusal is None and trouble.until:
            self._change(record, let_through)
        if refusal is not None:
            raise refusal

    @staticmethod
    def counts(problem: BaseException | None) -> bool:
        """Whether a problem is a crash; see the module's docstring."""
        return isinstance(problem, COUNTED)

    def note(self, record: PluginRecord, problem: BaseException | None) -> None:
        """Note how a plugin that was started has ended, or that it works.

        Args:
            record: the plugin.
            problem: what was the matter; None if nothing was.
        """
        if isinstance(problem, COUNTED):
            now, words = self._clock(), problem.message[:MAX_WORDS]
            self._change(record, lambda trouble: trouble.crashed(now, words))
        elif self._known(self._read(), record).tried_by == os.getpid():
            self._change(record, _closed)

    def forget(self, record: PluginRecord) -> bool:
        """Let a plugin start again, by its user's wish.

        Returns:
            whether it was quarantined.

        Raises:
            StoreProblem: the file cannot be written.
        """
        was_quarantined = self.quarantine(record) is not None
        if record.grant_key in self._read():
            self._write(record.grant_key, lambda _: None)
        return was_quarantined

    def _refusal(self, record: PluginRecord, trouble: _Trouble) -> Quarantined | None:
        now = self._clock()
        if now < trouble.until:
            often = f"crashed {CRASHES} times within {WINDOW_S / 60:.0f} minutes"
            when = time.strftime("%H:%M", time.localtime(trouble.until + 59))  # the minute when it is over
            cause = f"{often if trouble.openings == 1 else 'keeps crashing'} and is quarantined until {when}"
            return Quarantined(record.name, cause, until=trouble.until, last=trouble.words)
        if trouble.until and trouble.is_tried(now):
            cause = "is quarantined while another command tries whether it still crashes"
            return Quarantined(record.name, cause, until=trouble.tried_at + TRIAL_S, last=trouble.words)
        return None

    # -- the file --------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, _Trouble]:
        try:
            descriptor = os.open(self._paths.crashes, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return {}
        try:
            with os.fdopen(descriptor, "rb") as stream:
                return msgspec.json.decode(stream.read(), type=_Content).plugins
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def _known(self, plugins: dict[str, _Trouble], record: PluginRecord) -> _Trouble:
        """Return what is known of a plugin as it is now, with this version, grant and time."""
        trouble = plugins.get(record.grant_key)
        if trouble is None:
            return _Trouble(about="")
        is_about_it = trouble.about == self._about(record) and trouble.holds(self._clock())
        return trouble if is_about_it else _Trouble(about="")

    def _about(self, record: PluginRecord) -> str:
        from cellwall_kernel.grants import Grants

        granted_at = ""
        with suppress(StoreProblem):  # nothing starts then, and somebody else says so
            granted_at = Grants.load(self._paths).of(record).granted_at
        return f"{record.key} {granted_at}".rstrip()

    def _change(self, record: PluginRecord, change: Callable[[_Trouble], _Trouble]) -> None:
        """Change what is known of a plugin, if that can be; it is not worth an error."""
        about = self._about(record)

        def changed(plugins: dict[str, _Trouble]) -> _Trouble:
            known = self._known(plugins, record)
            return change(msgspec.structs.replace(known, about=about))

        with suppress(StoreProblem):
            self._write(record.grant_key, changed)

    def _write(self, key: str, change: Callable[[dict[str, _Trouble]], _Trouble | None]) -> None:
        from cellwall_kernel.private_files import locked, replace

        self._paths.folder()
        with locked(self._paths.crashes, wait_s=LOCK_WAIT_S):
            plugins, now = self._read(), self._clock()
            trouble = change(plugins)
            others = {name: other for name, other in plugins.items() if name != key and other.holds(now)}
            kept = others if trouble is None else {**others, key: trouble}
            replace(self._paths.crashes, msgspec.json.encode(_Content(plugins=kept)) + b"\n")


def pause_s(crashes: int, chance: float) -> float:
    """Return how long to wait before a plugin is started again.

    Args:
        crashes: how many times it crashed while this command needed it, at least once.
        chance: a number from 0 to 1, drawn anew each time, so that many commands do not start it together.

    Returns:
        seconds: PAUSE_S, doubled with every further crash up to LONGEST_PAUSE_S, of which at least half.
    """
    longest = min(PAUSE_S * 2.0 ** min(max(crashes, 1) - 1, 30), LONGEST_PAUSE_S)
    return longest * (1 + chance) / 2


def _closed(trouble: _Trouble) -> _Trouble:
    """Return what is known of a plugin whose trial went well: how often the breaker opened is remembered."""
    return _Trouble(about=trouble.about, last=trouble.last, words=trouble.words, openings=trouble.openings)
