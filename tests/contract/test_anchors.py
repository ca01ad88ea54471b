"""The 46 statements of issue 3: each has tests, and each of those exists."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.contract.anchors import ANCHORS, MEASURED

ROOT = Path(__file__).resolve().parents[2]


@cache
def named_in(file: str) -> frozenset[str]:
    """Name the tests of a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_every_statement_has_its_tests() -> None:
    """Issue 3: the whole list, 1 to 46, each with a test that exists."""
    assert list(range(1, 47)) == list(ANCHORS)
    for number, (sentence, tests) in ANCHORS.items():
        assert sentence.endswith("."), number
        assert len(tests) == len(set(tests)) > 0, number
        missing = [test for test in tests if not exists(test)]
        assert missing == [], number


def test_what_is_only_measured_is_one_of_them() -> None:
    """House rule: a time is measured and not asserted; the statement has other tests all the same."""
    assert set(MEASURED) <= set(ANCHORS)
    rows = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    named = [word for what in MEASURED.values() for word in what.split("`")[1::2]]
    assert [row for row in named if f"`{row}`" not in rows] == []


def exists(test: str) -> bool:
    """Whether a file has a test of that name."""
    file, _, name = test.partition("::")
    return name.startswith("test_") and (ROOT / file).is_file() and name in named_in(file)
