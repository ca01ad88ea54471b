"""Registers something that is no model."""

from typing import Any

from cellwall_sdk import hookimpl


@hookimpl
def register_models(register: Any) -> None:
    """Offer a number."""
    register(42)
