"""Who provides which model: ids before aliases, the user's choice before the alphabet; help for wrong ids.

Language models and embedding models are two lists with the same rules: `LANGUAGE` and `EMBEDDING`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from cellwall_kernel.errors import NotFound
from cellwall_wire import EmbedderInfo, ModelInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cellwall_kernel.catalogue._entries import Entry

__all__ = ["EMBEDDING", "LANGUAGE", "Collision", "Kind", "collisions", "find", "provided", "unknown_model"]

M = TypeVar("M", bound=ModelInfo | EmbedderInfo)


class Kind(Generic[M]):
    """A kind of model.

    Args:
        name: for people.
        lists: the command that lists them.
        of: the models of this kind that a plugin offers.
    """

    def __init__(self, name: str, lists: str, of: Callable[[Entry], list[M]]) -> None:
        self.name = name
        self.lists = lists
        self.of: Callable[[Entry], list[M]] = of


LANGUAGE: Kind[ModelInfo] = Kind("model", "llm models list", lambda entry: entry.models)
EMBEDDING: Kind[EmbedderInfo] = Kind(
    "embedding model", "llm embed-models list", lambda entry: entry.embedders
)

SUGGESTIONS = 3
"""How many similar names are offered for one that is unknown."""


class Collision(msgspec.Struct, frozen=True, kw_only=True):
    """A model id or alias that several plugins offer.

    Args:
        name: the id or alias.
        plugins: who offers it, sorted.
        owner: whose model is used.
    """

    name: str
    plugins: list[str]
    owner: str


def find(
    entries: Iterable[Entry], name: str, owners: Mapping[str, str], kind: Kind[M]
) -> tuple[Entry, M] | None:
    """Return the model of that id, else of that alias; None if there is none.

    Args:
        entries: in the order of plugin names.
        name: an id or alias.
        owners: id or alias -> the plugin that the user has chosen for it.
        kind: what kind of model.
    """
    known = [(entry, model) for entry in entries for model in kind.of(entry)]
    offers = [offer for offer in known if name == offer[1].id]
    offers = offers or [offer for offer in known if name in offer[1].aliases]
    chosen = owners.get(name)
    return next((offer for offer in offers if offer[0].name == chosen), offers[0] if offers else None)


def provided(entries: Iterable[Entry], owners: Mapping[str, str], kind: Kind[M]) -> list[tuple[Entry, M]]:
    """List the models that can be had by their ids; of several with the same id, the owner's.

    Args:
        entries: in the order of plugin names.
        owners: as for `find`; likewise `kind`.
    """
    chosen: dict[str, tuple[Entry, M]] = {}
    for entry in entries:
        for model in kind.of(entry):
            if entry.name == owners.get(model.id):
                chosen.pop(model.id, None)  # so that it stands where its plugin stands
            chosen.setdefault(model.id, (entry, model))
    return list(chosen.values())


def collisions(entries: Iterable[Entry], owners: Mapping[str, str], kind: Kind[M]) -> list[Collision]:
    """List ids and aliases that several plugins offer, sorted by name."""
    known = list(entries)
    offers: dict[str, set[str]] = {}
    for entry in known:
        for model in kind.of(entry):
            for name in (model.id, *model.aliases):
                offers.setdefault(name, set()).add(entry.name)
    found: list[Collision] = []
    for name, plugins in sorted(offers.items()):
        owner = find(known, name, owners, kind) if len(plugins) > 1 else None
        if owner is not None:
            found.append(Collision(name=name, plugins=sorted(plugins), owner=owner[0].name))
    return found


def unknown_model(entries: Iterable[Entry], name: str, kind: Kind[M]) -> NotFound:
    """Return the error for a model that nobody offers: with similar names, and plugins not asked."""
    import difflib

    known = list(entries)
    names = [word for entry in known for model in kind.of(entry) for word in (model.id, *model.aliases)]
    folded = {word.casefold(): word for word in reversed(names)}
    near = [folded[word] for word in difflib.get_close_matches(name.casefold(), folded, n=SUGGESTIONS)]
    broken = [entry for entry in known if entry.state in {"failed", "slow", "disabled"}]
    if near:
        advice = f"did you mean {' or '.join(repr(word) for word in near)}? `{kind.lists}` shows all."
    elif names:
        advice = f"`{kind.lists}` shows all."
    else:
        advice = f"no installed plugin offers {'an' if kind.name[0] == 'e' else 'a'} {kind.name}."
    if broken:
        quoted = ", ".join(f"'{entry.name}'" for entry in broken)
        cause = broken[0].cause if len(broken) == 1 else None
        why = f": {cause}" if cause is not None else " (`llm plugins list` says why)."
        advice += f" Not asked: {quoted}, which cannot be used now{why}"
    return NotFound(f"there is no {kind.name} '{name}'; {advice}")
