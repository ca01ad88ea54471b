"""Raises what Ctrl-C raises, which nobody pressed."""

from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class RaisesKeyboardInterrupt(Model):
    """A model of no use."""

    model_id = "raises_keyboard_interrupt"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        raise KeyboardInterrupt


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(RaisesKeyboardInterrupt())
