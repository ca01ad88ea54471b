"""The echo plugin as a real child: what it does to its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellwall_wire import ErrorResponse, Response
from tests.sdk.hosting import Child, Gone, text_of

if TYPE_CHECKING:
    from pathlib import Path


def test_it_describes_itself(tmp_path: Path) -> None:
    """Three models, options with help, nothing to remark."""
    with Child(tmp_path, "cellwall_echo") as child:
        child.start()
        described = child.describe()

    echo = described.models[0]
    assert [model.id for model in described.models] == ["echo", "echo-async", "echo-needs-key"]
    assert described.notes == []
    assert (echo.input, echo.supports.stream, echo.supports.tools) == (["*/*"], True, True)
    assert all("description" in option for option in echo.options_schema["properties"].values())
    assert described.models[2].key is not None


@pytest.mark.parametrize(("how", "code"), [("exit", 7), ("segfault", -11)])
def test_a_crash_ends_the_process_after_the_answer(tmp_path: Path, how: str, code: int) -> None:
    """What was said before stays."""
    with Child(tmp_path, "cellwall_echo") as child:
        child.start()
        call = child.open("last words", model="echo", options={"crash": how})
        with pytest.raises(Gone):
            child.wait_answer(call)

        assert child.wait_exit() == code
    assert text_of(child.items[call]) == "last words"


@pytest.mark.parametrize(("model", "how"), [("echo", "sleep"), ("echo", "busy"), ("echo-async", "sleep")])
def test_a_hang_can_be_cancelled(tmp_path: Path, model: str, how: str) -> None:
    """By the signal, where there is no yield."""
    with Child(tmp_path, "cellwall_echo") as child:
        child.start()
        call = child.open(model=model, options={"hang": how})
        child.wait_items(call, 2)
        child.cancel(call)
        answer = child.wait_answer(call)
        after, _ = child.prompt("still there?", model="echo")

    assert isinstance(answer, ErrorResponse)
    assert answer.error.kind == "Cancelled"
    assert after == "still there?"


def test_a_deaf_hang_takes_no_notice_and_has_to_be_killed(tmp_path: Path) -> None:
    """Only the end of the process ends it; the reader answers nothing in its name."""
    with Child(tmp_path, "cellwall_echo") as child:
        child.start()
        call = child.open(model="echo", options={"hang": "deaf"})
        child.wait_items(call, 2)
        child.cancel(call)
        child.process.kill()

        assert child.wait_exit() == -9
    assert call not in child.answers


def test_a_flood_stops_at_the_end_of_its_credit(tmp_path: Path) -> None:
    """And a cancel ends it."""
    with Child(tmp_path, "cellwall_echo", auto_credit=False) as child:
        child.start()
        call = child.open(model="echo", options={"flood": "true"}, credit=50_000)
        child.wait_items(call, 20)
        child.cancel(call)
        answer = child.wait_answer(call)

    assert isinstance(answer, ErrorResponse)
    assert child.unspent[call] <= 50_000


def test_what_it_prints_goes_to_the_log(tmp_path: Path) -> None:
    """From Python and past it."""
    with Child(tmp_path, "cellwall_echo") as child:
        child.start()
        text, answer = child.prompt(model="echo", options={"print_stdout": "noise"})

    assert isinstance(answer, Response)
    assert text == "hi"
    assert child.stderr.splitlines() == ["noise", "noise (past Python)"]
