"""Gives something that is no text."""

from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class YieldsNoText(Model):
    """A model of no use."""

    model_id = "yields_no_text"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        yield b"\xff" * 3  # type: ignore[misc]


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(YieldsNoText())
