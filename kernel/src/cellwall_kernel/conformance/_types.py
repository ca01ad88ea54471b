"""What a conformance run is made of: checks, their outcomes, and the two ways in which a check ends early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from cellwall_kernel.conformance._scene import Scene  # noqa: TC004 - nobody asks for this annotation at run time

__all__ = ["Broken", "Check", "Evidence", "Level", "Outcome", "Place", "Skipped", "Verdict"]

Level = Literal["MUST", "SHOULD"]
"""How much a rule asks for, in the words of BCP 14; what a rule states without such a word is a MUST."""

Verdict = Literal["passed", "failed", "skipped"]

Place = Literal["own", "shared", "watch"]
"""Where a check happens: in processes that it starts itself, in one that it shares with others, or over
everything that was heard in the whole run."""


class Evidence(msgspec.Struct, frozen=True):
    """What shows that a rule was broken: what was sent and what came, in one line each."""

    sent: str
    came: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a plugin must or should do.

    Args:
        id: its name, for people and scripts; it never gets another meaning.
        rules: the numbers of the rules of `protocol.md` that ask for it.
        level: how much they ask for it.
        what: a plugin that passes does this; a sentence.
        advice: what the author of one that fails can do; a sentence.
        run: tries it; None for what is watched all the time.
        is_shared: it may be tried in a process in which others were tried before.
    """

    id: str
    rules: tuple[str, ...]
    level: Level = "MUST"
    what: str
    advice: str
    run: Callable[[Scene], Awaitable[None]] | None = None
    is_shared: bool = False

    @property
    def place(self) -> Place:
        """Where it happens."""
        if self.run is None:
            return "watch"
        return "shared" if self.is_shared else "own"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check.

    Args:
        check: the check.
        verdict: passed, failed or skipped.
        evidence: of a failure.
        why: a check was skipped.
    """

    check: Check
    verdict: Verdict
    evidence: Evidence | None = None
    why: str | None = None


class Broken(Exception):
    """Raised when the plugin did not do what a check is about.

    Args:
        sent: what was sent.
        came: what came instead of what should have.
    """

    def __init__(self, sent: str, came: str) -> None:
        super().__init__(f"{sent}: {came}")
        self.evidence = Evidence(sent, came)


class Skipped(Exception):
    """Raised when a check has nothing to try; the text says why."""
