"""From what the cells said to findings, and from findings to a level."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from cellwall_kernel.doctor._probes import LINES
from cellwall_kernel.doctor._report import Finding, Tried

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwall_kernel.doctor._probes import Probe
    from cellwall_kernel.doctor._report import Level, Verdict
    from cellwall_kernel.wall import Policy

__all__ = ["Outcomes", "judged_limits", "level_of_missing", "missing_of_findings", "unseen", "verdicts"]

Outcomes = dict[str, tuple[str, str]]
"""Name of an attempt -> a word ("done", "refused", "unusable") and a text."""

GOOD: frozenset[str] = frozenset({"refused", "works"})


def verdicts(name: str, bare: Outcomes, walled: Outcomes) -> Finding:
    """Return the finding of one line.

    Args:
        name: the line.
        bare: what came of the attempts without a wall.
        walled: and with the line's own.
    """
    line = LINES[name]
    tried = tuple(_tried(probe, bare.get(probe.name), walled.get(probe.name)) for probe in line.probes)
    return Finding(name=name, aspect=line.aspect, title=line.title, verdict=_sum(tried), tried=tried)


def unseen(name: str, cause: str) -> Finding:
    """Return the finding of a line whose attempts were not made, because it cannot be enforced here."""
    line = LINES[name]
    return Finding(name=name, aspect=line.aspect, title=line.title, verdict="open", text=cause)


def missing_of_findings(findings: Sequence[Finding], known: Mapping[str, str]) -> dict[str, str]:
    """Return which aspects are not enforced, and why.

    Args:
        findings: what was seen.
        known: what the mechanisms cannot do, by aspect: it counts even if nothing was seen of it.
    """
    missing: dict[str, str] = {}
    for finding in findings:
        if finding.verdict in GOOD or (finding.verdict == "untested" and not LINES[finding.name].needs_proof):
            continue
        cause = f"{finding.title}: {cause_of(finding)}"
        if finding.aspect in known and known[finding.aspect] not in cause:
            cause = f"{cause} ({known[finding.aspect]})"
        missing.setdefault(finding.aspect, cause)
    return missing | {aspect: cause for aspect, cause in known.items() if aspect not in missing}


def cause_of(finding: Finding) -> str:
    """Say in a few words why a finding is not good."""
    if finding.text:
        return finding.text
    named = {
        verdict: ", ".join(each.words for each in finding.tried if each.verdict == verdict)
        for verdict in ("open", "broken")
    }
    if named["open"]:
        return f"not refused: {named['open']}"
    if named["broken"]:
        return f"does not work: {named['broken']}"
    return "nothing was seen to be refused"


def level_of_missing(missing: Mapping[str, str]) -> Level:
    """Return the level: none without files and network, else how much is there."""
    if "files" in missing or "network" in missing:
        return "NONE"
    return "PARTIAL" if missing else "STRONG"


def judged_limits(outcomes: Outcomes, policy: Policy) -> Outcomes:
    """Replace what the cell says of its limits by whether they are as low as the policy wants them."""
    if "limit_values" not in outcomes:
        return outcomes
    word, text = outcomes["limit_values"]
    if word != "done":
        return outcomes
    found = cast("dict[str, int | None]", json.loads(text))
    numbers = policy.resources
    most = {
        "RLIMIT_DATA": numbers.memory_bytes + policy.extra_address_bytes,
        "RLIMIT_FSIZE": numbers.file_size_bytes,
        "RLIMIT_NOFILE": numbers.files,
        "RLIMIT_CORE": 0,
    }
    above = [name for name, value in found.items() if value is None or value > most.get(name, value)]
    judged = ("done", f"not set: {', '.join(above)}") if above else ("refused", "as planned")
    return {**outcomes, "limit_values": judged}


def _tried(probe: Probe, bare: tuple[str, str] | None, walled: tuple[str, str] | None) -> Tried:
    verdict, text = _verdict(probe, bare, walled)
    return Tried(name=probe.name, words=probe.words, verdict=verdict, text=text)


def _verdict(
    probe: Probe, bare: tuple[str, str] | None, walled: tuple[str, str] | None
) -> tuple[Verdict, str]:
    if walled is None:
        return ("broken" if probe.is_promise else "untested"), "nothing was heard of it"
    word, text = walled
    if probe.is_promise:
        return ("works" if word == "done" else "broken"), text
    if word == "done":
        return "open", text
    if word == "unusable":
        return "untested", text
    if probe.needs_bare and (bare is None or bare[0] != "done"):
        return "untested", f"without a wall: {bare[1] if bare is not None else 'nothing was heard of it'}"
    return "refused", text


def _sum(tried: Sequence[Tried]) -> Verdict:
    """Return the verdict of a line: the worst, but one that could not be tested does not hide the others."""
    found: set[Verdict] = {each.verdict for each in tried}
    order: tuple[Verdict, ...] = ("open", "broken", "refused", "works", "untested")
    return next(verdict for verdict in order if verdict in found)
