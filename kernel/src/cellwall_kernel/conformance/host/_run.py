"""The run: every scenario in a folder of its own, some at a time, and the verdict on each check."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec

from cellwall_kernel.conformance._report import Report
from cellwall_kernel.conformance._types import Evidence, Outcome
from cellwall_kernel.conformance._words import printable
from cellwall_kernel.conformance.host._checks import CHECKS
from cellwall_kernel.conformance.host._drive import Stage, own_program
from cellwall_kernel.conformance.host._scenarios import GREETING, KEY, SCENARIOS
from cellwall_kernel.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwall_kernel.conformance._types import Check
    from cellwall_kernel.conformance.host._drive import Ended
    from cellwall_kernel.conformance.host._scenarios import Scenario, Step

__all__ = ["Finding", "HostConformance", "HostReport"]

AT_ONCE = 4
"""How many scenarios run at a time: most of the time of most is waiting."""

STEP_S, EARLY_S, LATE_S = 2.0, 0.2, 4.0
"""A step of the ladder, and how much earlier or later it may come on a busy machine (seconds)."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario has shown about a check; `passed` is None where there was nothing to try."""

    check: str
    passed: bool | None
    sent: str = ""
    came: str = ""


class HostReport(Report, frozen=True, kw_only=True):
    """What came of a run; `plugin` and `version` are the host's."""

    def as_members(self) -> dict[str, Any]:
        """Return the members of the report in JSON; all of them are always there."""
        members = super().as_members()
        del members["model"]
        return {"host": members.pop("plugin"), **members}


class HostConformance:
    """A conformance run of a host.

    Args:
        program: the words that start its command line; by default this one's.
        scenarios: what is tried; what belongs to others is left out of the report.
    """

    def __init__(
        self,
        program: tuple[str, ...] | None = None,
        *,
        scenarios: Sequence[Scenario] = SCENARIOS,
    ) -> None:
        self._program = program or own_program()
        self._scenarios = scenarios
        self._stages: list[Stage] = []
        self._findings: dict[str, list[Finding]] = {}
        self._ends: dict[str, str] = {}

    def kill_now(self) -> None:
        """Have every host that runs killed, without waiting; safe in a signal handler."""
        for stage in self._stages:
            stage.kill()

    async def run(self) -> HostReport:
        """Try everything.

        Raises:
            OSError: the folders cannot be made, or the program cannot be started.
        """
        limiter = anyio.CapacityLimiter(AT_ONCE)
        with tempfile.TemporaryDirectory(prefix="cellwall-probe-", ignore_cleanup_errors=True) as folder:
            stages: dict[str, Stage] = {}
            for scenario in self._scenarios:
                stages[scenario.name] = Stage(Path(folder, scenario.name), scenario, self._program)
            self._stages = list(stages.values())
            try:
                async with anyio.create_task_group() as tasks:
                    for scenario in self._scenarios:
                        tasks.start_soon(self._try, scenario, stages[scenario.name], limiter)
            finally:
                self.kill_now()
        return HostReport(
            plugin="cellwall", version=VERSION, model=None, outcomes=list(self._outcomes()), log=""
        )

    async def _try(self, scenario: Scenario, stage: Stage, limiter: anyio.CapacityLimiter) -> None:
        """Play one scenario in a thread, which ends at once when its host is killed."""
        async with limiter:
            try:
                found = await anyio.to_thread.run_sync(played, scenario, stage, abandon_on_cancel=True)
            except anyio.get_cancelled_exc_class():
                stage.kill()
                raise
        for finding in found:
            self._findings.setdefault(finding.check, []).append(finding)
        for check in scenario.shows:
            self._ends[check] = next((each.came for each in found if each.check == ""), "")

    def _outcomes(self) -> Iterator[Outcome]:
        shown = {check for scenario in self._scenarios for check in scenario.shows}
        elsewhere = {check for scenario in SCENARIOS for check in scenario.shows} - shown
        for check in CHECKS:
            if check.id not in elsewhere:
                yield self._outcome(check)

    def _outcome(self, check: Check) -> Outcome:
        found = self._findings.get(check.id, [])
        failed = next((each for each in found if each.passed is False), None)
        if failed is not None:
            evidence = Evidence(printable(failed.sent), printable(failed.came))
            return Outcome(check=check, verdict="failed", evidence=evidence)
        skipped = next((each for each in found if each.passed is None), None)
        if skipped is not None:
            return Outcome(check=check, verdict="skipped", why=skipped.came)
        if any(each.sent for each in found):
            return Outcome(check=check, verdict="passed")
        came = self._ends.get(check.id, "the probe was never started")
        return Outcome(
            check=check,
            verdict="failed",
            evidence=Evidence("the scenario", printable(f"nothing was seen; {came}")),
        )


def played(scenario: Scenario, stage: Stage) -> list[Finding]:
    """Play a scenario to its end and return what it has shown."""
    for arguments in scenario.before:
        ended = stage.prepare(*arguments)
        if ended.code != 0:
            return [Finding(check="", passed=None, came=f"{' '.join(arguments[:2])}: {ended.told}")]
    endings = [(step, stage.run(step)) for step in scenario.steps]
    notes = stage.notes
    findings = [
        Finding(check=each["check"], passed=None, came=each["skipped"])
        if "skipped" in each
        else Finding(check=each["check"], passed=each["passed"], sent=each["sent"], came=each["came"])
        for each in notes
        if "check" in each
    ]
    judged = {each.check for each in findings}
    ends = [(step, ended, fault_of(step, ended)) for step, ended in endings]
    for step, ended, fault in ends:
        for check in scenario.shows if fault else unseen(scenario, judged):
            sent = f"{scenario.name}: {' '.join(step.arguments)}"
            came = f"{fault}; {ended.told}" if fault else ended.told
            findings.append(Finding(check=check, passed=not fault, sent=sent, came=came))
    findings += judged_here(scenario, stage, [ended for _, ended in endings], notes)
    findings.append(Finding(check="", passed=None, came=endings[-1][1].told))
    return findings


BY_ENDING = {
    "plain",
    "hello-strange",
    "unknown-things",
    "unknown-error",
    "framing",
    "unopened-part",
    "partial-answer",
    "crash-told",
    "host-code",
    "option-refusal",
    "capabilities",
    "terminal",
}
"""Checks about which the ending of the command is all that is seen."""


def unseen(scenario: Scenario, judged: set[str]) -> Iterable[str]:
    """Return the checks for which a good ending is enough."""
    return [check for check in scenario.shows if check in BY_ENDING and check not in judged]


def fault_of(step: Step, ended: Ended) -> str:
    """Say what is wrong with how a command ended; empty if nothing is."""
    both = ended.out + ended.err
    if ended.code is None:
        return "the command did not end"
    if step.ends == "answer" and (ended.code != 0 or GREETING not in ended.out):
        return "the command did not give the answer"
    if step.ends == "error" and ended.code == 0:
        return "the command did not tell of an error"
    if "Traceback" in both:
        return "the command ended with a traceback"
    missing = [each for each in step.says if each not in both]
    if missing:
        return f"the command did not say {missing[0]!r}"
    present = [each for each in step.never if each in both]
    return f"the command said {present[0]!r}" if present else ""


def judged_here(
    scenario: Scenario, stage: Stage, endings: list[Ended], notes: list[dict[str, Any]]
) -> Iterator[Finding]:
    """Judge what the probe cannot see."""
    cues = [each for each in notes if "cue" in each]
    match scenario.name:
        case "surrogates":
            yield _found("surrogate-replaced", "\ufffd" in endings[0].out, "a lone surrogate", endings[0].out)
        case "crash":
            count = sum(each["cue"] == "prompted" for each in cues)
            yield _found("asked-once", count == 1, "a crash in the middle of an answer", f"{count} prompts")
        case "chain":
            count = sum(each["cue"] == "described" for each in cues)
            yield _found("describe-rarely", count <= 1, "two prompts", f"{count} times plugin/describe")
        case "keys":
            places = ", ".join(files_with(stage.folder, KEY))
            yield _found("keys-not-written", not places, "a prompt that uses a key, with a trace", places)
        case "deaf" | "lingers":
            yield from killed(cues)
        case _:
            return


def killed(cues: list[dict[str, Any]]) -> Iterator[Finding]:
    """Judge when the probe was killed after SIGTERM, by the last sign of life that it gave."""
    told = [each["when"] for each in cues if each["cue"] == "term"]
    beats = [each["at"] for each in cues if each["cue"] == "beat"]
    if not told or not beats:
        return
    took = beats[-1] - told[0]
    was_killed = not any(each["cue"] == "never killed" for each in cues)
    passed = was_killed and STEP_S - EARLY_S <= took <= STEP_S + LATE_S
    yield _found("ladder-kill", passed, "staying after SIGTERM", f"the last sign of life after {took:.2f} s")


def files_with(folder: Path, text: str) -> list[str]:
    """List the files below a folder that hold a text, but for the one that keeps keys."""
    found: list[str] = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if name != "keys.json" and path.is_file() and text.encode() in path.read_bytes():
                found.append(str(path.relative_to(folder)))
    return sorted(found)


def _found(check: str, passed: bool, sent: str, came: str) -> Finding:
    return Finding(check=check, passed=passed, sent=sent, came=came)
