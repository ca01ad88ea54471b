"""protocol.md against the tests, both ways, and against the code it is generated from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cellwall_kernel.conformance import CHECKS, EXCLUSIONS
from cellwall_kernel.conformance import host as hosts

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "protocol.md").read_text("utf-8")
RULE = re.compile(r"\[(P-\d+)\]")


def defined() -> Counter[str]:
    """Count how often each rule stands in bold."""
    return Counter(re.findall(r"\*\*\[(P-\d+)\]\*\*", TEXT))


def named_by(folder: str, pattern: str) -> dict[str, set[str]]:
    """Map each rule to the files below a folder that name it."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / folder).rglob(pattern)):
        for rule in RULE.findall(path.read_text("utf-8")):
            found.setdefault(rule, set()).add(str(path.relative_to(ROOT)))
    return found


def test_every_rule_is_defined_once() -> None:
    """A number stands for one sentence for ever."""
    assert {rule: count for rule, count in defined().items() if count != 1} == {}
    assert defined()


def test_every_rule_has_a_test() -> None:
    """A rule without a test is a wish."""
    tested = named_by("tests", "test_*.py")

    assert sorted(set(defined()) - set(tested), key=lambda rule: int(rule[2:])) == []


def test_every_rule_that_tests_or_code_name_exists() -> None:
    """A rule that was taken away leaves no test behind, and no comment."""
    named = named_by("tests", "*.py")
    for folder in ("sdk", "kernel", "plugins"):
        for rule, files in named_by(folder, "*.py").items():
            named.setdefault(rule, set()).update(files)
    unknown = {rule: sorted(files) for rule, files in named.items() if rule not in defined()}

    assert unknown == {}


def test_every_rule_is_checked_or_excluded_with_a_reason() -> None:
    """Issue 3, anchor 40: `llm plugins check` tries every rule, or says why it does not."""
    checked = {rule for check in CHECKS for rule in check.rules}

    assert sorted(set(defined()) - checked - set(EXCLUSIONS), key=lambda rule: int(rule[2:])) == []
    assert checked & set(EXCLUSIONS) == set()
    assert {rule: reason for rule, reason in EXCLUSIONS.items() if len(reason.split()) < 5} == {}


def test_every_check_and_every_exclusion_names_a_rule() -> None:
    """What is asked of a plugin stands in the document, and a rule that was taken away leaves no check."""
    unknown = {check.id: set(check.rules) - set(defined()) for check in CHECKS}

    assert {name: rules for name, rules in unknown.items() if rules} == {}
    assert [check.id for check in CHECKS if not check.rules] == []
    assert set(EXCLUSIONS) - set(defined()) == set()


def test_every_check_has_a_name_of_its_own_and_sentences() -> None:
    """A check is found by its name, and read by the author of the plugin that failed it."""
    names = Counter(check.id for check in CHECKS)
    texts = [text for check in CHECKS for text in (check.what, check.advice)]

    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if re.fullmatch("[a-z]+(-[a-z]+)*", name) is None] == []
    assert [text for text in texts if not text.endswith((".", "…"))] == []


def test_what_is_only_advised_is_no_must() -> None:
    """A check is a SHOULD only where the document does not ask for more."""
    advised = {check.id for check in CHECKS if check.level == "SHOULD"}

    assert advised == {"bad-params", "cancel-soon", "error-kind", "junk"}


def test_every_rule_is_tried_on_hosts_or_excluded_with_a_reason() -> None:
    """Issue 3, anchor 40: the same for `llm plugins check --host`."""
    checked = {rule for check in hosts.CHECKS for rule in check.rules}

    assert sorted(set(defined()) - checked - set(hosts.EXCLUSIONS), key=lambda rule: int(rule[2:])) == []
    assert (checked | set(hosts.EXCLUSIONS)) - set(defined()) == set()
    assert checked & set(hosts.EXCLUSIONS) == set()
    assert {rule: reason for rule, reason in hosts.EXCLUSIONS.items() if len(reason.split()) < 5} == {}


def test_every_check_of_hosts_has_a_name_of_its_own_and_sentences() -> None:
    """As for plugins."""
    names = Counter(check.id for check in hosts.CHECKS)
    texts = [text for check in hosts.CHECKS for text in (check.what, check.advice)]

    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if re.fullmatch("[a-z]+(-[a-z]+)*", name) is None] == []
    assert [text for text in texts if not text.endswith((".", "…"))] == []
    assert [check.id for check in hosts.CHECKS if check.level == "SHOULD"] == ["surrogate-replaced"]


def test_references_inside_the_document_exist() -> None:
    """[P-n] in prose points at a rule."""
    assert set() == set(RULE.findall(TEXT)) - set(defined())


def test_generated_parts_are_fresh() -> None:
    """The transcript, tables and schema are what the code makes of them now."""
    script = ROOT / "scripts" / "protocol"
    run = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, timeout=30, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")


def test_lines_of_the_transcript_fit_the_schema() -> None:
    """Each request's parameters and each result validate against the published JSON Schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema validates the published schema")
    schema = json.loads((ROOT / "docs" / "protocol.schema.json").read_text("utf-8"))
    block = re.search(r"generated: transcript -->\n```\n(.*?)\n```", TEXT, re.DOTALL)
    assert block is not None
    lines = [json.loads(line[2:]) for line in block[1].splitlines()]
    methods = {line["id"]: line["method"] for line in lines if "id" in line and "method" in line}
    for line in lines:
        if "params" in line and line["method"] in schema["methods"]:
            check = schema["methods"][line["method"]]["params"]
        elif "result" in line:
            check = schema["methods"][methods[line["id"]]]["result"]
        else:
            continue
        jsonschema.validate(line.get("params", line.get("result")), {**check, "$defs": schema["$defs"]})
