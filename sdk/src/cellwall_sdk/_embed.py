"""Runs one embedding: takes the items as they come, gives them to the model in batches, sends the vectors.

A batch is what has arrived, up to the model's own limit: so a slow source is embedded as it comes, and a
quick one in batches that are worth it. The input's credit is given back as batches are taken [P-55].
"""

from __future__ import annotations

import sys
from array import array
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

from cellwall_wire import Credit, EmbedFile, EmbedParams, EmbedResult, EmbedText, Vector, VectorFailure

from ._emit import Emitter
from ._incoming import WINDOW_BYTES
from .errors import BadOutput, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._call import Call
    from ._link import Link
    from ._models import EmbeddingModel
    from ._registry import Registry

__all__ = ["run_embedding"]

BATCH_ITEMS = 64
"""How many items a model is given at a time, where it does not say."""


def run_embedding(call: Call, link: Link, registry: Registry) -> EmbedResult:
    """Run an embedding to its end.

    Args:
        call: the `embed/batch` call.
        link: where its vectors go.
        registry: the plugin's models.

    Returns:
        how it ended; all vectors have been sent.

    Raises:
        ModelError: it cannot be run, or the author's code says so.
        Cancelled: the host no longer wants the answer.
        BaseException: whatever else the author's code raises.
    """
    params: EmbedParams = call.params
    model = registry.find_embedder(params.model).model
    emitter = call.emitter = Emitter(link, call, params.meta.credit or 0)
    link.send(Credit(call.id, WINDOW_BYTES))
    run = _Run(call, model, emitter, params.dimensions)
    whole = _Joiner()
    for batch in _batches(call, link, model.batch_size or BATCH_ITEMS):
        run.embed(whole.join(batch))
    emitter.flush()
    return EmbedResult(dimensions=run.dimensions)


def _batches(call: Call, link: Link, size: int) -> Iterator[list[Any]]:
    """Give what comes, in lists of at most `size` items."""
    incoming = call.input
    assert incoming is not None  # noqa: S101 - the session has made it for this method
    while True:
        incoming.arrived.clear()
        has_ended = incoming.has_ended  # before the last items are taken, not after
        items = incoming.take(link, call.id)
        for start in range(0, len(items), size):
            yield items[start : start + size]
        call.check()
        if has_ended:
            return
        if not items:
            incoming.arrived.wait()


class _Whole:
    """An input, put together of its pieces.

    Attributes:
        id: the host's name for it.
        value: a text, or the bytes of a file.
        problem: why it cannot be embedded; None if it can.
    """

    __slots__ = ("id", "problem", "value")

    def __init__(self, pieces: list[EmbedText | EmbedFile]) -> None:
        self.id = pieces[-1].id
        self.problem: str | None = None
        self.value: str | bytes = ""
        if isinstance(pieces[-1], EmbedText):
            self.value = "".join(piece.text for piece in pieces if isinstance(piece, EmbedText))
            return
        files = [piece.data for piece in pieces if isinstance(piece, EmbedFile)]
        try:
            self.value = b"".join(a2b_base64(data, strict_mode=True) for data in files)
        except ValueError as error:
            self.problem = f"The host sent a file that is no base64: {error}."


class _Joiner:
    """Puts the pieces of long inputs together."""

    def __init__(self) -> None:
        self._pieces: list[EmbedText | EmbedFile] = []

    def join(self, items: list[Any]) -> list[_Whole]:
        """Give the inputs that are whole now; pieces without an end are kept."""
        whole: list[_Whole] = []
        for item in items:
            if isinstance(item, EmbedText | EmbedFile):  # anything else is of a newer host [P-13]
                self._pieces.append(item)
                if not item.more:
                    whole.append(_Whole(self._pieces))
                    self._pieces = []
        return whole


class _Run:
    """One embedding.

    Args:
        call: the call.
        model: the model.
        emitter: where the vectors go.
        dimensions: how long the host wants them; None for the model's own length.

    Attributes:
        dimensions: how long they are, once there is one.
    """

    def __init__(self, call: Call, model: EmbeddingModel, emitter: Emitter, dimensions: int | None) -> None:
        self.dimensions: int | None = None
        self._call = call
        self._model = model
        self._emitter = emitter
        self._wanted = dimensions

    def embed(self, batch: list[_Whole]) -> None:
        """Embed a batch and send the vectors.

        Raises:
            BadOutput: the model gave something else.
        """
        ids: list[str] = []
        values: list[str | bytes] = []
        for item in batch:
            problem = item.problem or self._problem_of(item.value)
            if problem is not None:
                self._emitter.item(VectorFailure(item.id, problem))
            else:
                ids.append(item.id)
                values.append(item.value)
        if ids:
            self._send(ids, self._call.run_author(self._model.embed_batch, values))

    def _problem_of(self, value: str | bytes) -> str | None:
        """Say why the model is not given an input."""
        if isinstance(value, str):
            return (
                None if self._model.supports_text else f"The model '{self._model.model_id}' embeds no text."
            )
        if self._model.supports_binary:
            return None
        return f"The model '{self._model.model_id}' embeds no files."

    def _send(self, ids: list[str], vectors: Iterable[Any]) -> None:
        call, name = self._call, self._model.model_id
        if hasattr(vectors, "__await__") or hasattr(vectors, "__aiter__"):
            raise BadOutput(f"embed_batch() of '{name}' is `async`; it has to be a plain function.")
        count = 0
        made = call.run_author(_listed, vectors)
        for vector in made:
            if count == len(ids):
                raise BadOutput(f"embed_batch() of '{name}' gave more vectors than the {len(ids)} items.")
            self._emitter.item(Vector(ids[count], self._packed(vector)))
            if self._emitter.full:
                self._emitter.wait_for_room()
            count += 1
        if count < len(ids):
            raise BadOutput(f"embed_batch() of '{name}' gave {count} vectors for {len(ids)} items.")

    def _packed(self, vector: Any) -> str:
        """Write a vector as base64 of 32-bit little-endian floats [P-75]."""
        try:
            numbers = array("f", [float(number) for number in vector])
        except (TypeError, ValueError, OverflowError) as error:
            raise BadOutput(
                f"A vector of '{self._model.model_id}' is no list of numbers: {error}."
            ) from error
        if self._wanted is not None and len(numbers) != self._wanted:
            has = f"has vectors of {len(numbers)} numbers, not of {self._wanted}"
            raise ModelError(f"The model '{self._model.model_id}' {has}.")
        if self.dimensions not in (None, len(numbers)):
            raise BadOutput(f"The vectors of '{self._model.model_id}' differ in length.")
        self.dimensions = len(numbers)
        if sys.byteorder == "big":
            numbers.byteswap()
        return b2a_base64(numbers.tobytes(), newline=False).decode()


def _listed(vectors: Iterable[Any]) -> list[Any]:
    return list(vectors)
