"""The conformance run: what conforms passes, and each broken rule is found by the check that is about it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwall_kernel.conformance import CHECKS, Broken, Conformance, Report
from cellwall_kernel.conformance._types import Check
from cellwall_kernel.discovery import Environment, PluginRecord, discover
from cellwall_kernel.errors import PluginBroken
from tests.kernel.conformance.hand import BY_HAND, PROGRAMS, install_program, report_on

if TYPE_CHECKING:
    from cellwall_kernel.conformance._scene import Scene
    from cellwall_kernel.paths import Paths

pytestmark = pytest.mark.anyio

FAULTS = {
    "a number as finish": {"prompt"},
    "an error without a message": {"error-shape"},
    "another digest": {"describe-same"},
    "another version": {"handshake", "version-highest"},
    "answers notifications": {"unknown-notification"},
    "answers twice": {"answers-once"},
    "any id": {"id-kinds"},
    "any model": {"unknown-model"},
    "any option": {"bad-options"},
    "any params": {"bad-params"},
    "closes no part": {"stream-items"},
    "counts wrong": {"item-count"},
    "embeds each piece": {"embed-pieces"},
    "embeds on after a cancel": {"embed-cancel"},
    "embeds the first text": {"embed-vectors"},
    "overlooks an empty end": {"embed-empty"},
    "data after the end": {"data-order"},
    "dies of blank lines": {"blank-lines"},
    "dies of carriage returns": {"carriage-return"},
    "dies of junk": {"junk"},
    "dies of stray answers": {"stray-answers"},
    "dies of surrogates": {"lone-surrogates"},
    "dies of unknown calls": {"unknown-calls"},
    "dies without a key": {"no-key"},
    "drops calls at shutdown": {"shutdown-open-calls"},
    "exit code 3": {"exit-code", "shutdown"},
    "forgets ids": {"answers-once", "id-reused"},
    "forty lines a read": {"many-requests"},
    "goes on after shutdown": {"shutdown-refuses"},
    "ignores cancel": {"cancel", "cancel-soon"},
    "items without a tag": {"stream-items"},
    "kinds of its own": {"error-kind"},
    "leaves after a refusal": {"version-retry"},
    "leaves out jsonrpc": {"message-shape", "unknown-method"},
    "long data lines": {"data-line", "small-credit"},
    "needs all members": {"first-line-frozen"},
    "needs known limits": {"unknown-members"},
    "needs no credit": {"credit-kept"},
    "needs whole lines": {"pieces"},
    "no count of items": {"items-sent"},
    "no digest": {"describe"},
    "no first ping": {
        *("ping", "version-highest", "blank-lines", "carriage-return", "pieces", "long-lines", "id-reused")
    },
    "no lists of versions": {"version-unsupported"},
    "no parent": {"keys-parent"},
    "no ping while busy": {"ping-while-busy"},
    "no shutdown": {"shutdown", "shutdown-open-calls", "shutdown-refuses"},
    "one id for all": {"own-ids"},
    "prints": {"only-protocol"},
    "repeats surrogates": {"valid-json"},
    "short buffer": {"first-line-long", "long-lines"},
    "silent about methods": {"unknown-method"},
    "skips a number": {"data-order"},
    "starts early": {"not-initialized"},
    "stays": {"end-busy", "end-idle", "shutdown"},
    "stays when new": {"end-new"},
    "stays while busy": {"end-busy"},
    "takes batches": {"batches"},
    "takes no credit": {"ping-while-busy", "shutdown-open-calls", "small-credit"},
    "takes one message": {"conversation"},
    "too much progress": {"progress-rate"},
    "too new": {"version-highest"},
    "undeclared key": {"keys-declared"},
    "writes NaN": {"valid-json"},
    "writes long lines": {"line-length", "too-large"},
}
"""What is wrong with the program -> the checks that say so, and no others do."""

UNSTARTABLE = {
    "silent": "nothing within 10 s",
    "wrong_version": "1002",
}
"""Programs of the zoo that cannot be checked -> a word of the sentence that says why."""

ZOO = {
    "answers_in_another_version": "handshake",
    "answers_twice": "answers-once",
    "floods_junk": "only-protocol",
    "miscounts_items": "item-count",
    "overdraws_credit": "data-order",
    "says_some_junk": "only-protocol",
    "skips_data": "data-order",
}
"""Programs of the zoo, which answer one call and no more -> a check that fails among others."""

PATIENCE_S = 2.0


@pytest.fixture(autouse=True)
def _python_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `python3` mean the interpreter that runs the tests, and not a script in front of it."""
    folder = Path(sys.executable).resolve().parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def ids_of(report: Report, verdict: str) -> set[str]:
    """List the checks with a verdict."""
    return {outcome.check.id for outcome in report.outcomes if outcome.verdict == verdict}


def bundled(name: str) -> PluginRecord:
    """Return the record of a plugin that is installed beside the tests."""
    return next(record for record in discover(Environment.current()) if record.name == name)


async def test_the_bundled_echo_passes_every_check(paths: Paths) -> None:
    """Issue 3: a plugin that is built with the SDK conforms, and nothing about it had to be excused."""
    report = await report_on(bundled("echo"), paths)

    assert ids_of(report, "failed") == set()
    assert ids_of(report, "skipped") == {"progress-rate", "example-4"}  # which needs a key
    assert report.conforms
    assert report.model == "echo"


