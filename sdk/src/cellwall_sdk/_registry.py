"""What a plugin offers: runs its hooks, checks each model, and describes the result.

One bad model or one failing hook costs itself and is reported; the others work on. Only a plugin of which
nothing is left fails as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cellwall_wire import DescribeResult, EmbedderInfo, HookInfo, KeyNeed, ModelInfo, ModelLimits, Supports

from ._failures import blame
from ._hooks import KNOWN_HOOKS, HookImplementation, find_implementations
from ._models import EmbeddingModel, Model
from ._options import Options, options_schema
from ._signature import Binding, Signature, bind, read_signature
from .errors import Cancelled, RegistrationError, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EmbedderOffer", "Offer", "Registry", "build_registry"]

_O = TypeVar("_O", "Offer", "EmbedderOffer")

EXECUTE_OFFERS = ("prompt", "stream", "response", "conversation", "key")
"""What `execute` may declare, in the order in which `llm` passes it."""


class Offer(msgspec.Struct, frozen=True):
    """A model that a plugin registered.

    Attributes:
        model: the model; the one that answers.
        async_model: its other form, where the plugin registered two.
        aliases: its other names.
        binding: the arguments its `execute` wants.
    """

    model: Model
    async_model: Model | None
    aliases: tuple[str, ...]
    binding: Binding

    @property
    def info(self) -> ModelInfo:
        """The model as the host lists it."""
        model = self.model
        limits = ModelLimits(context=model.context_tokens, output=model.output_tokens)
        return ModelInfo(
            id=model.model_id,
            aliases=list(self.aliases),
            title=_title(model),
            input=sorted(model.attachment_types),
            supports=_supports(model),
            options_schema=options_schema(model.Options),
            key=_key_need(model),
            limits=limits if limits != ModelLimits() else None,
            assets=list(model.needs_assets),
            default=model.default,
            deprecated=model.deprecated,
        )


class EmbedderOffer(msgspec.Struct, frozen=True):
    """An embedding model that a plugin registered, and its other names."""

    model: EmbeddingModel
    aliases: tuple[str, ...]

    @property
    def info(self) -> EmbedderInfo:
        """The model as the host lists it."""
        model = self.model
        types = sorted(model.embed_types) or (["*/*"] if model.supports_binary else [])
        return EmbedderInfo(
            id=model.model_id,
            aliases=list(self.aliases),
            title=_title(model),
            dimensions=model.dimensions,
            input=types,
            key=_key_need(model),
            assets=list(model.needs_assets),
            deprecated=model.deprecated,
        )


def _title(model: Model | EmbeddingModel) -> str | None:
    return model.title or (str(model) if type(model).__str__ is not Model.__str__ else None)


def _key_need(model: Model | EmbeddingModel) -> KeyNeed | None:
    key = model.needs_key
    return KeyNeed(alias=key, env=model.key_env_var, required=model.key_required) if key else None


def _supports(model: Model) -> Supports:
    return Supports(
        stream=model.can_stream,
        tools=model.supports_tools,
        schema=model.supports_schema,
        reasoning=model.supports_reasoning,
        system=model.supports_system,
        conversation=model.supports_conversation,
    )


class Registry:
    """The models of a plugin, its hooks, and what is wrong with them.

    Attributes:
        offers: the models by id, in the order of registration.
        embedders: the embedding models, likewise.
        problems: what could not be registered, a sentence each.
        notes: what is worth knowing and harmless.
        hooks: the implementations that were found.
        failure: the first exception a hook raised, for its traceback.
    """

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.embedders: dict[str, EmbedderOffer] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.hooks: list[HookImplementation] = []
        self.failure: BaseException | None = None

    def find(self, name: str) -> Offer:
        """Find a model by id or alias.

        Raises:
            UnknownModel: the plugin has none of that name.
        """
        return self._find(name, self.offers, "model")

    def find_embedder(self, name: str) -> EmbedderOffer:
        """Find an embedding model by id or alias.

        Raises:
            UnknownModel: the plugin has none of that name.
        """
        return self._find(name, self.embedders, "embedding model")

    def _find(self, name: str, offers: dict[str, _O], what: str) -> _O:
        if name in offers:
            return offers[name]
        for offer in offers.values():
            if name in offer.aliases:
                return offer
        from difflib import get_close_matches

        close = get_close_matches(name, offers, n=1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        problems = f" {' '.join(self.problems)}" if self.problems else ""
        raise UnknownModel(f"This plugin has no {what} '{name}'.{meant}{problems}")

    def register(self, model: Any, async_model: Any = None, aliases: Iterable[str] = ()) -> None:
        """Take a model; this is the `register` that register_models() is given.

        Args:
            model: a Model.
            async_model: the same model written as `async`; used where there is no other.
            aliases: other names for it.
        """
        chosen = model if model is not None else async_model
        other = async_model if chosen is model else None
        try:
            self._add(chosen, other, tuple(aliases))
        except RegistrationError as error:
            self.problems.append(str(error))
            self.failure = self.failure or error

    def register_embedder(self, model: Any, aliases: Iterable[str] = ()) -> None:
        """Take an embedding model; this is the `register` that register_embedding_models() is given.

        Args:
            model: an EmbeddingModel.
            aliases: other names for it.
        """
        try:
            self._add_embedder(model, tuple(aliases))
        except RegistrationError as error:
            self.problems.append(str(error))
            self.failure = self.failure or error

    def _add_embedder(self, model: Any, aliases: tuple[str, ...]) -> None:
        model_id = _check_embedder(model)
        if model_id in self.embedders:
            raise RegistrationError(
                f"The embedding model '{model_id}' is registered twice; the first one is kept."
            )
        _check_aliases(model_id, aliases)
        offer = EmbedderOffer(model, aliases)
        _check_description(model_id, offer, EmbedderInfo, read_signature(model.embed_batch))
        self.embedders[model_id] = offer

    def _add(self, model: Any, other: Any, aliases: tuple[str, ...]) -> None:
        model_id = _check_model(model)
        if model_id in self.offers:
            raise RegistrationError(f"The model '{model_id}' is registered twice; the first one is kept.")
        _check_aliases(model_id, aliases)
        signature = read_signature(model.execute)
        binding = bind(signature, EXECUTE_OFFERS, what=f"execute() of the model '{model_id}'")
        offer = Offer(model, other, aliases, binding)
        _check_description(model_id, offer, ModelInfo, signature)
        self.offers[model_id] = offer

    def describe(self) -> DescribeResult:
        """Say what the plugin offers.

        Raises:
            RegistrationError: nothing is left of what it tried to offer.
        """
        if self.problems and not self.offers and not self.embedders:
            raise RegistrationError(" ".join(self.problems)) from self.failure
        described = DescribeResult(
            digest="",
            models=[offer.info for offer in self.offers.values()],
            embedders=[offer.info for offer in self.embedders.values()],
            hooks=[
                HookInfo(hook=found.hook, impl=found.name, args=list(found.signature.by_name))
                for found in self.hooks
            ],
            notes=[*self.problems, *self.notes],
        )
        return msgspec.structs.replace(described, digest=_digest(msgspec.json.encode(described)))


def build_registry(holder: Any, roots: tuple[str, ...]) -> Registry:
    """Run a plugin's hooks and collect what they register.

    Args:
        holder: the plugin's module or object.
        roots: the plugin's own folders and files, to find the place of an error.
    """
    registry = Registry()
    registry.hooks = find_implementations(holder)
    if not registry.hooks:
        registry.notes.append("No function of this plugin is marked with @hookimpl, so it offers nothing.")
    for found in registry.hooks:
        registry.notes.extend(_remarks(found))
        offered = KNOWN_HOOKS.get(found.hook)
        if offered is None:
            continue
        try:
            _call_hook(found, offered, registry)
        except Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a hook is a mistake, not a wish
            registry.problems.append(f"{found.name}() failed: {blame(error, roots)}")
            registry.failure = registry.failure or error
    return registry


def _call_hook(found: HookImplementation, offered: tuple[str, ...], registry: Registry) -> None:
    binding = bind(found.signature, offered, what=f"{found.name}()")
    register: Any = registry.register
    if found.hook == "register_embedding_models":
        register = registry.register_embedder
    values = {"register": register, "model_aliases": list(registry.offers.values())}
    binding.call(found.function, values)


def _remarks(found: HookImplementation) -> list[str]:
    where = f"{found.name}(){_at(found.signature)}"
    remarks: list[str] = []
    if found.hook not in KNOWN_HOOKS:
        if found.options.optional:
            return []
        from difflib import get_close_matches

        close = get_close_matches(found.hook, KNOWN_HOOKS, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        return [f"{where} implements a hook that does not exist: {found.hook}.{meant}"]
    if KNOWN_HOOKS[found.hook] is None:
        remarks.append(f"{where} implements {found.hook}, which this version does not serve yet.")
    if found.options.wrapper:
        remarks.append(f"{where} asks to be a wrapper; it is called like any other implementation.")
    return remarks


def _check_model(model: Any) -> str:
    """Give a model's id, once it is sure to be one."""
    if isinstance(model, type):
        raise RegistrationError(
            f"register() was given the class {model.__name__}; it needs {model.__name__}()."
        )
    kind = type(model).__name__
    if not isinstance(model, Model):
        raise RegistrationError(f"register() was given a {kind}, which is not a cellwall_sdk.Model.")
    model_id: Any = getattr(model, "model_id", None)
    place = _at(read_signature(model.execute))
    if not _is_name(model_id):
        raise RegistrationError(
            f"The class {kind}{place} has no usable model_id: it is {model_id!r} and has to be a name "
            "without spaces."
        )
    if type(model).execute is Model.execute:
        raise RegistrationError(f"The model '{model_id}' ({kind}) has no execute() method.")
    options: Any = model.Options
    if not isinstance(options, type) or not issubclass(options, Options):
        raise RegistrationError(
            f"The Options of the model '{model_id}'{place} do not derive from cellwall_sdk.Options."
        )
    return str(model_id)


