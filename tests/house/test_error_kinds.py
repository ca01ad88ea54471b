"""The kinds of errors: what the code says and what docs/errors.md lists are the same, in both directions."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING

import cellwall_kernel.errors as kernel_errors
from cellwall_kernel.errors import EXIT_CODES, CallFailed, CellwallError
from cellwall_sdk import errors as sdk_errors
from cellwall_wire import Code
from tests.house.checkout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs/errors.md").read_text("utf-8")

SOURCES = [*(ROOT / "kernel/src").rglob("*.py"), *(ROOT / "sdk/src").rglob("*.py")]

ABSENT = "–"
"""What stands in the page for a class without a kind."""


def section(title: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its head."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row] for row in rows[2:]]


def kernel_kinds() -> set[str]:
    """Return the kinds of the kernel's own classes."""
    classes = [value for _, value in inspect.getmembers(kernel_errors, inspect.isclass)]
    return {each.kind for each in classes if issubclass(each, CellwallError)}


def sdk_kinds() -> set[str]:
    """Return the kinds of what plugins raise."""
    classes = [value for _, value in inspect.getmembers(sdk_errors, inspect.isclass)]
    return {each.kind for each in classes if issubclass(each, sdk_errors.ModelError)}


def kinds_in_calls() -> Iterator[tuple[str, str]]:
    """List the kinds that are written out where an error is raised or compared, each with its place."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            place = path.relative_to(ROOT)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "Failed" in node.func.id:
                for word in node.keywords:
                    if word.arg == "kind" and isinstance(word.value, ast.Constant):
                        yield f"{place}:{node.lineno}", str(word.value.value)
            if isinstance(node, ast.Compare) and ast.unparse(node.left) in {"problem.kind", "error.kind"}:
                for text in ast.walk(node):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield f"{place}:{node.lineno}", text.value


def test_every_kind_in_the_code_is_on_the_page_and_every_one_on_the_page_in_the_code() -> None:
    """Issue 3, anchor 37: kinds are stable, so there is one list of them."""
    wire = {code.kind for code in Code}

    assert {row[2] for row in section("What a command ends with")} == kernel_kinds()
    assert {row[1] for row in section("What a plugin raises")} - {ABSENT} == sdk_kinds()
    assert [(int(row[0]), row[1]) for row in section("What travels on the wire")] == [
        (int(code), code.kind) for code in Code
    ]
    assert [row[0] for row in section("What a user sees of it")] == [code.kind for code in Code]
    assert sdk_kinds() <= wire


def test_a_kind_that_is_written_out_in_the_code_exists() -> None:
    """Issue 3, anchor 37: a kind with a slip in it would be tested by nobody."""
    known = {code.kind for code in Code} | kernel_kinds()
    found = list(kinds_in_calls())

    assert [(place, kind) for place, kind in found if kind not in known] == []
    assert len(found) > 5


def test_exit_codes_are_those_of_kinds_on_the_wire_and_stand_on_the_page() -> None:
    """Issue 3, anchor 37: each protocol code maps to an exit code."""
    rows = {row[0]: row[1:] for row in section("What a user sees of it")}
    host_only = {code.kind for code in Code if code >= 5000}

    assert EXIT_CODES.keys() <= rows.keys()
    for code in Code:
        exit_code, advice = rows[code.kind]
        if code.kind not in host_only:
            assert CallFailed("", "", kind=code.kind).exit_code == int(exit_code)
        assert advice


def test_a_code_is_allocated_once() -> None:
    """[P-70] A code is never given a second meaning, nor a kind a second code."""
    assert len({int(code) for code in Code}) == len({code.kind for code in Code}) == len(list(Code))
    assert [code.kind for code in Code if re.fullmatch("[A-Z][A-Za-z]+", code.kind) is None] == []
