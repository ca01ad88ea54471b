"""Takes memory until it gets no more, and keeps it."""

from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl

KEPT: list[bytes] = []


class TakesAllMemory(Model):
    """A model of no use."""

    model_id = "takes_all_memory"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        while True:
            KEPT.append(b"x" * (8 << 20))


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(TakesAllMemory())
