"""Leaves by `sys.exit`, as a script does."""

import sys
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class RaisesSystemExit(Model):
    """A model of no use."""

    model_id = "raises_system_exit"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        sys.exit("enough")


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(RaisesSystemExit())
