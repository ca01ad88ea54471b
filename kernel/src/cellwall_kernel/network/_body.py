"""The body of a request, forwarded to its end and not a byte further: what follows is no second request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cellwall_kernel.network._head import Malformed
from cellwall_kernel.network._stream import TooLong

if TYPE_CHECKING:
    from cellwall_kernel.network._stream import Stream

__all__ = ["forward_body"]

LINE_END = b"\r\n"
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~]*)?\r\n")
MAX_LINE_BYTES = 4096
"""A line between two chunks, or a field after the last one."""

MAX_TRAILERS = 100
"""Fields after the last chunk; they are read and dropped."""


async def forward_body(source: Stream, target: Stream, length: int | None) -> None:
    """Forward a body.

    Args:
        source: where it comes from.
        target: where it goes to.
        length: how long it is, in bytes; None if it comes in chunks.

    Raises:
        EOFError: it ends too early.
        Malformed: its chunks are not plain.
        OSError: a connection broke.
    """
    if length is not None:
        await _forward(source, target, length)
        return
    while size := await _chunk_size(source):
        await target.send(b"%x\r\n" % size)
        await _forward(source, target, size)
        if await source.receive_at_most(1) + await source.receive_at_most(1) != LINE_END:
            raise Malformed("A chunk is longer than it says.")
        await target.send(LINE_END)
    for _ in range(MAX_TRAILERS):
        if await _line(source) == LINE_END:
            await target.send(b"0\r\n\r\n")
            return
    raise Malformed("Too many fields follow the last chunk.")


async def _forward(source: Stream, target: Stream, size: int) -> None:
    while size:
        piece = await source.receive_at_most(size)
        await target.send(piece)
        size -= len(piece)


async def _chunk_size(source: Stream) -> int:
    line = CHUNK_LINE.fullmatch(await _line(source))
    if line is None:
        raise Malformed("A chunk has no plain size.")
    return int(line[1], 16)


async def _line(source: Stream) -> bytes:
    try:
        return await source.receive_until(LINE_END, MAX_LINE_BYTES)
    except TooLong as error:
        raise Malformed("A line between the chunks is too long.") from error
