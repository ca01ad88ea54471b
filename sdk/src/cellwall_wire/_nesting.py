"""How deeply a line's arrays and objects are nested, found out before anything is made of it.

Readers and writers of JSON recurse, and each gives up at a depth of its own: what one has just read, another,
further down the stack, cannot write any more. So there is one limit for all, far below any of theirs.

Worst case: a line of n bytes costs O(n) time and n bytes of memory.
"""

from __future__ import annotations

__all__ = ["MOST_LEVELS", "SHALLOW_BYTES", "is_too_deep"]

MOST_LEVELS = 256
"""How many arrays and objects may stand inside each other; people and their libraries do with a tenth."""

SHALLOW_BYTES = 2 * MOST_LEVELS
"""A line of this many bytes or fewer cannot be deeper: each level is opened and closed."""

OPENING = frozenset(b"[{")
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))


def is_too_deep(line: bytes) -> bool:
    """Whether more than MOST_LEVELS arrays and objects of a line stand inside each other."""
    if len(line) <= SHALLOW_BYTES or line.count(b"{") + line.count(b"[") <= MOST_LEVELS:
        return False
    if b"\\" in line:  # a quote behind an odd number of backslashes ends no string
        line = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = line.translate(None, _OTHERS)
    depth = at = 0
    while True:
        quote = brackets.find(b'"', at)
        end = quote if quote >= 0 else len(brackets)
        for byte in brackets[at:end]:
            depth += 1 if byte in OPENING else -1
            if depth > MOST_LEVELS:
                return True
        at = brackets.find(b'"', end + 1) + 1  # what stands in a string does not count
        if not at:
            return False
