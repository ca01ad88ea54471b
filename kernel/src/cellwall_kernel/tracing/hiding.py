"""Texts that must not be written, found in the forms in which a plugin may bring them back.

A key that is handed out can come back in an answer, an error, a log line. It is looked for as it is, escaped
as JSON, in base64 at each of the three places where it may begin, in hexadecimal digits and with percent
signs. A plugin that wants to hide it has endless other ways: this protects from accidents, the wall from
malice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Secrets"]

LONG_ENOUGH = 8
"""From how many bytes on a secret is also looked for in other encodings; a shorter one's are everywhere."""

_PLAIN_ESCAPE = re.compile(r"\\+u00([2-7][0-9a-fA-F])")


class Secrets:
    """A set of texts that grows.

    Args:
        mark: what is written in their place.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._known: set[str] = set()
        self._forms: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def add(self, value: str) -> None:
        """Hide a text from now on."""
        if value and value not in self._known:
            self._known.add(value)
            self._forms = sorted({*self._forms, *_forms_of(value)}, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(form) for form in self._forms))

    def add_all(self, value: Any) -> None:
        """Hide every text that stands in a JSON value."""
        for text in _texts_in(value):
            self.add(text)

    def hide(self, text: str) -> str:
        """Return a text with the mark in place of every secret."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(self._mark, text)
        if "\\" in text:  # JSON inside of a text may spell any letter as an escape
            spelled = _PLAIN_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
            if self._pattern.search(spelled):
                return self._pattern.sub(self._mark, spelled)
        return text

    def hide_in(self, value: Any) -> Any:
        """Return a JSON value with the mark in place of every secret in its texts and names."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, list):
            return [self.hide_in(each) for each in cast("list[object]", value)]
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            return {self.hide(name): self.hide_in(each) for name, each in members.items()}
        return value

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets begin and end in a text."""
        return [] if self._pattern is None else [found.span() for found in self._pattern.finditer(text)]

    def is_in(self, text: str) -> bool:
        """Whether a secret stands in a text."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def begun_in(self, text: str) -> int:
        """Return how many characters at the end of a text may be the beginning of a secret."""
        most = 0
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), most, -1):
                if text.endswith(form[:length]):
                    most = length
                    break
        return most


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts_in(each)
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts_in(each)


def _forms_of(value: str) -> Iterator[str]:
    import json

    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    content = value.encode("utf-8", "replace")
    if len(content) >= LONG_ENOUGH:
        from urllib.parse import quote

        yield content.hex()
        yield content.hex().upper()
        yield quote(value, safe="", errors="replace")
        yield from _in_base64(content)


def _in_base64(content: bytes) -> Iterator[str]:
    """Yield what base64 makes of a content wherever it begins, without letters that its neighbours share."""
    from base64 import b64encode

    for before in range(3):
        letters = b64encode(bytes(before) + content).decode()
        first = -(-8 * before // 6)
        certain = letters[first : 8 * (before + len(content)) // 6]
        yield certain
        yield certain.translate({ord("+"): "-", ord("/"): "_"})
