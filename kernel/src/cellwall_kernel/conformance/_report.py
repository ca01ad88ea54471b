"""The report: all outcomes as data, and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cellwall_kernel.conformance._examples import EXAMPLE
from cellwall_kernel.conformance._types import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Report"]

GAP = "  "


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run.

    Args:
        plugin: its name.
        version: its version; empty if it has none.
        model: the model that was prompted; None if there was none.
        outcomes: one for each check, in the order of the table.
        log: the last lines that it printed.
    """

    plugin: str
    version: str
    model: str | None
    outcomes: list[Outcome]
    log: str

    def of(self, verdict: Verdict) -> list[Outcome]:
        """Return the outcomes of one kind, what must be before what should be."""
        found = [outcome for outcome in self.outcomes if outcome.verdict == verdict]
        return sorted(found, key=lambda outcome: outcome.check.level)

    @property
    def conforms(self) -> bool:
        """Whether the plugin does everything that it must, as far as was tried."""
        return not self._failures

    @property
    def _failures(self) -> list[Outcome]:
        return [outcome for outcome in self.of("failed") if outcome.check.level == "MUST"]

    def as_members(self) -> dict[str, Any]:
        """Return the members of the report in JSON; all of them are always there."""
        return {
            "plugin": self.plugin,
            "version": self.version,
            "model": self.model,
            "conforms": self.conforms,
            "passed": len(self.of("passed")),
            "failed": len(self.of("failed")),
            "skipped": len(self.of("skipped")),
            "checks": [as_members(outcome) for outcome in self.outcomes],
        }

    def lines(self, *, verbose: bool = False) -> Iterator[str]:
        """Give the lines for people, what failed first.

        Args:
            verbose: also what passed, and what the plugin printed.
        """
        failed, skipped, passed = self.of("failed"), self.of("skipped"), self.of("passed")
        width = max((len(outcome.check.id) for outcome in self.outcomes), default=0)
        for outcome in failed:
            yield from _failure(outcome, width)
        for outcome in skipped:
            yield GAP.join(("skipped", outcome.check.id.ljust(width), outcome.why or ""))
        for outcome in passed if verbose else ():
            yield GAP.join(("passed ", outcome.check.id.ljust(width), outcome.check.what))
        if verbose and self.log:
            yield "what it printed last:"
            yield from (f"    {line}" for line in self.log.splitlines())
        name = f"{self.plugin} {self.version}".rstrip()
        prompted = f", prompting '{self.model}'" if self.model is not None else ""
        counts = f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped"
        word = "speaks the protocol" if self.conforms else "does not keep to the protocol"
        if not self.conforms and all(outcome.check.id.startswith(EXAMPLE) for outcome in self._failures):
            word = "speaks the protocol, but does not answer as its manifest says"
        yield f"'{name}' {word}: {counts}{prompted}."


def _failure(outcome: Outcome, width: int) -> Iterator[str]:
    check, evidence = outcome.check, outcome.evidence
    rules = ", ".join(check.rules)
    yield GAP.join(("FAILED ", check.id.ljust(width), f"{check.level} [{rules}]  {check.what}"))
    margin = " " * (len("FAILED ") + len(GAP) + width) + GAP
    if evidence is not None:
        yield f"{margin}sent:    {evidence.sent}"
        yield f"{margin}came:    {evidence.came}"
    yield f"{margin}advice:  {check.advice}"


def as_members(outcome: Outcome) -> dict[str, Any]:
    """Return the members of one outcome."""
    check, evidence = outcome.check, outcome.evidence
    return {
        "id": check.id,
        "rules": list(check.rules),
        "level": check.level,
        "what": check.what,
        "outcome": outcome.verdict,
        "sent": evidence.sent if evidence is not None else None,
        "came": evidence.came if evidence is not None else None,
        "why": outcome.why,
        "advice": check.advice,
    }
