"""The classes that a plugin's models derive from.

A model says who it is by class attributes (or in `__init__`) and answers in `execute`, which declares the
arguments it needs, any of prompt, stream, response, conversation and key:

    class Shout(Model):
        model_id = "shout"

        def execute(self, prompt):
            return prompt.prompt.upper()

`execute` returns a string, yields strings and StreamEvents, or is `async` and does either. Nothing requires
that `__init__` is called, so that a subclass may have its own. Running a model is the business of `_execute`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._options import Options as BaseOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AsyncKeyModel", "AsyncModel", "EmbeddingModel", "KeyModel", "Model"]


class _Offered:
    """What language models and embedding models have in common.

    Args:
        model_id: the model's name, where it is not a class attribute.
    """

    model_id: str
    """The name that follows `-m`; the only attribute that every model must set."""

    title: str | None = None
    """A name for lists, where the id does not say enough."""

    needs_key: str | None = None
    """The alias of the API key, as in `llm keys set ALIAS`; None for a model without one."""

    key_env_var: str | None = None
    """The environment variable that may hold the key instead; the host reads it, a plugin never sees it."""

    key_required: bool = True
    """Whether there is no use in running the model without its key."""

    key: str | None = None
    """A key that the plugin itself sets; it wins over the user's."""

    needs_assets: Iterable[str] = ()
    """Names of the data files, declared in plugin.toml, that must be there before the model runs."""

    deprecated: str | None = None
    """Why the model should no longer be used, and what instead."""

    def __init__(self, model_id: str | None = None) -> None:
        if model_id is not None:
            self.model_id = model_id

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """Give the model's API key, asking the host for it; only while a prompt runs.

        Args:
            explicit_key: a key at hand, which is returned as it is.

        Returns:
            the key; None when the model needs none, or when an optional one is not stored or not granted.

        Raises:
            KeyMissing: the key is required, and the user has stored none or not granted it.
        """
        from ._context import get_key
        from .errors import KeyMissing

        if explicit_key or self.key is not None:
            return explicit_key or self.key
        if self.needs_key is None:
            return None
        try:
            return get_key(self.needs_key)
        except KeyMissing:
            if self.key_required:
                raise
            return None

    def __str__(self) -> str:
        return f"{type(self).__name__}: {getattr(self, 'model_id', '(no model_id)')}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Model(_Offered):
    """A language model that a plugin offers.

    Args:
        model_id: the model's name, where it is not a class attribute.
    """

    can_stream: bool = True
    """Whether the answer comes in pieces; without it `execute` is called with stream=False."""

    attachment_types: Iterable[str] = ()
    """Media types the model reads, such as "image/png" or "image/*"."""

    supports_schema: bool = False
    """Whether the model can be held to a JSON Schema."""

    supports_tools: bool = False
    """Whether the model can ask for tools."""

    supports_reasoning: bool = False
    """Whether the answer may hold reasoning."""

    supports_system: bool = True
    """Whether the model reads a system prompt."""

    supports_conversation: bool = True
    """Whether the model reads what was said before."""

    context_tokens: int | None = None
    """How many tokens the model reads at most."""

    output_tokens: int | None = None
    """How many tokens the model writes at most."""

    default: bool = False
    """Whether the model offers itself where the user has chosen none."""

    Options: type[BaseOptions] = BaseOptions
    """The model's options; a nested class of this name, derived from cellwall_sdk.Options, replaces it."""

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a prompt; a subclass declares which of the arguments it needs.

        Returns:
            a string; a generator of strings and StreamEvents; None when the response was filled by its
            methods; or, from an `async def`, the same.
        """
        raise NotImplementedError(f"{type(self).__name__} has no execute() method")


class KeyModel(Model):
    """A model with an API key; it sets `needs_key` and may take `key` in `execute`."""


class AsyncModel(Model):
    """A model whose `execute` is `async`; any Model may be, the name is for those who know it."""


class AsyncKeyModel(KeyModel, AsyncModel):
    """A model with an API key whose `execute` is `async`."""


class EmbeddingModel(_Offered):
    """A model that turns texts, or files, into vectors.

        class Lengths(EmbeddingModel):
            model_id = "lengths"

            def embed_batch(self, items):
                for item in items:
                    yield [float(len(item))]

    Args:
        model_id: the model's name, where it is not a class attribute.
    """

    supports_text: bool = True
    """Whether items may be `str`."""

    supports_binary: bool = False
    """Whether items may be `bytes`; `embed_types` may say of which kinds."""

    embed_types: Iterable[str] = ()
    """Media types of the files that the model embeds, such as "image/*"; none named means all."""

    batch_size: int | None = None
    """How many items `embed_batch` is given at most; None leaves it to the SDK."""

    dimensions: int | None = None
    """How many numbers a vector has, where it is always the same."""

    def embed_batch(self, items: Iterable[str | bytes]) -> Any:
        """Turn items into vectors.

        Args:
            items: texts and the contents of files, a list.

        Returns:
            an iterable of as many vectors in the same order: sequences of numbers, or arrays of them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no embed_batch() method")
