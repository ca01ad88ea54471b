"""How long a plugin may take; there is no call without a limit, unless the plugin is under a debugger."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel.timeouts import USUAL

if TYPE_CHECKING:
    from cellwall_kernel.timeouts import Timeouts

__all__ = ["CANCEL_GRACE_S", "SHUTDOWN_S", "STOP_S", "UNLIMITED", "Deadline"]

SHUTDOWN_S = 2.0
"""How long a plugin that asked for a `shutdown` may take to answer it (seconds)."""

CANCEL_GRACE_S = 2.0
"""How long a plugin may take to answer a call that was cancelled; then its process is stopped (seconds)."""

STOP_S = 6.0
"""A bound over the whole ladder that ends a child (seconds); nobody waits longer for a process to be gone."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one call, in seconds; they count only while the host waits for the plugin.

    Args:
        total_s: from the request to the response.
        first_s: from the request to the first item; None = `total_s`.
        idle_s: from one item to the next; None = `total_s`.
        total_from: who has set `total_s`, for the advice when it has passed.
    """

    total_s: float = USUAL.total.seconds
    first_s: float | None = USUAL.first.seconds or None
    idle_s: float | None = USUAL.idle.seconds or None
    total_from: Literal["settings", "command line", "grant", "parent"] = "settings"

    @classmethod
    def from_settings(cls, timeouts: Timeouts, *, plugin: str, total_s: float | None = None) -> Deadline:
        """Return the limits of a plugin in the command that runs, as the user set them.

        Args:
            timeouts: the settings.
            plugin: its name.
            total_s: what the command line said, in seconds; it wins.
        """
        patience = timeouts.patience(plugin)
        return cls(
            total_s=patience.total.seconds if total_s is None else total_s,
            first_s=patience.first.seconds or None,
            idle_s=patience.idle.seconds or None,
            total_from="settings" if total_s is None else "command line",
        )

    def within(self, most_s: float | None) -> Deadline:
        """Return these limits, with no more in total than a grant allows.

        Args:
            most_s: how long one call may take, in seconds; None or 0 if nothing is said about that.
        """
        if not most_s or most_s >= self.total_s:
            return self
        return msgspec.structs.replace(self, total_s=float(most_s), total_from="grant")

    def nested(self, remaining_s: float) -> Deadline:
        """Return these limits for a call that is made on behalf of another one [P-58].

        Args:
            remaining_s: what is left of the other one's time in all, in seconds; with nothing left the call
                is out of time at once.
        """
        if remaining_s >= self.total_s:
            return self
        return msgspec.structs.replace(self, total_s=max(0.0, remaining_s), total_from="parent")

    def words(self, name: str) -> str:
        """Say what has not happened when a deadline has passed: "within 3 s"."""
        match name:
            case "first":
                return f"and sent nothing for {self.first_s or 0:g} s"
            case "idle":
                return f"and sent nothing more for {self.idle_s or 0:g} s"
            case _:
                return f"within {self.total_s:g} s"

    def advice(self, name: str, plugin: str) -> str:
        """Say which deadline has passed, and what gives the plugin more time; follows "within 3 s".

        Args:
            name: of the deadline, as in `timeouts.DEADLINES`.
            plugin: the plugin's name.
        """
        more = _twice({"first": self.first_s, "idle": self.idle_s}.get(name) or self.total_s)
        cure = f"'llm plugins timeouts {plugin} {name}={more}'"
        match self.total_from if name == "total" else "settings":
            case "parent":
                return ", all that was left to the call that it was made for."
            case "command line":
                cure = "a longer --timeout"
            case "grant":
                cure = f"'llm plugins grant {plugin} deadline={more}'"
            case "settings":
                pass
        return f" (its deadline '{name}'); {cure} gives it more time."


def _twice(limit_s: float) -> str:
    """Return twice as long, as people write it."""
    from cellwall_kernel.permissions import duration_text

    return duration_text(max(1, math.ceil(2 * limit_s)))


UNLIMITED = Deadline(total_s=math.inf, idle_s=None)
"""For an attached plugin alone, which may stand in a debugger: a call ends when it does, or by its user."""
