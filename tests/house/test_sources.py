"""How we write (CONTRIBUTING.md), as far as a machine can look: budgets, names, tests that are sentences."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.house.checkout import ROOT, sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRODUCT = sources("sdk", "kernel", "plugins")
TESTS = [path for path in sources("tests", "plugins") if path.name.startswith("test_")]

LONGEST_FUNCTION = 60  # lines, without the docstring; past 30 one looks again
LONGEST_MODULE = 500  # lines; past 300 one looks again, and a table of data may stay
EMPTY_NAMES = {"base", "common", "helpers", "manager", "misc", "utils"}
FEWEST_WORDS = 3  # of a test's name, `test` included

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    """Give a path as people write it."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    """Walk all functions of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Count the lines of a function without decorators and docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_no_function_is_longer_than_a_screen() -> None:
    """House rule: about 30 lines, never past 60."""
    long = {
        f"{relative(path)}:{function.lineno} {function.name}": length(function)
        for path in PRODUCT
        for function in functions(path)
        if length(function) > LONGEST_FUNCTION
    }

    assert long == {}


def test_no_module_has_two_subjects() -> None:
    """House rule: about 300 lines; where it is far more, a second subject hides."""
    long = {relative(path): len(path.read_text("utf-8").splitlines()) for path in PRODUCT}

    assert {name: lines for name, lines in long.items() if lines > LONGEST_MODULE} == {}


def test_every_module_name_says_something() -> None:
    """House rule: no drawers for odds and ends."""
    names = {relative(path) for path in PRODUCT for part in path.parts[-2:]
             if part.removesuffix(".py").strip("_") in EMPTY_NAMES}  # fmt: skip

    assert names == set()


def test_every_module_says_what_it_owns() -> None:
    """House rule: the docstring at the top says what a module owns and what it leaves to whom."""
    silent = [
        relative(path)
        for path in (*PRODUCT, *TESTS)
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]

    assert silent == []


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_is_a_sentence_and_says_why(path: Path) -> None:
    """House rule: the name states a behaviour, one sentence gives its reason or source."""
    vague = [test.name for test in written_tests(path) if len(test.name.split("_")) < FEWEST_WORDS]
    unexplained = [
        test.name for test in written_tests(path) if not one_sentence(ast.get_docstring(test) or "")
    ]

    assert vague == []
    assert unexplained == []


def written_tests(path: Path) -> list[Function]:
    """List the tests of a file."""
    return [function for function in functions(path) if function.name.startswith("test_")]


def one_sentence(text: str) -> bool:
    """Whether a docstring's first paragraph is a sentence."""
    return bool(re.search(r"[.?!][\"”)]?$", text.split("\n\n", maxsplit=1)[0].strip()))


def calls(path: Path) -> Iterator[str]:
    """Give the calls in a file, as written: `time.sleep(1)`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node)


@pytest.mark.parametrize("path", sources("tests"), ids=relative)
def test_tests_neither_sleep_nor_pretend(path: Path) -> None:
    """House rule: wait for an event, an exit or EOF inside a bound; no mock objects."""
    if path.name.startswith("test_"):
        # sleep(0) lets others run and is no wait.
        assert [
            call for call in calls(path) if re.match(r"((time|asyncio|anyio)\.)?sleep\((?!0\))", call)
        ] == []
    imported = re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text("utf-8"), re.MULTILINE)

    assert [name for name in imported if "mock" in name] == []


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_the_product_does_not_know_that_it_is_tested(path: Path) -> None:
    """House rule: no switches that only tests flip."""
    text = path.read_text("utf-8")

    assert not re.search(r"_called_from_test|PYTEST_CURRENT_TEST|under_test", text)
