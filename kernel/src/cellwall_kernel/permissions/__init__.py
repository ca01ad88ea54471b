"""Permissions: what a plugin asks for in its manifest, and what its user grants it; data without effects.

    _spec      the vocabulary: Permissions, Limits, Reasons
    _kinds     the same as tables, with the values of each kind (_values, _places, _hosts, _amounts)
    _parse     from `[permissions]` and `[sandbox]` of a manifest
    _items     one by one, as the command line writes them
    _compare   what one set allows and another does not
    _words     for people: tables, short forms    _dangers   for people: what it adds up to
    _refusals  what was tried in vain, in words

What is granted to whom is kept by `grants`; what becomes of it is up to `wall`. Every command loads this
package, and few need more than its types: the rest is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellwall_kernel.permissions._refusals import Refusal
from cellwall_kernel.permissions._spec import DEFAULT_LIMITS, Limits, Permissions, Reasons

if TYPE_CHECKING:
    from cellwall_kernel.permissions._amounts import duration_text, read_duration
    from cellwall_kernel.permissions._compare import covers, missing, union, with_items, without
    from cellwall_kernel.permissions._dangers import Caution, cautions_about
    from cellwall_kernel.permissions._hosts import HostPattern
    from cellwall_kernel.permissions._items import (
        KINDS,
        Permission,
        items_of,
        parse_item,
        permissions_of,
        values_of,
    )
    from cellwall_kernel.permissions._parse import REQUIREMENTS, parse_permissions, parse_requirements
    from cellwall_kernel.permissions._places import expanded, holds
    from cellwall_kernel.permissions._words import Row, in_short, plain_words, rows, what_is_not_asked

__all__ = [
    "DEFAULT_LIMITS",
    "KINDS",
    "REQUIREMENTS",
    "Caution",
    "HostPattern",
    "Limits",
    "Permission",
    "Permissions",
    "Reasons",
    "Refusal",
    "Row",
    "cautions_about",
    "covers",
    "duration_text",
    "expanded",
    "holds",
    "in_short",
    "items_of",
    "missing",
    "parse_item",
    "parse_permissions",
    "parse_requirements",
    "permissions_of",
    "plain_words",
    "read_duration",
    "rows",
    "union",
    "values_of",
    "what_is_not_asked",
    "with_items",
    "without",
]

_HOMES = {
    "_amounts": ("duration_text", "read_duration"),
    "_compare": ("covers", "missing", "union", "with_items", "without"),
    "_dangers": ("Caution", "cautions_about"),
    "_hosts": ("HostPattern",),
    "_items": ("KINDS", "Permission", "items_of", "parse_item", "permissions_of", "values_of"),
    "_parse": ("REQUIREMENTS", "parse_permissions", "parse_requirements"),
    "_places": ("expanded", "holds"),
    "_words": ("Row", "in_short", "plain_words", "rows", "what_is_not_asked"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"{__name__} has no '{name}'")
