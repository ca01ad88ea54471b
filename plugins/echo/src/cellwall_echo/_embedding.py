"""An embedding model without a model: words are hashed into a vector, so texts that share words are near."""

from __future__ import annotations

import re
from math import sqrt
from typing import TYPE_CHECKING
from zlib import crc32

from cellwall_sdk import EmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["HashedWords"]

DIMENSIONS = 64
"""How many numbers a vector has: enough that few words of a sentence fall together."""

WORD = re.compile(r"\w+")


class HashedWords(EmbeddingModel):
    """Counts words by their hashes (the hashing trick: Weinberger and others, 2009), scaled to length 1."""

    model_id = "echo-embed"
    title = "Hashed words: no meaning, only shared words; for trying out and for tests"
    supports_binary = True
    dimensions = DIMENSIONS

    def embed_batch(self, items: Iterable[str | bytes]) -> Iterator[list[float]]:
        """Embed texts by their words, and files by their bytes."""
        for item in items:
            words = WORD.findall(item.casefold()) if isinstance(item, str) else map(chr, item)
            yield embedded(words)


def embedded(words: Iterable[str]) -> list[float]:
    """Give the vector of some words; without any, all of it is 0."""
    vector = [0.0] * DIMENSIONS
    for word in words:
        digest = crc32(word.encode("utf-8", "surrogatepass"))
        vector[digest % DIMENSIONS] += 1.0 if digest & 0x80000000 else -1.0  # the sign keeps the mean at 0
    length = sqrt(sum(number * number for number in vector))
    return [number / length for number in vector] if length else vector
