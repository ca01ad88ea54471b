"""Notes every time that it is started, in its own folder; offers models by name, or fails."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cellwall_sdk import Model, hookimpl

# settings
MODELS = "counted"
ALIASES = ""
DELAY_S = "0"
# end of settings

with Path("notes").open("a", encoding="utf-8") as notes:
    notes.write(f"{__name__}\n")
if Path("failure").exists():
    raise RuntimeError("the file of failure exists")
time.sleep(float(DELAY_S))


class Counted(Model):
    """A model of no use."""

    def __init__(self, model_id: str) -> None:
        """Take the id."""
        self.model_id = model_id
        super().__init__()

    def execute(self, prompt: Any, response: Any) -> Iterator[str]:
        """Answer."""
        yield self.model_id


@hookimpl
def register_models(register: Any) -> None:
    """Offer the models."""
    for model_id in MODELS.split(","):
        register(Counted(model_id), aliases=tuple(filter(None, ALIASES.split(","))))
