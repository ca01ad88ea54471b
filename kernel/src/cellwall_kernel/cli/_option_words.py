"""The options of a model in words, from the JSON Schema that its plugin gave: anything may stand in there."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

__all__ = ["Option", "options_in"]


class Option(NamedTuple):
    """An option: its name, what values it takes, and what it does."""

    name: str
    kind: str
    description: str


def options_in(schema: dict[str, Any]) -> list[Option]:
    """Read the options of a schema, in its order."""
    return [
        Option(name, kind_of(members), " ".join(str(members.get("description", "")).split()))
        for name, value in table(schema.get("properties")).items()
        for members in [table(value)]
    ]


def kind_of(option: dict[str, Any]) -> str:
    """Put the type of an option, its range and its default into words."""
    variants = [table(one) for one in sequence(option.get("anyOf") or option.get("oneOf"))] or [option]
    kinds = [kind_of_variant(variant) for variant in variants]
    words = " or ".join(kind for kind in kinds if kind != "null") or "anything"
    for member, word in (("minimum", "at least"), ("maximum", "at most")):
        for bound in [one[member] for one in variants if member in one][:1]:
            words += f", {word} {bound}"
    preset = option.get("default")
    return words if preset is None else f"{words} (default {preset})"


def kind_of_variant(variant: dict[str, Any]) -> str:
    """Name the type of one variant of an option, or list its choices."""
    if "enum" in variant:
        return " | ".join(str(choice) for choice in sequence(variant["enum"]))
    kinds = sequence(variant.get("type")) or [variant.get("type", "anything")]
    return " or ".join(str(kind) for kind in kinds if kind != "null") or "null"


def table(value: object) -> dict[str, Any]:
    """Return a JSON object as it is, and anything else as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> list[object]:
    """Return a JSON array as it is, and anything else as an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []
