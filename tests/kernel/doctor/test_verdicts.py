"""What attempts come to: verdicts, levels, and what is known without any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellwall_kernel.doctor import enforcement, quick_level
from cellwall_kernel.doctor._levels import remember, theoretical
from cellwall_kernel.doctor._probes import LINES
from cellwall_kernel.doctor._verdicts import (
    judged_limits,
    level_of_missing,
    missing_of_findings,
    unseen,
    verdicts,
)
from cellwall_kernel.doctor._words import advice_for, mechanisms_in_words
from cellwall_kernel.permissions import parse_item
from cellwall_kernel.wall import Mechanisms, Policy

if TYPE_CHECKING:
    from cellwall_kernel.doctor._report import Verdict
    from cellwall_kernel.doctor._verdicts import Outcomes
    from cellwall_kernel.paths import Paths

DONE, REFUSED, UNUSABLE = ("done", ""), ("refused", "EPERM"), ("unusable", "no such thing")
FULL = Mechanisms(landlock=7, seccomp="x86_64", asks=True, bubblewrap_problem="bubblewrap is not installed")


def of_line(name: str, outcome: tuple[str, str]) -> Outcomes:
    """The same outcome for every attempt of a line."""
    return {probe.name: outcome for probe in LINES[name].probes}


@pytest.mark.parametrize(
    ("bare", "walled", "verdict"),
    [
        (DONE, REFUSED, "refused"),
        (DONE, DONE, "open"),
        (REFUSED, DONE, "open"),
        (REFUSED, REFUSED, "untested"),
        (UNUSABLE, REFUSED, "untested"),
        (DONE, UNUSABLE, "untested"),
    ],
)
def test_a_refusal_counts_only_where_the_attempt_succeeds_bare(
    bare: tuple[str, str], walled: tuple[str, str], verdict: Verdict
) -> None:
    """sandbox.md §15: else the attempt proves nothing."""
    finding = verdicts("processes", of_line("processes", bare), of_line("processes", walled))

    assert verdict == finding.verdict
    assert {verdict} == {each.verdict for each in finding.tried}


def test_one_success_outweighs_every_refusal() -> None:
    """House rule: a line is as good as its worst attempt."""
    walled = of_line("files", REFUSED) | {"rename_in": DONE}
    finding = verdicts("files", of_line("files", DONE), walled)

    assert finding.verdict == "open"
    assert {"files": "files outside grants: not refused: move in"} == missing_of_findings([finding], {})


def test_an_attempt_that_nothing_was_heard_of_is_not_refused() -> None:
    """House rule: a probe that crashes proves nothing about what it did not reach."""
    finding = verdicts("files", of_line("files", DONE), {})

    assert finding.verdict == "untested"
    assert {"files"} == missing_of_findings([finding], {}).keys()


def test_a_promise_that_is_broken_is_missing() -> None:
    """House rule: a wall that keeps a plugin out of its own folder is broken, too."""
    finding = verdicts("own", {}, of_line("own", REFUSED))

    assert finding.verdict == "broken"
    assert "does not work" in missing_of_findings([finding], {})["own"]


def test_what_the_system_refuses_anyway_lowers_no_level() -> None:
    """Kernel policy: where a container forbids keyrings already, there is nothing left to enforce."""
    finding = verdicts("kernel", of_line("kernel", REFUSED), of_line("kernel", REFUSED))

    assert {} == missing_of_findings([finding], {})


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        (set[str](), "STRONG"),
        ({"hosts"}, "PARTIAL"),
        ({"host", "limits"}, "PARTIAL"),
        ({"files"}, "NONE"),
        ({"network", "host"}, "NONE"),
    ],
)
def test_without_files_or_network_there_is_no_sandbox(missing: set[str], level: str) -> None:
    """sandbox.md §13: the least that counts is files and network."""
    assert level == level_of_missing(dict.fromkeys(missing, "why"))


def test_what_is_known_and_what_was_seen_stand_together() -> None:
    """House rule: the sentence names what got through, and the cause where it is known."""
    finding = verdicts("granted_signals", of_line("granted_signals", DONE), {"signal": DONE})
    missing = missing_of_findings([finding], {"host": "it is old", "limits": "there are none"})

    assert {
        "host": "signals of granted programs: not refused: signal (it is old)",
        "limits": "there are none",
    } == missing


def test_a_line_that_cannot_be_enforced_says_why() -> None:
    """House rule: what was not tried is not called refused."""
    assert {"hosts": "network by name: no way"} == missing_of_findings([unseen("hosts", "no way")], {})


def test_limits_above_the_plan_or_missing_are_named() -> None:
    """sandbox.md §6: the numbers are compared, not only their presence."""
    policy = Policy(cwd="/")
    most = policy.resources
    planned = {"RLIMIT_DATA": most.memory_bytes, "RLIMIT_AS": 1 << 40, "RLIMIT_CORE": 0, "RLIMIT_NPROC": None}

    def judged(numbers: dict[str, int | None]) -> tuple[str, str]:
        return judged_limits({"limit_values": ("done", json.dumps(numbers))}, policy)["limit_values"]

    assert ("done", "not set: RLIMIT_NPROC") == judged(planned)
    assert ("refused", "as planned") == judged(planned | {"RLIMIT_NPROC": 64})
    assert "RLIMIT_CORE" in judged(planned | {"RLIMIT_NPROC": 64, "RLIMIT_CORE": 1})[1]


def test_the_last_examination_counts_as_long_as_the_machine_is_the_same(paths: Paths) -> None:
    """House rule: lists show a level without starting anything, and never one that is out of date."""
    assert quick_level(paths, FULL) == "STRONG"
    remember(paths, "PARTIAL", FULL)
    assert quick_level(paths, FULL) == "PARTIAL"
    other = msgspec.structs.replace(FULL, landlock=0)
    assert quick_level(paths, other) == "NONE"
    (paths.root / "doctor.json").write_text("{")
    assert quick_level(paths, FULL) == "STRONG"


@pytest.mark.parametrize(
    ("masked", "level"),
    [
        ({}, "STRONG"),
        ({"landlock": 4}, "PARTIAL"),
        ({"asks": False}, "PARTIAL"),
        ({"landlock": 0}, "NONE"),
        ({"landlock": 0, "bubblewrap": "/usr/bin/bwrap"}, "STRONG"),
        ({"seccomp": None, "asks": False}, "NONE"),
    ],
)
def test_mechanisms_alone_tell_a_level(masked: dict[str, object], level: str) -> None:
    """sandbox.md §5, "Layers by machine"."""
    assert level == level_of_missing(theoretical(msgspec.structs.replace(FULL, **masked)))


@pytest.mark.parametrize(
    ("item", "masked", "words"),
    [
        ("network=example.com", {}, "enforced"),
        ("network=example.com", {"asks": False}, "not enforced here: bubblewrap is not installed, and"),
        ("network=any", {"asks": False}, "enforced"),
        ("network=any", {"seccomp": None}, "not enforced here: the kernel offers no filter"),
        ("read=~/models", {"landlock": 0}, "not enforced here: the kernel has no Landlock"),
        ("read=~/models", {"asks": False}, "enforced"),
        ("spawn=any", {"landlock": 4}, "not enforced here: Landlock is too old"),
        ("key=openai", {"landlock": 0, "seccomp": None}, "enforced"),
        ("socket=docker", {}, "not enforced here: a socket can be shown alone only by bubblewrap"),
        ("memory=2G", {"seatbelt": "/usr/bin/sandbox-exec"}, "not enforced here: macOS bounds neither"),
    ],
)
def test_a_permission_is_called_enforced_only_where_it_is(
    item: str, masked: dict[str, object], words: str
) -> None:
    """sandbox.md §12: the last column of the table that asks for trust."""
    said = enforcement(parse_item(item), msgspec.structs.replace(FULL, **masked))

    assert said.startswith(words)
    assert said == words or words != "enforced"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("bubblewrap is not installed", "apt-get install bubblewrap"),
        ("bubblewrap does not start: setting up uid map: Permission denied", "bwrap-userns-restrict"),
        ("bubblewrap does not start: No permissions to create new namespace", "containers often forbid it"),
    ],
)
def test_advice_names_the_cause_and_what_would_help(problem: str, words: str) -> None:
    """sandbox.md §13: bubblewrap is an improvement, and Ubuntu's AppArmor has a profile for it."""
    (sentence,) = advice_for(Mechanisms(landlock=7, seccomp="x86_64", bubblewrap_problem=problem))

    assert sentence.startswith(problem)
    assert words in sentence


def test_seatbelt_is_marked_as_untested() -> None:
    """sandbox.md §8: nothing is promised on macOS that was not run there."""
    assert "untested until run on a Mac" in mechanisms_in_words(Mechanisms(seatbelt="/usr/bin/sandbox-exec"))
