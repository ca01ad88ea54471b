"""The echo model in this very process: what a prompt costs when nothing stands between host and plugin.

    python -m cellbench.probes.echo_here PROMPT

The plugin is imported, its hook called and its model run by the SDK's in-memory kit; no command line, no
log, no child.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import cellwall_echo
from cellwall_sdk.testing import run_model

if TYPE_CHECKING:
    from cellwall_sdk import Model

__all__: list[str] = []


def _main(prompt: str) -> None:
    models: list[Model] = []
    cellwall_echo.register_models(models.append)
    [echo] = [model for model in models if model.model_id == "echo"]
    print(run_model(echo, prompt))


if __name__ == "__main__":
    _main(sys.argv[1])
