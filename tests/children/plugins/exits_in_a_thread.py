"""Ends the process from another thread."""

import os
import threading
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class ExitsInAThread(Model):
    """A model of no use."""

    model_id = "exits_in_a_thread"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        thread = threading.Thread(target=os._exit, args=(11,))
        thread.start()
        thread.join()


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(ExitsInAThread())
