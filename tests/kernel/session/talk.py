"""Programs that speak the protocol by themselves, and a supervisor with the host's own services for them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.process import compose, spawn
from cellwall_kernel.session import Deadline
from cellwall_kernel.supervisor import Supervisor
from cellwall_wire import AskResult, Delta, Limits
from tests.children.kit import PATIENCE_S, program, prompt, record_of
from tests.support.pair import hello

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path

    from cellwall_kernel.paths import Paths
    from cellwall_kernel.prompting.asking import Question
    from cellwall_kernel.session import Handler, Session

__all__ = ["PATIENT", "Person", "says", "talking", "until"]

PATIENT = Deadline(total_s=PATIENCE_S)


class Person:
    """Answers every question with its own words after a moment, and counts how many were open at a time."""

    is_possible = True

    def __init__(self, moment_s: float = 0.0) -> None:
        self.asked: list[Question] = []
        self.most_at_once = 0
        self._open = 0
        self._moment_s = moment_s

    async def ask(self, question: Question) -> AskResult:
        """Repeat the question."""
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        self.asked.append(question)
        try:
            await anyio.sleep(self._moment_s)
        finally:
            self._open -= 1
        return AskResult(action="accept", value=question.message)


async def until(happened: Callable[[], bool]) -> None:
    """Wait, in bounded time, for something that tells nobody when it happens."""
    with anyio.fail_after(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - as said
            await anyio.sleep(0.01)


@asynccontextmanager
async def talking(
    name: str, folder: Path, paths: Paths, services: Mapping[str, Handler]
) -> AsyncGenerator[Session]:
    """Start a program of the zoo and stop it at the end, in bounded time."""
    with anyio.fail_after(2 * PATIENCE_S):
        async with Supervisor(paths, services=services) as supervisor:
            spawned = spawn(program(name, folder))
            spawned.greet(compose(name, hello(), Limits()))
            yield await supervisor.start(record_of(name), spawned=spawned)


async def says(session: Session, orders: Mapping[str, Any], deadline: Deadline = PATIENT) -> list[str]:
    """Prompt a program with orders and return the lines of its answer."""
    found: list[str] = []
    params = prompt(json.dumps(orders))
    async with session.open("model/prompt", params, deadline=deadline) as call:
        async for items in call:
            found += [item.text for item in items if isinstance(item, Delta)]
    assert call.result is not None
    return "".join(found).splitlines()
