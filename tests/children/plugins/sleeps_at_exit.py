"""Sleeps for ever when the interpreter ends."""

import atexit
import time
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl

atexit.register(time.sleep, 300)


class SleepsAtExit(Model):
    """A model of no use."""

    model_id = "sleeps_at_exit"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        yield " answer"


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(SleepsAtExit())
