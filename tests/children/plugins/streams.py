"""Streams without end, in the way that the prompt names, and notes in its folder how much it has said."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cellwall_sdk import Model, StreamEvent, hookimpl

# settings
# end of settings

WORD = "streams without end and without a pause, "


class Notes:
    """Counts what was said, in bytes or, where no text is, in events; the file shows the last number."""

    def __init__(self) -> None:
        self._fd = os.open("said", os.O_CREAT | os.O_WRONLY)
        self._said = 0

    def add(self, size: int) -> None:
        """Count more."""
        self._said += size
        os.pwrite(self._fd, b"%20d" % self._said, 0)


def events(kind: str) -> Iterator[Any]:
    """Make pieces of an answer without end."""
    number = 0
    while True:
        number += 1
        if kind == "text":
            yield WORD
        elif kind == "long text":
            yield WORD * 1000
        elif kind == "reasoning":
            yield StreamEvent("reasoning", WORD)
        elif kind == "parts":
            yield StreamEvent("text", WORD, part_index=number % 3)
        elif kind == "arguments":
            yield StreamEvent("tool_call_args", WORD, tool_call_id="c")
        else:
            yield StreamEvent("tool_call_name", "tool", tool_call_id=f"c{number}")


def size_of(piece: Any) -> int:
    """How much a piece counts."""
    return len(piece if isinstance(piece, str) else piece.chunk)


class Streams(Model):
    """Streams from a plain generator; "stop" is answered at once."""

    model_id = "zoo"

    def execute(self, prompt: Any, response: Any) -> Iterator[Any]:
        """Stream."""
        if prompt.prompt == "stop":
            yield "stopped"
            return
        notes = Notes()
        for piece in events(prompt.prompt):
            yield piece
            notes.add(size_of(piece))


class StreamsAsync(Model):
    """Streams from an async generator."""

    model_id = "async"

    async def execute(self, prompt: Any, response: Any) -> AsyncIterator[Any]:
        """Stream."""
        notes = Notes()
        for piece in events(prompt.prompt):
            yield piece
            notes.add(size_of(piece))


@hookimpl
def register_models(register: Any) -> None:
    """Offer the models."""
    register(Streams())
    register(StreamsAsync())