def _check_embedder(model: Any) -> str:
    """Give an embedding model's id, once it is sure to be one."""
    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    if isinstance(model, type):
        raise RegistrationError(f"register() was given the class {kind}; it needs {kind}().")
    if not isinstance(model, EmbeddingModel):
        raise RegistrationError(f"register() was given a {kind}, which is not a cellwall_sdk.EmbeddingModel.")
    model_id: Any = getattr(model, "model_id", None)
    place = _at(read_signature(model.embed_batch))
    if not _is_name(model_id):
        raise RegistrationError(
            f"The class {kind}{place} has no usable model_id: it is {model_id!r} and has to be a name "
            "without spaces."
        )
    if type(model).embed_batch is EmbeddingModel.embed_batch:
        raise RegistrationError(f"The embedding model '{model_id}' ({kind}) has no embed_batch() method.")
    return str(model_id)


def _check_aliases(model_id: str, aliases: tuple[str, ...]) -> None:
    bad = [alias for alias in aliases if not _is_name(alias)]
    if bad:
        raise RegistrationError(f"The model '{model_id}' has the alias {bad[0]!r}, which is not a name.")


def _check_description(
    model_id: str, offer: Offer | EmbedderOffer, kind: type[msgspec.Struct], signature: Signature
) -> None:
    """Refuse what cannot be described: one wrong type would spoil the whole description."""
    try:
        msgspec.json.decode(msgspec.json.encode(offer.info), type=kind)
    except Exception as error:
        raise RegistrationError(
            f"The model '{model_id}'{_at(signature)} cannot be described: {type(error).__name__}: {error}"
        ) from error


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name != "" and name.isprintable() and not any(map(str.isspace, name))


def _at(signature: Signature) -> str:
    return f" ({signature.place})" if signature.place else ""


def _digest(described: bytes) -> str:
    try:
        from _blake2 import blake2b  # type: ignore[import-not-found,unused-ignore]  # hashlib loads OpenSSL: 4 MiB
    except ImportError:
        from hashlib import blake2b
    return str(blake2b(described, digest_size=16).hexdigest())
