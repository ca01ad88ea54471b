"""Raises an exception that is none of Exception's."""

from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class RaisesBaseException(Model):
    """A model of no use."""

    model_id = "raises_base_exception"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        raise GeneratorExit("not an Exception")


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(RaisesBaseException())
