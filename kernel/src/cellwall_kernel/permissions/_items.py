"""Permissions one by one, as the command line writes them: `network=api.example.com`, `memory=2G`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from cellwall_kernel.permissions._kinds import AMOUNTS, ANY, LISTS
from cellwall_kernel.permissions._spec import Limits, Permissions

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Permission", "items_of", "parse_item", "permissions_of", "values_of"]

KINDS: dict[str, str] = {
    **{name: listed.values for name, listed in LISTS.items()},
    **{name: amount.values for name, amount in AMOUNTS.items()},
}
"""Every kind, and what may stand behind its equals sign, for people."""


class Permission(msgspec.Struct, frozen=True):
    """A single permission.

    Args:
        kind: one of KINDS.
        value: as it is kept.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


def parse_item(text: str) -> Permission:
    """Read `KIND=VALUE`.

    Raises:
        ValueError: there is no such kind, or the value cannot be one; the message is a sentence without its
            full stop.
    """
    kind, equals, value = text.partition("=")
    if kind not in KINDS:
        raise ValueError(f"there is no permission '{kind}'")
    if not equals or not value:
        raise ValueError(f"'{kind}' needs a value: {kind}={KINDS[kind]}")
    try:
        return Permission(kind, _checked(kind, value))
    except ValueError as error:
        raise ValueError(f"'{kind}={value}' cannot be granted: '{value}' {error}") from None


def items_of(permissions: Permissions) -> tuple[Permission, ...]:
    """List what is allowed beyond the default, by kind and then in the order in which it was written."""
    listed = [Permission(kind, value) for kind in LISTS for value in values_of(permissions, kind)]
    amounts: list[Permission] = []
    for kind, amount in AMOUNTS.items():
        number = getattr(permissions.limits, amount.member)
        if number is not None:
            amounts.append(Permission(kind, amount.write(number)))
    return (*listed, *amounts)


def permissions_of(items: Iterable[Permission]) -> Permissions:
    """Put single permissions together; `any` takes the place of all others of its kind.

    Of several amounts of one kind the last one counts.
    """
    lists: dict[str, list[str]] = {}
    limits: dict[str, int] = {}
    for item in items:
        if item.kind in LISTS:
            lists.setdefault(item.kind, []).append(item.value)
        else:
            limits[AMOUNTS[item.kind].member] = AMOUNTS[item.kind].read(item.value)
    members: dict[str, Any] = {}
    for kind, values in lists.items():
        listed = LISTS[kind]
        if listed.has_any and ANY in values:
            members[listed.member] = True if kind == "spawn" else ANY
        else:
            members[listed.member] = tuple(dict.fromkeys(values))
    return Permissions(**members, limits=Limits(**limits))


def values_of(permissions: Permissions, kind: str) -> tuple[str, ...]:
    """Return the values of a kind that has a list; all of them are `any`."""
    value = cast("str | bool | tuple[str, ...]", getattr(permissions, LISTS[kind].member))
    if isinstance(value, tuple):
        return value
    return (ANY,) if value is True or value == ANY else ()


def _checked(kind: str, value: str) -> str:
    if kind in LISTS:
        listed = LISTS[kind]
        return ANY if listed.has_any and value == ANY else listed.check(value)
    amount = AMOUNTS[kind]
    number = amount.read(value)
    if number < amount.least:
        raise ValueError(f"is less than {amount.write(amount.least)}")
    return amount.write(number)