async def test_a_plugin_written_from_the_document_alone_passes(paths: Paths, site: Path) -> None:
    """Issue 3: the protocol, not the SDK, is what is checked."""
    report = await report_on(install_program(site, BY_HAND, "none"), paths)

    assert ids_of(report, "failed") == set()
    assert ids_of(report, "skipped") == {"no-key", "progress-rate", "own-ids", "keys-parent", "keys-declared"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_found_by_its_checks_and_by_no_others(fault: str, paths: Paths, site: Path) -> None:
    """Issue 3: a report that blames something else sends its reader the wrong way."""
    report = await report_on(install_program(site, BY_HAND, fault), paths, patience_s=PATIENCE_S)

    assert FAULTS[fault] == ids_of(report, "failed")


def test_every_check_is_failed_by_some_program() -> None:
    """House rule: a check that nothing fails proves nothing; and the table names no check that is gone."""
    assert set().union(*FAULTS.values()) == {check.id for check in CHECKS}


def test_every_fault_of_the_program_is_in_the_table() -> None:
    """House rule: what nobody starts is no test."""
    faults = set(re.findall(r'FAULT (?:==|!=) "([^"]+)"', BY_HAND.read_text("utf-8")))

    assert faults <= set(FAULTS)


@pytest.mark.parametrize("name", UNSTARTABLE)
async def test_a_program_that_does_not_start_is_told_as_that(name: str, paths: Paths, site: Path) -> None:
    """Issue 3: fifty failed checks would hide the one cause."""
    record = install_program(site, PROGRAMS / f"{name}.py")

    with pytest.raises(PluginBroken, match=UNSTARTABLE[name]):
        await report_on(record, paths, patience_s=PATIENCE_S)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
async def test_a_program_of_the_zoo_fails_the_check_that_is_about_it(
    name: str, paths: Paths, site: Path
) -> None:
    """Issue 3: they break one rule on purpose and others by being short; the run ends all the same."""
    report = await report_on(install_program(site, PROGRAMS / f"{name}.py"), paths, patience_s=0.5)

    assert ZOO[name] in ids_of(report, "failed")
    assert not report.conforms


async def test_a_plugin_that_cannot_be_loaded_is_told_with_its_own_error(paths: Paths, site: Path) -> None:
    """[P-34] The cause is in `load_error`, and nothing else could be tried."""
    from tests.children.kit import install_from_zoo

    record = install_from_zoo(site, "raises_at_import")

    with pytest.raises(PluginBroken, match="cannot be loaded"):
        await report_on(record, paths)


async def test_a_plugin_without_a_model_is_checked_as_far_as_it_goes(paths: Paths, site: Path) -> None:
    """Kernel policy: what cannot be tried is skipped with its reason, and counts neither way."""
    from tests.children.kit import environment_of, install

    install(site, "empty", {"empty.py": "VALUE = 1\n"}, points={"empty": "empty"})
    record = next(each for each in discover(environment_of(site)) if each.name == "empty")
    report = await report_on(record, paths)
    whys = {outcome.check.id: outcome.why for outcome in report.outcomes}

    assert ids_of(report, "failed") == set()
    assert whys["prompt"] == "the plugin offers no model"
    assert report.conforms


async def test_a_check_that_takes_too_long_is_ended(paths: Paths) -> None:
    """House rule: every wait has a bound, and the process of a check that is cut off is collected."""
    import anyio

    async def wait(scene: Scene) -> None:
        async with scene.new():
            await anyio.sleep_forever()

    check = Check(id="endless", rules=("P-1",), what="Waits.", advice="Do not.", run=wait)
    run = Conformance(bundled("echo"), paths, assets={}, patience_s=0.1, checks=[check])
    report = await run.run()
    (outcome,) = report.outcomes

    assert outcome.verdict == "failed"
    assert outcome.evidence is not None
    assert outcome.evidence.came == "no end after 0.4 s"


async def test_what_a_report_shows_is_one_printable_line_without_granted_values(
    paths: Paths, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[P-90] What a plugin was granted in secret does not stand in a report about it."""
    from tests.children.kit import grant

    monkeypatch.setenv("PARROT_TOKEN", "canary-0123456789")
    record = install_program(site, BY_HAND, "none")
    grant(paths, record, "env=PARROT_TOKEN")

    async def complain(_scene: Scene) -> None:
        raise Broken("it", "canary-0123456789 and more")

    check = Check(id="canary", rules=("P-1",), what="Sings.", advice="Do not.", run=complain)
    report = await Conformance(record, paths, assets={}, checks=[check]).run()
    text = "\n".join(report.lines(verbose=True)) + json.dumps(report.as_members())

    assert "canary-0" not in text
    assert "(a granted variable) and more" in text


def test_words_of_a_plugin_are_cut_and_made_printable() -> None:
    """[P-91] One line each, whatever was sent."""
    from cellwall_kernel.conformance._words import as_line, printable

    assert printable(b"\x1b[2Jcleared\n\xff") == "\\x1b[2Jcleared\\n�"
    assert len(as_line({"text": "x" * 1000})) == 201
