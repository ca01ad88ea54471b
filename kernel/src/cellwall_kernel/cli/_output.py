"""What reaches the person: lines on stdout, notes on stderr, tables, JSON.

stdout carries only what was asked for, so that it can be piped; everything else goes to stderr. Text that a
plugin, a model or a file brought along passes `visible` before it reaches a terminal: it must not be able to
move the cursor, change the colours or set the clipboard.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "attempts",
    "error",
    "line",
    "note",
    "print_json",
    "shown",
    "table",
    "takes_more",
    "text",
    "visible",
]

# C0 except newline and tab, DEL, and C1. Each becomes the picture of itself; a carriage return vanishes,
# since CRLF is common.
CONTROL_PICTURES: dict[int, int | None] = {
    **{code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)},
    0x0D: None,
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


MOST_ATTEMPTS = 5
"""How many refused attempts a command tells one by one; who tries more is understood."""


def visible(text: str) -> str:
    """Make control characters visible, so that the text cannot drive a terminal; newline and tab stay."""
    return text.translate(CONTROL_PICTURES)


def shown(text: str, stream: TextIO | None) -> str:
    """Return the text as `stream` can take it: `visible` for a terminal, encodable for any."""
    if stream is not None and stream.isatty():
        text = visible(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def line(text: str = "") -> None:
    """Print one line of result on stdout."""
    sys.stdout.write(shown(text, sys.stdout) + "\n")


def text(content: str) -> None:
    """Print a text on stdout, with a newline at its end."""
    sys.stdout.write(shown(content if content.endswith("\n") else f"{content}\n", sys.stdout))


def note(text: str) -> None:
    """Print what is not the result on stderr, made visible; a stderr that has gone is no error."""
    try:
        sys.stderr.write(shown(visible(text), sys.stderr) + "\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what it still holds would fail again at the exit


def takes_more(stream: TextIO) -> bool:
    """Whether a few words can be written without waiting for who reads them."""
    import select

    try:
        poll = select.poll()
        poll.register(stream, select.POLLOUT)
        return bool(poll.poll(0))
    except (OSError, ValueError):  # it is closed, or no file at all
        return True


def attempts(sentences: Iterable[str]) -> None:
    """Print on stderr what plugins tried and were not allowed: each thing once, and not more than a few.

    What nothing can allow comes first: harmless attempts must not hide one at the stored keys.
    """
    different = sorted(dict.fromkeys(sentences), key=lambda sentence: "' allows it." in sentence)
    for sentence in different[:MOST_ATTEMPTS]:
        note(f"Note: {sentence}")
    more = len(different) - MOST_ATTEMPTS
    if more > 0:
        note(f"Note: {more} more like {'these were' if more > 1 else 'this was'} refused.")


def error(message: str) -> None:
    """Print the sentence of an error on stderr."""
    note(f"Error: {message}")


def print_json(value: Any) -> None:
    """Print a value as indented JSON on stdout; every struct in it shows all its members."""
    import msgspec

    line(msgspec.json.format(msgspec.json.encode(with_all_members(value)), indent=2).decode())


def with_all_members(value: Any) -> Any:
    """Return the value with every struct as a table, so that scripts find the same members every time."""
    from msgspec import Struct, structs

    if isinstance(value, Struct):
        value = structs.asdict(value)
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: with_all_members(member) for name, member in members.items()}
    if isinstance(value, (list, tuple)):
        return [with_all_members(member) for member in cast("list[object]", value)]
    return value


def table(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    """Print rows on stdout: aligned under headings on a terminal, else tab-separated without headings.

    Tabs and newlines inside a cell become spaces, so that one row stays one line in a pipe.
    """
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            line("\t".join(row))
        return
    widths = [max(len(row[column]) for row in [list(headings), *cells]) for column in range(len(headings))]
    for row in [list(headings), *cells]:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
