"""What a plugin says now, held against what it said then.

A plugin may learn to say more, so a member that is new is no difference. Numbers of ids, digests, versions
and the sizes of the pieces in which a text comes are not looked at either, unless somebody wants it exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["differences", "joined"]

CHANGEABLE = frozenset(
    {
        "error.data.detail",
        "error.data.items_sent",
        "error.data.retry_after_ms",
        "result.describe_digest",
        "result.digest",
        "result.items",
        "result.load_error.file",
        "result.load_error.line",
        "result.load_error.traceback",
        "result.plugin.version",
        "result.sdk",
        "result.ttl_ms",
    }
)
"""Members that differ from day to day and from version to version, by their place in an answer."""

SHOWN = 80
"""How many characters of a value are shown."""

PIECES = {"delta": "text", "args": "json"}
"""Stream items that go on where the one before ended [P-45], and the member that does."""


def differences(then: Any, now: Any, where: str = "", *, exact: bool = False) -> Iterator[str]:
    """Yield what is different, each as half a sentence.

    Args:
        then: a JSON value as it was recorded.
        now: the same as it is.
        where: its place in the answer, such as "result.models".
        exact: everything counts.
    """
    if not exact and where in CHANGEABLE:
        return
    if isinstance(then, dict) and isinstance(now, dict):
        yield from _of_objects(cast("dict[str, Any]", then), cast("dict[str, Any]", now), where, exact)
    elif isinstance(then, list) and isinstance(now, list):
        one, other = cast("list[object]", then), cast("list[object]", now)
        for number, (before, after) in enumerate(zip(one, other, strict=False)):
            yield from differences(before, after, f"{where}[{number}]", exact=exact)
        if len(one) != len(other):
            yield f"{where} had {len(one)} members and has {len(other)}"
    elif then != now or isinstance(then, bool) != isinstance(now, bool):
        yield f"{where} was {_shown(then)} and is {_shown(now)}"


def joined(items: list[Any]) -> list[Any]:
    """Return the items of a stream with the pieces of each text put together."""
    whole: list[Any] = []
    last: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict):
            whole.append(item)
            continue
        members = dict(cast("dict[str, Any]", item))
        name = PIECES.get(str(members.get("t")))
        goes_on = name is not None and all(last.get(key) == members.get(key) for key in ("t", "part"))
        if name is not None and goes_on and whole and whole[-1] is last:
            last[name] = f"{last.get(name, '')}{members.get(name, '')}"
            continue
        whole.append(members)
        last = members
    return [item for item in whole if not _is_empty_piece(item)]


def _is_empty_piece(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    members = cast("dict[str, Any]", item)
    name = PIECES.get(str(members.get("t")))
    return name is not None and members.get(name) == ""


def _of_objects(then: dict[str, Any], now: dict[str, Any], where: str, exact: bool) -> Iterator[str]:
    for name, value in then.items():
        place = f"{where}.{name}" if where else name
        if name in now:
            yield from differences(value, now[name], place, exact=exact)
        elif exact or place not in CHANGEABLE:
            yield f"{place} was {_shown(value)} and is missing"
    if exact:
        yield from (f"{where}.{name} is new" for name in now if name not in then)


def _shown(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
