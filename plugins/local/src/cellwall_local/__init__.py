"""Language models that run on this machine: the bundled SmolLM2 and any GGUF file that the user adds.

Importing this package and describing its models loads nothing of llama.cpp; the first prompt does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_sdk import assets, hookimpl

from ._model import LocalModel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["register_models"]

BUNDLED = "smollm2"


@hookimpl
def register_models(register: Callable[..., Any]) -> None:
    """Offer the bundled model, and one model for each file of the user."""
    register(
        LocalModel(
            BUNDLED,
            BUNDLED,
            title="SmolLM2 135M Instruct, on this machine",
            # Its template's own system prompt makes this small model answer worse.
            small_system="You are a helpful assistant.",
            default=True,
            context_tokens=8192,
        ),
        aliases=("local", "smollm2-135m"),
    )
    for name, file in sorted(assets().items()):
        if file.user:
            register(LocalModel(name, name, title=f"{file.path.name}, on this machine"))
