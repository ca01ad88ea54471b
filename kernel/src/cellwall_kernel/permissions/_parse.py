"""`[permissions]` and `[sandbox]` of a `plugin.toml`; whatever is not understood refuses the whole manifest.

    [permissions]
    network = ["api.example.com", "*.example.org:8443"]    # or "none", or "any"
    read    = ["~/models"]                                 # write likewise, which includes reading
    keys    = ["example"]
    env     = ["EXAMPLE_HOST"]
    spawn   = false                                        # or true, or ["git"]
    devices = ["gpu"]
    host    = ["prompt", "ask"]
    sockets = ["docker"]
    [permissions.limits]                                   # memory, file_size, data, processes, cpu_seconds
    memory   = "2G"
    deadline = "10m"
    [permissions.reason]                                   # why, by the names above
    network  = "calls the Example API"
    [sandbox]
    require  = ["files", "network"]                        # do not start where these are not enforced

A permission that was overlooked because of a slip would be a wall with a hole, or a plugin that fails for no
reason that anybody can see. So the errors name the place and what is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cellwall_kernel.permissions._items import Permission, permissions_of
from cellwall_kernel.permissions._kinds import AMOUNTS, ANY, LISTS, Listed
from cellwall_kernel.permissions._words import plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwall_kernel.permissions._spec import Permissions, Reasons

__all__ = ["REQUIREMENTS", "parse_permissions", "parse_requirements"]

REQUIREMENTS = ("files", "network", "processes", "host", "limits")
"""What a plugin may insist on being enforced, in the words of `llm doctor`."""

NONE = "none"
LIMITS, REASON = "limits", "reason"
KIND_OF = {listed.member: kind for kind, listed in LISTS.items()}

MOST_VALUES = 100
"""No person reads a longer list before they agree to it."""


def parse_permissions(table: Mapping[str, Any]) -> tuple[Permissions, Reasons]:
    """Read the table `[permissions]`.

    Returns:
        what is asked for, and the author's reasons, by names of the table.

    Raises:
        ValueError: something in it is not understood; the message is a sentence without its full stop.
    """
    _refuse_unknown("[permissions]", table, (*KIND_OF, LIMITS, REASON))
    items: list[Permission] = []
    for member, kind in KIND_OF.items():
        if member in table:
            items.extend(Permission(kind, value) for value in _values(LISTS[kind], table[member]))
    items.extend(_amounts(_subtable(table, LIMITS)))
    return permissions_of(items), _reasons(_subtable(table, REASON))


def parse_requirements(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the table `[sandbox]`.

    Returns:
        what must be enforced for the plugin to start, some of REQUIREMENTS.

    Raises:
        ValueError: as for `parse_permissions`.
    """
    _refuse_unknown("[sandbox]", table, ("require",))
    required = table.get("require", [])
    texts = _texts(required)
    if texts is None:
        raise _wrong("require", "[sandbox]", required, "a list of texts")
    for text in texts:
        if text not in REQUIREMENTS:
            raise ValueError(
                f"require in [sandbox] has {_shown(text)}; possible are {', '.join(REQUIREMENTS)}"
            )
    return tuple(dict.fromkeys(texts))


def _values(listed: Listed, value: object) -> list[str]:
    """Return the values of one line of `[permissions]`, checked."""
    name = listed.member
    if name == "network" and value in (NONE, ANY):
        return [ANY] if value == ANY else []
    if name == "spawn" and isinstance(value, bool):
        return [ANY] if value else []
    texts = _texts(value)
    if texts is None:
        ways = {"network": '"none", "any" or a list of hosts', "spawn": "true, false or a list of programs"}
        wanted = ways.get(name, f"a list of texts, each {listed.values}")
        raise _wrong(name, "[permissions]", value, wanted)
    if len(texts) > MOST_VALUES:
        raise ValueError(f"{name} in [permissions] has {len(texts)} values; {MOST_VALUES} are allowed")
    if listed.has_any and ANY in texts:
        every = '"any"' if name == "network" else "true"
        raise ValueError(f"{name} in [permissions] has 'any' in its list; write {name} = {every} instead")
    checked: list[str] = []
    for text in texts:
        try:
            checked.append(listed.check(text))
        except ValueError as error:
            raise ValueError(f"{name} in [permissions] has {_shown(text)}, which {error}") from None
    return checked


def _amounts(table: Mapping[str, Any]) -> list[Permission]:
    where = "[permissions.limits]"
    _refuse_unknown(where, table, AMOUNTS)
    items: list[Permission] = []
    for kind, value in table.items():
        amount = AMOUNTS[kind]
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _wrong(kind, where, value, f"a {amount.values}")
        try:
            number = amount.read(str(value))
        except ValueError as error:
            raise ValueError(f"{kind} in {where} is {_shown(value)}, which {error}") from None
        if number < amount.least:
            raise ValueError(
                f"{kind} in {where} is {_shown(value)}; the least is {amount.write(amount.least)}"
            )
        items.append(Permission(kind, amount.write(number)))
    return items


def _reasons(table: Mapping[str, Any]) -> Reasons:
    where = "[permissions.reason]"
    _refuse_unknown(where, table, (*KIND_OF, LIMITS, *AMOUNTS))
    for name, text in table.items():
        if not isinstance(text, str):
            raise _wrong(name, where, text, "a text")
    reasons = {name: plain_words(text) for name, text in table.items()}
    return {name: words for name, words in reasons.items() if words}


def _subtable(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise _wrong(name, "[permissions]", value, "a table")
    return cast("dict[str, Any]", value)


def _refuse_unknown(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    known = tuple(known)
    for name in table:
        if name not in known:
            raise ValueError(f"{where} has {_shown(name)}, which is unknown; possible are {', '.join(known)}")


def _wrong(name: str, where: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{name} in {where} is {_shown(value)}; it must be {wanted}")


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    texts = [text for text in cast("list[object]", value) if isinstance(text, str)]
    return texts if len(texts) == len(cast("list[object]", value)) else None


def _shown(value: object) -> str:
    """Quote a value of the file, short and without anything that would drive a terminal."""
    text = value if isinstance(value, str) else repr(value)
    return f"'{plain_words(text, most=80)}'"
