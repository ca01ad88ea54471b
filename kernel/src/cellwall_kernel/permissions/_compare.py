"""Comparing permissions: what one set allows that another does not, and sets put together or cut down.

A wide permission covers narrow ones: `any` every host, `*.example.com` the names below it, a folder what is
in it, writing reading, a larger amount a smaller one. Amounts up to the default are everybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.permissions._hosts import HostPattern
from cellwall_kernel.permissions._items import Permission, items_of, permissions_of, values_of
from cellwall_kernel.permissions._kinds import AMOUNTS, ANY, LISTS
from cellwall_kernel.permissions._places import expanded, holds
from cellwall_kernel.permissions._spec import DEFAULT_LIMITS, Limits, Permissions

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["covers", "missing", "union", "with_items", "without"]

UNBOUNDED_BY_ZERO = frozenset({"cpu_seconds"})
"""Where 0 means "no limit", which is more than any other number."""


def missing(asked: Permissions, granted: Permissions) -> Permissions:
    """Return what is asked for and not granted; also what a new version wants beyond an old one."""
    return permissions_of(item for item in items_of(asked) if not covers(granted, item))


def covers(granted: Permissions, item: Permission) -> bool:
    """Whether a single permission is among those that are granted, or part of one."""
    if item.kind in AMOUNTS:
        return _covers_amount(granted.limits, item)
    values = values_of(granted, item.kind)
    if item.kind == "read":
        values += granted.write
    if item.value in values or (LISTS[item.kind].has_any and ANY in values):
        return True
    if item.kind == "network" and item.value != ANY:
        return any(_covers_host(HostPattern.parse(value), HostPattern.parse(item.value)) for value in values)
    return item.kind in {"read", "write"} and any(holds(value, item.value) for value in values)


def union(one: Permissions, other: Permissions) -> Permissions:
    """Return what either of the two allows; of two amounts the larger one."""
    together = permissions_of([*items_of(one), *items_of(other)])
    limits: dict[str, int | None] = {}
    for kind, amount in AMOUNTS.items():
        numbers = (getattr(one.limits, amount.member), getattr(other.limits, amount.member))
        known = [number for number in numbers if number is not None]
        limits[amount.member] = max(known, key=lambda number: _rank(kind, number)) if known else None
    return msgspec.structs.replace(together, limits=Limits(**limits))


def with_items(permissions: Permissions, items: Iterable[Permission]) -> Permissions:
    """Return the permissions and some more; an amount takes the place of the one before."""
    return permissions_of([*items_of(permissions), *items])


def without(permissions: Permissions, items: Iterable[Permission]) -> Permissions:
    """Return the permissions but for those, which must be written like them; parts cannot be taken away."""
    gone = {_plain(item) for item in items}
    return permissions_of(item for item in items_of(permissions) if _plain(item) not in gone)


def _covers_amount(limits: Limits, item: Permission) -> bool:
    amount = AMOUNTS[item.kind]
    asked = _rank(item.kind, amount.read(item.value))
    if asked <= _rank(item.kind, getattr(DEFAULT_LIMITS, amount.member)):
        return True
    number = getattr(limits, amount.member)
    return number is not None and asked <= _rank(item.kind, number)


def _rank(kind: str, number: int) -> float:
    return float("inf") if number == 0 and kind in UNBOUNDED_BY_ZERO else number


def _covers_host(wide: HostPattern, narrow: HostPattern) -> bool:
    if not narrow.is_wildcard:
        return wide.matches(narrow.host, narrow.port)
    is_below = narrow.host == wide.host or narrow.host.endswith(f".{wide.host}")
    return wide.is_wildcard and wide.port == narrow.port and is_below


def _plain(item: Permission) -> tuple[str, str]:
    if item.kind in {"read", "write", "socket"}:
        return item.kind, expanded(item.value) or item.value
    return item.kind, item.value
