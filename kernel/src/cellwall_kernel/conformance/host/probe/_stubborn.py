"""Scenarios in which the probe does not leave, or does not answer; the host must get rid of it.

Once it is told to go it writes a line every moment. The last one shows when it was killed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ._calm import answer
from ._talk import GREETING, Call, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GREETINGS", "SCENARIOS"]

BEAT_S = 0.05
STAYS_S = 20.0
"""How long it stays if nobody kills it; nothing is left behind for good (seconds)."""

STEP_S = 2.0
"""A step of the ladder."""

EARLY_S, LATE_S = 0.2, 4.0
"""How much earlier or later a step may come on a busy machine (seconds)."""


def step(talk: Talk, check: str, what: str, began: float, came_at: float | None) -> None:
    """Note when a step of the ladder came."""
    took = (came_at if came_at is not None else time.monotonic()) - began
    passed = came_at is not None and STEP_S - EARLY_S <= took <= STEP_S + LATE_S
    talk.found(check, passed, what, f"{'SIGTERM' if came_at else 'nothing'} after {took:.2f} s")


def stay(talk: Talk, check: str, what: str, began: float) -> None:
    """Stay until SIGKILL, and note the steps before it."""
    end = time.monotonic() + STAYS_S
    while not talk.terms and time.monotonic() < end:
        talk.hear(BEAT_S)
    step(talk, check, what, began, talk.terms[0] if talk.terms else None)
    talk.notes.cue("term", when=talk.terms[0] if talk.terms else 0)
    while time.monotonic() < end:
        talk.notes.cue("beat")
        time.sleep(BEAT_S)
    talk.notes.cue("never killed")


def lingers(talk: Talk, call: Call) -> None:
    """Answer, and stay after the end of the input."""
    answer(talk, call)
    while not talk.has_ended and not talk.terms:
        talk.hear(BEAT_S)
    stay(talk, "ladder-term", "an answer, and staying after the end of the input", time.monotonic())


def deaf(talk: Talk, call: Call) -> None:
    """Begin an answer, and heed neither `$/cancel` nor anything else."""
    call.text(f"{GREETING}\n")
    talk.notes.cue("slow")
    told = talk.notice("$/cancel", call.id, 20)
    stay(talk, "cancel-ladder", f"no answer to {told and told['method']}", time.monotonic())


def silent(talk: Talk, call_id: str) -> None:
    """Never answer `initialize`."""
    del call_id
    began = time.monotonic()
    left = talk.is_left(16)
    took = time.monotonic() - began
    came = f"{'told to leave' if left else 'nothing'} after {took:.1f} s"
    talk.found("hello-deadline", left and took >= 8, "no answer to initialize", came)


def closes_output(talk: Talk, call: Call) -> None:
    """Close the output in the middle of an answer, and live on."""
    import os

    call.text(f"{GREETING}\n")
    os.close(1)
    talk.found(
        "output-closed", talk.is_left(8), "a closed output in the middle of an answer", "nothing for 8 s"
    )
    os._exit(0)


SCENARIOS: dict[str, Callable[[Talk, Call], None]] = {
    "lingers": lingers,
    "deaf": deaf,
    "closes-output": closes_output,
}

GREETINGS: dict[str, Callable[[Talk, str], None]] = {"silent": silent}
