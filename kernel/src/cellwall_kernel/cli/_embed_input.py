"""What `llm embed` reads: one thing as a whole, or lines as they come, never more of them than are wanted."""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.cli._reading import read_when_ready
from cellwall_kernel.errors import NotFound, UsageProblem
from cellwall_wire import EmbedFile, EmbedText

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["content_of", "lines_of", "text_of", "whole"]

PIECE_CHARS = 10_000
"""The most characters of a text in one item: 60,000 bytes at worst in JSON, below a data line's 65,536."""

PIECE_BYTES = 30_000
"""The most bytes of a file in one item: 40,000 in base64."""

LONGEST_LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is taken for a text."""

STDIN = "-"


class Line(msgspec.Struct, frozen=True):
    """A line of `--jsonl`."""

    id: str | int
    content: str


def content_of(file: str | None) -> bytes:
    """Read a file, or everything that is piped in.

    Args:
        file: its path; None or "-" for stdin.

    Raises:
        NotFound: it cannot be read.
        UsageProblem: nothing is piped in.
    """
    if file is not None and file != STDIN:
        try:
            with open(file, "rb") as opened:  # noqa: PTH123 - a path as the user wrote it, for the sentence too
                return opened.read()
        except OSError as error:
            raise NotFound(f"the file '{file}' cannot be read: {error.strerror}.") from None
    if os.isatty(0):
        raise UsageProblem("there is nothing to embed: give a text with -c, a file with -i, or pipe one in.")
    return sys.stdin.buffer.read()


def text_of(content: bytes) -> str:
    """Read bytes as text.

    Raises:
        UsageProblem: they are no UTF-8 text, or there are none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem("the input is not UTF-8 text; --binary embeds a file as it is.") from None
    if not text.strip():
        raise UsageProblem("there is nothing to embed: the input is empty.")
    return text


async def whole(content: str | bytes) -> AsyncIterator[list[EmbedText | EmbedFile]]:
    """Give one input, in as many pieces as it needs."""
    for piece in pieces("1", content):
        yield [piece]


async def lines_of(file: str | None, *, is_json: bool) -> AsyncIterator[list[EmbedText | EmbedFile]]:
    """Give every line that is not empty as an input, as lines come.

    Args:
        file: a path; None or "-" for stdin.
        is_json: whether each line is an object with `id` and `content`; else its number is its id.

    Raises:
        NotFound: the file cannot be read.
        UsageProblem: a line is not what it should be.
    """
    number, rest, fd = 0, b"", opened(file)
    try:
        while True:
            chunk = await read_when_ready(fd)
            *lines, rest = (rest + chunk).split(b"\n") if chunk else (rest, b"")
            if len(rest) > LONGEST_LINE_BYTES:
                raise UsageProblem(f"line {number + len(lines) + 1} is longer than 64 MiB.")
            for line in lines:
                number += 1
                for piece in line_pieces(number, line, is_json=is_json):
                    yield [piece]
            if not chunk:
                return
    finally:
        if fd != 0:
            os.close(fd)


def opened(file: str | None) -> int:
    """Open a file, or stdin.

    Raises:
        NotFound: it cannot be read.
    """
    if file is None or file == STDIN:
        return 0
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(f"the file '{file}' cannot be read: {error.strerror}.") from None


def line_pieces(number: int, line: bytes, *, is_json: bool) -> list[EmbedText | EmbedFile]:
    """Make items of one line; none of an empty one.

    Raises:
        UsageProblem: it is no UTF-8 text, or no such object.
    """
    line = line.rstrip(b"\r")
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    if not line.strip():
        return []
    try:
        if not is_json:
            return pieces(str(number), line.decode())
        found = msgspec.json.decode(line, type=Line)
    except UnicodeDecodeError:
        raise UsageProblem(f"line {number} is not UTF-8 text.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageProblem(f'line {number} is no object {{"id", "content"}}: {error}.') from None
    return pieces(str(found.id), found.content)


def pieces(name: str, content: str | bytes) -> list[EmbedText | EmbedFile]:
    """Cut an input into items that fit into lines of the protocol [P-75]."""
    step = PIECE_CHARS if isinstance(content, str) else PIECE_BYTES
    starts = range(0, len(content), step) or range(1)
    made: list[EmbedText | EmbedFile] = []
    for start in starts:
        piece, more = content[start : start + step], start + step < len(content)
        if isinstance(piece, str):
            made.append(EmbedText(name, piece, more=more))
        else:
            made.append(EmbedFile(name, b2a_base64(piece, newline=False).decode(), more=more))
    return made
