"""A model that answers with what it was asked: for the tutorial, and for testing others with.

_models      the three models
_options     what they can be told
_show        the prompt as text
_misbehave   crashes, hangs and floods, on request
_embedding   an embedding model
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwall_sdk import hookimpl

from ._embedding import HashedWords
from ._models import AsyncEcho, Echo, KeyedEcho

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_sdk import EmbeddingModel, Model

__all__ = ["register_embedding_models", "register_models"]


@hookimpl
def register_models(register: Callable[[Model], None]) -> None:
    """Offer the models."""
    register(Echo())
    register(AsyncEcho())
    register(KeyedEcho())


@hookimpl
def register_embedding_models(register: Callable[[EmbeddingModel], None]) -> None:
    """Offer the embedding model."""
    register(HashedWords())
