"""What a model raises, as the person at the command line, a script and the log see it."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from cellwall_sdk import errors

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

FAILS = """
    from cellwall_sdk import Model, errors, hookimpl

    class Failing(Model):
        model_id = "failing"

        def execute(self, prompt, response):
            name, _, after_s = prompt.prompt.partition(" ")
            yield "so far"
            raise getattr(errors, name)(
                f"This is {name}.", hint=f"Mend {name}.", retry_after_s=float(after_s) if after_s else None
            )

    @hookimpl
    def register_models(register):
        register(Failing())
"""

EXPECTED = {
    "BadOptions": ("BadOptions", 2),
    "BadOutput": ("BadOutput", 5),
    "ContextTooLong": ("ContextTooLong", 11),
    "Filtered": ("Filtered", 12),
    "KeyMissing": ("KeyMissing", 4),
    "KeyRejected": ("KeyRejected", 4),
    "ModelError": ("ProviderError", 5),
    "Overloaded": ("Overloaded", 10),
    "ProviderError": ("ProviderError", 5),
    "RateLimited": ("RateLimited", 10),
    "ServiceError": ("ProviderError", 5),
    "UnknownModel": ("UnknownModel", 3),
}
"""Class -> kind and exit code."""


@pytest.fixture
def failing(llm: CommandLine) -> CommandLine:
    """A command line with a model that raises what the prompt names."""
    llm.plugin("failing", FAILS)
    return llm


def logged(llm: CommandLine) -> dict[str, Any]:
    """Return the newest record of the log."""
    record: dict[str, Any] = json.loads(llm("logs", "list", "-n", "1", "--json").out)[0]
    return record


@pytest.mark.parametrize("name", EXPECTED)
def test_each_error_class_has_its_kind_its_message_and_its_exit_code(failing: CommandLine, name: str) -> None:
    """Issue 3, anchors 37 and 38: told apart by people, scripts and the log; no stack without --debug."""
    kind, code = EXPECTED[name]

    ended = failing("-m", "failing", name)
    record = logged(failing)

    assert (ended.code, ended.out, ended.err) == (code, "so far\n", f"Error: This is {name}. Mend {name}.\n")
    assert (record["error_kind"], record["response"]) == (kind, "so far")


def test_every_error_class_of_the_sdk_was_tried() -> None:
    """Issue 3, anchor 38: a new class needs a line above."""
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]

    assert {each.__name__ for each in classes if issubclass(each, errors.ModelError)} == EXPECTED.keys()


@pytest.mark.parametrize(
    ("after_s", "words"), [("0.2", "1 s"), ("1.5", "2 s"), ("119", "119 s"), ("121", "3 min"), ("0", None)]
)
def test_a_quota_says_when_to_try_again(failing: CommandLine, after_s: str, words: str | None) -> None:
    """Issue 3, anchor 37: `retry_after_ms` reaches the user, rounded up."""
    ended = failing("-m", "failing", f"RateLimited {after_s}")

    said = f" Try again in {words}." if words else ""
    assert (ended.code, ended.err) == (10, f"Error: This is RateLimited. Mend RateLimited.{said}\n")


def test_the_traceback_is_for_debug_only(failing: CommandLine) -> None:
    """Issue 3, anchor 37: no host or plugin stack reaches the user unless --debug."""
    ended = failing("--debug", "-m", "failing", "Filtered")

    assert ended.code == 12
    assert "failing.py" in ended.err
    assert "Traceback" in ended.err
