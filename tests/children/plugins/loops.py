"""Notes what is asked of it in its own folder, and crashes the first times at a chosen point."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cellwall_sdk import Model, hookimpl

# settings
POINT = "start"
TIMES = "0"
# end of settings

NOTES = Path("notes")


def reached(point: str) -> None:
    """Note that a point is reached, and crash there unless it has happened often enough."""
    with NOTES.open("a", encoding="utf-8") as notes:
        notes.write(f"{point}\n")
    if point == POINT and NOTES.read_text("utf-8").split().count(point) <= int(TIMES):
        os.write(2, f"crashing at {point}\n".encode())
        os._exit(7)


class Loops(Model):
    """Answers with a word, if it comes to it."""

    model_id = "loops"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        reached("prompt")
        yield "well"


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    reached("register")
    register(Loops())


reached("start")
