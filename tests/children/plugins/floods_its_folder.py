"""Fills its own folder with files, without an end."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cellwall_sdk import Model, hookimpl


class FloodsItsFolder(Model):
    """A model of no use."""

    model_id = "floods_its_folder"

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield "one"
        for number in itertools.count():
            Path(f"{number}").write_bytes(bytes(1 << 20))


@hookimpl
def register_models(register: Any) -> None:
    """Offer the model."""
    register(FloodsItsFolder())
