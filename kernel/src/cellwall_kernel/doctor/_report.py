"""What the doctor found, as data: the text and `--json` are made from it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["LEVELS", "Finding", "Level", "Report", "StartCost", "Tried", "Verdict"]

Level = Literal["NONE", "PARTIAL", "STRONG"]

LEVELS: tuple[Level, ...] = ("NONE", "PARTIAL", "STRONG")
"""From weak to strong."""

Verdict = Literal["refused", "open", "untested", "works", "broken"]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Args:
        name: the attempt.
        words: what it is, in a word or two.
        verdict: "refused": the wall refused it, and without a wall it succeeds. "open": it succeeded.
            "untested": it does not succeed without a wall either, or nothing was heard of it. "works" and
            "broken": of what must be possible.
        text: the error that it met, or what else there is to say.
    """

    name: str
    words: str
    verdict: Verdict
    text: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what a wall promises, and what the attempts at it came to.

    Args:
        name: the line.
        aspect: what it belongs to, in the words of `confinement.ASPECTS` where there is one.
        title: for people.
        verdict: "refused" if none succeeded and at least one was refused; "open" if one succeeded.
        tried: the attempts.
        text: more for people; may be empty.
    """

    name: str
    aspect: str
    title: str
    verdict: Verdict
    tried: tuple[Tried, ...] = ()
    text: str = ""


class StartCost(msgspec.Struct, frozen=True):
    """What a start costs, in milliseconds: medians of several real starts.

    Args:
        bare: without a wall.
        walled: with it.
        wall: the difference between one start and the next; on a busy machine not that of the other two.
    """

    bare: float
    walled: float
    wall: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on this machine.

    Args:
        level: how strong the sandbox is.
        missing: aspect -> why it is not enforced.
        made_of: what enforces it, in words; empty if nothing does.
        mechanisms: the same as numbers and paths; see `wall.Mechanisms`.
        findings: the lines.
        start: what a start costs; None if that is not known.
        not_covered: what no line promises, as sentences.
        advice: what would make it stronger, as sentences.
    """

    level: Level
    missing: dict[str, str] = {}
    made_of: str = ""
    mechanisms: dict[str, Any] = {}
    findings: tuple[Finding, ...] = ()
    start: StartCost | None = None
    not_covered: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
