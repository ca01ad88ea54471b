"""Examples that a manifest declares: a prompt, and what the answer must be.

[[examples]]
prompt = "hello"
model = "shout"                 # by default the plugin's default model, or its first
options = { times = 2 }
answer = "HELLO HELLO"          # or contains = "HELLO", or matches = "^HELLO"
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from ._plugin import PluginUnderTest

__all__ = ["BadExample", "Example", "ExampleFailed", "read_examples"]

EXPECTATIONS = ("answer", "contains", "matches")


class BadExample(Exception):
    """Raised when the examples of a manifest cannot be used."""


class ExampleFailed(AssertionError):
    """Raised when the answer is another one; the text shows the difference."""


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An example.

    Attributes:
        prompt: what is asked.
        name: what it is called in a report; by default its prompt.
        model: which model is asked.
        system: the system prompt.
        options: the model's options.
        answer: the whole answer.
        contains: a text that stands in the answer.
        matches: a regular expression that is found in the answer.
        needs_key: the alias of the key that it needs; without it, the example is skipped.
    """

    prompt: str
    name: str | None = None
    model: str | None = None
    system: str | None = None
    options: dict[str, str | bool | int | float] = {}
    answer: str | None = None
    contains: str | None = None
    matches: str | None = None
    needs_key: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in EXPECTATIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("an example has exactly one of answer, contains, matches")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"matches is not a regular expression: {error}") from error

    @property
    def title(self) -> str:
        """What it is called in a report."""
        return self.name or self.prompt

    def run(self, plugin: PluginUnderTest, *, keys: dict[str, str] | None = None) -> None:
        """Ask the plugin.

        Args:
            plugin: the plugin.
            keys: the user's API keys, by alias.

        Raises:
            ExampleFailed: the answer is another one.
            PromptFailed: there is no answer.
        """
        reply = plugin.prompt(
            self.prompt, model=self.model, system=self.system, options=self.options, keys=keys
        )
        self.check(reply.text)

    def check(self, text: str) -> None:
        """Hold an answer against the example.

        Raises:
            ExampleFailed: it does not fit.
        """
        if self.answer is not None and text != self.answer:
            lines = (self.answer.splitlines(), text.splitlines())
            difference = "\n".join(difflib.unified_diff(*lines, "the example", "the answer", lineterm=""))
            raise ExampleFailed(difference or f"the ends differ: {self.answer!r}, {text!r}")
        if self.contains is not None and self.contains not in text:
            raise ExampleFailed(f"{self.contains!r} does not stand in the answer:\n{text}")
        if self.matches is not None and re.search(self.matches, text) is None:
            raise ExampleFailed(f"{self.matches!r} is not found in the answer:\n{text}")


def read_examples(path: Path, values: dict[str, Any]) -> tuple[Example, ...]:
    """Take the examples out of a manifest.

    Args:
        path: the file, for messages.
        values: its content.

    Raises:
        BadExample: an example cannot be used.
    """
    try:
        return msgspec.convert(values.get("examples", ()), tuple[Example, ...])
    except msgspec.ValidationError as error:
        raise BadExample(f"{path}: {error}, under [[examples]]") from error
