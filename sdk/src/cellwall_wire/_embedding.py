"""Embedding: texts or files in, vectors out, both as streams [P-75].

All types ignore members they do not know, so that a newer peer can add some [P-13].
"""

from __future__ import annotations

import msgspec

from ._content import Usage
from ._params import Params

__all__ = [
    "EmbedFile",
    "EmbedInput",
    "EmbedItem",
    "EmbedParams",
    "EmbedResult",
    "EmbedText",
    "Vector",
    "VectorFailure",
]


class EmbedParams(Params, frozen=True, kw_only=True):
    """Embed the input that follows; `dimensions` asks for shorter vectors where a model has them."""

    model: str
    dimensions: int | None = None


class _Item(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="t"):
    id: str
    """The caller's name for the input, and for the vector made of it."""


class EmbedText(_Item, frozen=True, tag="text"):
    """A text to embed; `more` says that the next item goes on with it."""

    text: str
    more: bool = False


class EmbedFile(_Item, frozen=True, tag="file"):
    """A file to embed: its bytes as base64; `more` says that the next item goes on with it."""

    data: str
    media_type: str | None = None
    more: bool = False


EmbedInput = EmbedText | EmbedFile


class Vector(_Item, frozen=True, tag="vector"):
    """A vector: 32-bit floats, little-endian, as base64."""

    vector: str


class VectorFailure(_Item, frozen=True, tag="failed"):
    """An input that cannot be embedded, and why; the others are."""

    message: str


EmbedItem = Vector | VectorFailure


class EmbedResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an embedding ended; `items` is filled in by Connection."""

    items: int = 0
    dimensions: int | None = None
    usage: Usage | None = None
