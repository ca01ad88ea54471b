"""The name of a distribution in the one form in which all its spellings are equal."""

from __future__ import annotations

__all__ = ["normal_name"]


def normal_name(name: str) -> str:
    """Return the form in which spellings of a distribution's name are equal: `LLM_Foo.x` -> `llm-foo-x`."""
    parts = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(part for part in parts if part)
