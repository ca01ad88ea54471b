"""Printing vectors: one in a format of the user's choice, or a JSON line each as they come."""

from __future__ import annotations

import json
import sys
from array import array
from binascii import a2b_base64
from typing import TYPE_CHECKING

from cellwall_kernel.cli import _output
from cellwall_kernel.errors import PluginError

if TYPE_CHECKING:
    from cellwall_wire import Vector, VectorFailure

__all__ = ["OneVector", "VectorLines", "formatted"]


class OneVector:
    """Keeps the one vector that is expected."""

    def __init__(self) -> None:
        self._vector: str | None = None
        self._problem = "the model gave no vector."

    async def take(self, item: Vector | VectorFailure) -> None:
        """Take it, or the reason why there is none."""
        from cellwall_wire import Vector

        if isinstance(item, Vector):
            self._vector = item.vector
        else:
            self._problem = item.message

    def print(self, form: str) -> None:
        """Print the vector.

        Args:
            form: json, base64, hex or blob.

        Raises:
            PluginError: there is none.
        """
        if self._vector is None:
            raise PluginError("", self._problem)
        if form == "blob":
            sys.stdout.buffer.write(a2b_base64(self._vector))
        else:
            said = formatted(self._vector, form)
            _output.line(said if isinstance(said, str) else json.dumps(said))


class VectorLines:
    """Prints a JSON line for each vector as it comes.

    Args:
        form: json, base64 or hex.

    Attributes:
        count: how many answers have come.
        failed: how many of them were no vectors.
    """

    def __init__(self, form: str) -> None:
        from cellwall_kernel.cli._answer_output import AnswerOutput

        self.count = 0
        self.failed = 0
        self._form = form
        self._output = AnswerOutput(hide_reasoning=True)

    async def take(self, item: Vector | VectorFailure) -> None:
        """Print a vector, or say why there is none; waits for a slow reader.

        Raises:
            SinkClosed: the reader has gone.
        """
        from cellwall_wire import Vector

        self.count += 1
        if isinstance(item, Vector):
            line = {"id": item.id, "embedding": formatted(item.vector, self._form)}
            await self._output.text(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            self.failed += 1
            await self._output.remark(f"Not embedded: {item.id}: {item.message}")


def formatted(vector: str, form: str) -> str | list[float]:
    """Give a vector as numbers, hexadecimal digits, or base64 as it came.

    Args:
        vector: base64 of 32-bit little-endian floats [P-75].
        form: json, hex or base64.

    Raises:
        PluginError: it is not that.
    """
    try:
        content = a2b_base64(vector, strict_mode=True)
        numbers = array("f")
        numbers.frombytes(content)
    except ValueError as error:
        raise PluginError("", f"the model gave a vector that is none: {error}.") from None
    if form == "base64":
        return vector
    if form == "hex":
        return content.hex()
    if sys.byteorder == "big":
        numbers.byteswap()
    return list(numbers)
