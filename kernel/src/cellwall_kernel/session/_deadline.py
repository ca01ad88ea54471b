"""How long a plugin may take; there is no call without a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CANCEL_GRACE_S", "DESCRIBE_S", "SHUTDOWN_S", "STOP_S", "Deadline"]

DESCRIBE_S = 10.0
"""How long it may take to say what it offers (seconds)."""

SHUTDOWN_S = 2.0
"""How long a plugin that asked for a `shutdown` may take to answer it (seconds)."""

CANCEL_GRACE_S = 2.0
"""How long a plugin may take to answer a call that was cancelled; then its process is stopped (seconds)."""

STOP_S = 6.0
"""A bound over the whole ladder that ends a child (seconds); nobody waits longer for a process to be gone."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one call, in seconds; they count only while the host waits for the plugin.

    Args:
        total_s: from the request to the response. Ten minutes: long answers of slow machines end before.
        first_s: from the request to the first item; None = `total_s`, because a model that does not stream
            sends everything at the end.
        idle_s: from one item to the next; None = `total_s`. Five minutes: some models think that long.
    """

    total_s: float = 600.0
    first_s: float | None = None
    idle_s: float | None = 300.0

    @classmethod
    def from_settings(cls, timeouts: Mapping[str, float], *, total_s: float | None = None) -> Deadline:
        """Return the limits as the user set them.

        Args:
            timeouts: any of `total_s`, `first_s`, `idle_s`, in seconds; other names are for others.
            total_s: what the command line said; it wins.
        """
        known = {name: timeouts[name] for name in cls.__struct_fields__ if name in timeouts}
        if total_s is not None:
            known["total_s"] = total_s
        return msgspec.structs.replace(cls(), **known)

    def within(self, most_s: float | None) -> Deadline:
        """Return these limits, with no more in total than a grant allows.

        Args:
            most_s: how long one call may take, in seconds; None or 0 if nothing is said about that.
        """
        return msgspec.structs.replace(self, total_s=min(self.total_s, most_s)) if most_s else self
