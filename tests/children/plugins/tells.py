"""Evaluates the prompt and answers with the value: how a test sees a cell from inside."""

import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

from cellwall_sdk import Model, hookimpl

LOOKED_AT = (gc, os, sys)  # for the prompt to use


class Zoo(Model):
    """Answers with the value of the prompt."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Evaluate."""
        yield repr(eval(prompt.prompt))


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(Zoo())
