"""Who provides which model: ids before aliases, the user's choice before the alphabet; help for wrong ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwall_kernel.catalogue._entries import Entry
    from cellwall_wire import ModelInfo

__all__ = ["Collision", "collisions", "find", "provided", "unknown_model"]

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


def find(entries: Iterable[Entry], name: str, owners: Mapping[str, str]) -> tuple[Entry, ModelInfo] | None:
    """Return the model of that id, else of that alias; None if there is none.

    Args:
        entries: in the order of plugin names.
        name: an id or alias.
        owners: id or alias -> the plugin that the user has chosen for it.
    """
    offers = [(entry, model) for entry in entries for model in entry.models if name == model.id]
    offers = offers or [
        (entry, model) for entry in entries for model in entry.models if name in model.aliases
    ]
    chosen = owners.get(name)
    return next((offer for offer in offers if offer[0].name == chosen), offers[0] if offers else None)


def provided(entries: Iterable[Entry], owners: Mapping[str, str]) -> list[tuple[Entry, ModelInfo]]:
    """List the models that can be had by their ids; of several with the same id, the owner's.

    Args:
        entries: in the order of plugin names.
        owners: as for `find`.
    """
    chosen: dict[str, tuple[Entry, ModelInfo]] = {}
    for entry in entries:
        for model in entry.models:
            if entry.name == owners.get(model.id):
                chosen.pop(model.id, None)  # so that it stands where its plugin stands
            chosen.setdefault(model.id, (entry, model))
    return list(chosen.values())


def collisions(entries: Iterable[Entry], owners: Mapping[str, str]) -> list[Collision]:
    """List ids and aliases that several plugins offer, sorted by name."""
    known = list(entries)
    offers: dict[str, set[str]] = {}
    for entry in known:
        for model in entry.models:
            for name in (model.id, *model.aliases):
                offers.setdefault(name, set()).add(entry.name)
    found: list[Collision] = []
    for name, plugins in sorted(offers.items()):
        owner = find(known, name, owners) if len(plugins) > 1 else None
        if owner is not None:
            found.append(Collision(name=name, plugins=sorted(plugins), owner=owner[0].name))
    return found


def unknown_model(entries: Iterable[Entry], name: str) -> NotFound:
    """Return the error for a model that nobody offers: with similar names, and plugins not asked."""
    import difflib

    known = list(entries)
    names = [word for entry in known for model in entry.models for word in (model.id, *model.aliases)]
    folded = {word.casefold(): word for word in reversed(names)}
    near = [folded[word] for word in difflib.get_close_matches(name.casefold(), folded, n=SUGGESTIONS)]
    broken = [entry.name for entry in known if entry.state in {"failed", "slow", "disabled"}]
    if near:
        advice = f"did you mean {' or '.join(repr(word) for word in near)}? `llm models list` shows all."
    elif names:
        advice = "`llm models list` shows all."
    else:
        advice = "no installed plugin offers a model."
    if broken:
        quoted = ", ".join(f"'{word}'" for word in broken)
        advice += f" Not asked: {quoted}, which cannot be used now (`llm plugins list` says why)."
    return NotFound(f"there is no model '{name}'; {advice}")
