"""Leaves a thread behind that the interpreter waits for at its end."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl


class LeavesAThread(Model):
    """A model of no use."""

    model_id = "leaves_a_thread"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        threading.Thread(target=time.sleep, args=(300,)).start()


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(LeavesAThread())
