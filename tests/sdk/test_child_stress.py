"""A real child under many calls, cancels, grants and questions at once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from cellwall_wire import ErrorResponse, Response
from tests.sdk.hosting import Child, text_of, write_plugin

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
import asyncio, threading, time
from cellwall_sdk import Model, Options, get_key, hookimpl

class Counts(Model):
    model_id = "counts"
    class Options(Options):
        count: int = 1
    def execute(self, prompt):
        for number in range(prompt.options.count):
            yield f"{number} "

class AsyncCounts(Counts):
    model_id = "async-counts"
    async def execute(self, prompt):
        for number in range(prompt.options.count):
            if number % 10 == 0:
                await asyncio.sleep(0)
            yield f"{number} "

class Asks(Model):
    model_id = "asks"
    needs_key = "provider"
    def execute(self, response):
        keys = []
        threads = [threading.Thread(target=lambda: keys.append(get_key("provider"))) for _ in range(200)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return f"{len(keys)} {set(keys)}"

@hookimpl
def register_models(register):
    for cls in (Counts, AsyncCounts, Asks): register(cls())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold the plugin's module."""
    write_plugin(tmp_path, PLUGIN)
    return tmp_path


@pytest.mark.parametrize("seed", range(4))
def test_every_call_is_answered_exactly_once_whatever_happens_around_it(folder: Path, seed: int) -> None:
    """[P-22] [P-40] [P-41] [P-42] The host's Connection refuses a second answer, a gap, an overrun."""
    dice = random.Random(seed)
    with Child(folder, auto_credit=False) as child:
        child.start()
        calls = [
            child.open(
                model=dice.choice(["counts", "async-counts"]),
                credit=dice.choice([0, 300, 3_000, 100_000]),
                options={"count": str(dice.choice([0, 1, 50, 2_000]))},
            )
            for _ in range(30)
        ]
        answers: dict[str, Response | ErrorResponse] = {}
        while len(answers) < len(calls):
            call = dice.choice([call for call in calls if call not in answers])
            if dice.random() < 0.3:
                child.cancel(call)
            for waiting in set(calls) - set(answers):
                child.give_credit(waiting, dice.randrange(200, 20_000))
            child.exchange()
            answers |= {call: child.answers[call] for call in calls if call in child.answers}

    for call, answer in answers.items():
        text = text_of(child.items[call])
        assert text == "".join(f"{number} " for number in range(len(text.split())))
        if isinstance(answer, Response):
            assert answer.result.items == len(child.items[call])
        else:
            assert answer.error.kind == "Cancelled"
            assert answer.error.data is not None
            assert (answer.error.data.items_sent or 0) == len(child.items[call])


def test_two_hundred_questions_at_once_are_all_answered(folder: Path) -> None:
    """[P-51] From as many threads of the author's, on behalf of one call."""
    with Child(folder, keys={"provider": "secret"}) as child:
        child.start()
        text, _ = child.prompt(model="asks")

    assert text == "200 {'secret'}"
    assert len(child.requests) == 200
