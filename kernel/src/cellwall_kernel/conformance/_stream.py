"""The stream of one answer: its items counted, and its parts followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from cellwall_kernel.conformance._words import members_of
from cellwall_wire import Args, Delta, Item, PartEnd, PartStart

__all__ = ["Stream"]

KNOWN = {"part", "delta", "args", "end", "usage", "note"}


@dataclass
class Stream:
    """What has come of an answer.

    Args:
        is_text: it is the answer to a prompt, which is made of parts.

    Attributes:
        seq: the number that the next `$/data` must have.
        items: how many items came.
        parts: the kinds of the parts, by number; None for one that is closed.
        said: the pieces of its text parts.
        others: the items of an answer that is not made of parts.
    """

    is_text: bool = True
    seq: int = 0
    items: int = 0
    others: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    parts: list[str | None] = field(default_factory=list[str | None])
    said: list[str] = field(default_factory=list[str])

    def take(self, items: Any) -> str | None:
        """Take the items of one `$/data`; returns what is wrong with them, None if nothing is."""
        self.seq += 1
        if not isinstance(items, list):
            return "'items' is not a list"
        problem: str | None = None
        for item in cast("list[object]", items):
            self.items += 1
            problem = problem or self._take(item)
        return problem

    def _take(self, item: Any) -> str | None:
        tag = members_of(item).get("t")
        if not isinstance(tag, str):
            return "an item without 't'"
        if not self.is_text:
            self.others.append(members_of(item))
            return None
        if tag not in KNOWN:
            return None
        try:
            return self._follow(msgspec.convert(item, cast("Any", Item)))
        except msgspec.ValidationError as error:
            return f"'{tag}': {error}"

    def _follow(self, item: Any) -> str | None:
        if isinstance(item, PartStart):
            return self._open(item.part, item.type)
        if isinstance(item, Delta):
            problem = self._open(item.part, "text") if item.part == len(self.parts) else None
            problem = problem or self._use(item.part, is_args=False)
            if problem is None and self.parts[item.part] == "text":
                self.said.append(item.text)
            return problem
        if isinstance(item, Args):
            return self._use(item.part, is_args=True)
        return self._close(item.part) if isinstance(item, PartEnd) else None

    def _open(self, part: int, kind: str) -> str | None:
        if part != len(self.parts):
            return f"part {part} is opened where {len(self.parts)} is the next"
        self.parts.append(kind)
        return None

    def _use(self, part: int, *, is_args: bool) -> str | None:
        if not 0 <= part < len(self.parts):
            return f"part {part} was not opened"
        kind = self.parts[part]
        if kind is None:
            return f"part {part} is closed already"
        if is_args != (kind == "tool_call"):
            return f"part {part} is of type {kind}"
        return None

    def _close(self, part: int) -> str | None:
        if not 0 <= part < len(self.parts) or self.parts[part] is None:
            return f"part {part} is closed without being open"
        self.parts[part] = None
        return None
