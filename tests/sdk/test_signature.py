"""Arguments by declared name."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from cellwall_sdk._signature import bind, read_signature
from cellwall_sdk.errors import RegistrationError

OFFERED = ("prompt", "stream", "response")
VALUES = {"prompt": "P", "stream": True, "response": "R"}


class _Callable:
    def __call__(self, response: Any) -> Any:
        return response


class _Methods:
    def short(self, prompt: Any) -> Any:
        return prompt

    def optional(self, prompt: Any, temperature: float = 0.5) -> Any:
        return prompt, temperature

    def swapped(self, response: Any, prompt: Any) -> Any:
        return response, prompt

    def keyword_only(self, *, stream: Any) -> Any:
        return stream

    def positional_only(self, prompt: Any, /, response: Any) -> Any:
        return prompt, response

    def everything(self, **kwargs: Any) -> Any:
        return kwargs

    def in_order(self, prompt: Any, *rest: Any) -> Any:
        return prompt, rest

    def nothing(self) -> str:
        return "nothing"


def _run(function: Any) -> Any:
    return bind(read_signature(function), OFFERED, what="f()").call(function, VALUES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("short", "P"),
        ("optional", ("P", 0.5)),
        ("swapped", ("R", "P")),
        ("keyword_only", True),
        ("positional_only", ("P", "R")),
        ("everything", VALUES),
        ("in_order", ("P", (True, "R"))),
        ("nothing", "nothing"),
    ],
)
def test_a_method_gets_the_arguments_it_declares(name: str, expected: object) -> None:
    """Any subset, in any order, by any kind of parameter."""
    assert expected == _run(getattr(_Methods(), name))


def test_functions_objects_and_decorated_functions_can_be_called() -> None:
    """What counts is the innermost function of a decorator that passes everything on."""

    def plain(prompt: str) -> str:
        return prompt

    @functools.wraps(plain)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    assert _run(plain) == "P"
    assert _run(decorated) == "P"
    assert _run(_Callable()) == "R"


def test_an_argument_that_is_not_offered_is_refused_with_file_and_line() -> None:
    """A sentence that says what may be declared, and where the mistake stands."""

    def wrong(prompt: str, temprature: float) -> None: ...

    with pytest.raises(RegistrationError) as caught:
        bind(read_signature(wrong), OFFERED, what="execute()")

    message = str(caught.value)
    assert f"{__file__}, line {wrong.__code__.co_firstlineno}" in message
    assert "'temprature'" in message
    assert "prompt, stream and response" in message


def test_code_that_is_not_python_gets_everything_by_name() -> None:
    """A builtin has no code object to read."""
    assert _run(dict) == VALUES
