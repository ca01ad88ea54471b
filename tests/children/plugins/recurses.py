"""Calls itself without end."""

from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class Recurses(Model):
    """A model of no use."""

    model_id = "recurses"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        yield self.deeper()

    def deeper(self) -> str:
        """Go on."""
        return self.deeper()


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(Recurses())
