"""What does not depend on the order of things: of folders on the path, of installations, of answers."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import anyio

from cellwall_kernel.catalogue import Catalogue
from cellwall_kernel.discovery import discover
from cellwall_kernel.errors import NotFound
from cellwall_kernel.paths import Paths
from cellwall_kernel.supervisor import Supervisor
from tests.children.kit import PATIENCE_S, environment_of, install, plugin_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PLUGINS = {
    "llm-birds": {"models": "owl,shared,jay", "aliases": "wise"},
    "llm-cats": {"models": "tom,shared", "aliases": "quiet"},
    "llm-dogs": {"models": "rex", "aliases": "quiet,tom"},
}
"""Distribution -> its models and their aliases; some names are offered by two."""

NAMES = ("owl", "jay", "tom", "rex", "shared", "wise", "quiet", "none")


def lay_out(folder: Path, order: Sequence[str], *, slowest: str = "") -> list[Path]:
    """Install the plugins in some order, each into a folder of its own, and return the folders in that order.

    Args:
        folder: where.
        order: the distributions.
        slowest: which one takes a moment to be imported, so that its answer comes last.
    """
    sites: list[Path] = []
    for dist in order:
        site = folder / dist
        site.mkdir(parents=True)
        name = dist.removeprefix("llm-")
        head, _, rest = plugin_source("counted").partition("# settings\n")
        values = {**PLUGINS[dist], "delay_s": "0.5" if dist == slowest else "0"}
        constants = "".join(f"{key.upper()} = {value!r}\n" for key, value in values.items())
        source = head + constants + rest.partition("# end of settings\n")[2]
        points = {name: f"llm_{name}", "common": f"llm_{name}"}
        install(site, dist, {f"llm_{name}.py": source}, points=points)
        sites.append(site)
    return sites


def found(sites: Sequence[Path]) -> list[tuple[str, ...]]:
    """Discover what is installed; what only says where something lies is left out."""
    return [
        (record.name, record.dist, record.version, record.target, record.key)
        for record in discover(environment_of(*sites))
    ]


def offered(folder: Path, sites: Sequence[Path]) -> dict[str, Any]:
    """Have every plugin asked by a first command, and return what a later one is told."""
    paths, environment = Paths(folder), environment_of(*sites)

    async def ask() -> None:
        with anyio.fail_after(2 * PATIENCE_S):
            async with Supervisor(paths) as supervisor:
                catalogue = Catalogue.load(paths, environment=environment, owners={"quiet": "dogs"})
                await catalogue.refresh(supervisor, is_thorough=True)

    anyio.run(ask)
    catalogue = Catalogue.load(paths, environment=environment, owners={"quiet": "dogs"})
    return {
        "plugins": [(entry.name, entry.state) for entry in catalogue.entries.values()],
        "models": [(entry.name, model.id) for entry, model in catalogue.models()],
        "collisions": catalogue.collisions(),
        "owners": {name: owner_of(catalogue, name) for name in NAMES},
    }


def owner_of(catalogue: Catalogue, name: str) -> tuple[str, str] | None:
    """Return whose model a name stands for, and the model's id; None if it stands for none."""
    try:
        entry, model = catalogue.find_model(name)
    except NotFound:
        return None
    return entry.name, model.id


def test_what_is_found_is_the_same_in_every_order(tmp_path: Path) -> None:
    """Issue 3, anchor 35: names, also those that two use, keys and their order."""
    orders = list(permutations(PLUGINS))
    installed = {order: lay_out(tmp_path / str(number), order) for number, order in enumerate(orders)}

    seen = [found(sites) for sites in installed.values()]

    assert [name for name, *_ in seen[0]] == [
        "birds",
        "cats",
        "common@llm-birds",
        "common@llm-cats",
        "common@llm-dogs",
        "dogs",
    ]
    assert [each for each in seen if each != seen[0]] == []


def test_what_is_offered_and_by_whom_is_the_same_in_every_order(tmp_path: Path) -> None:
    """Issue 3, anchor 35: of folders, of installations, and of the answers, for all are asked at once."""
    first = lay_out(tmp_path / "1", list(PLUGINS), slowest="llm-birds")
    second = lay_out(tmp_path / "2", list(reversed(PLUGINS)), slowest="llm-dogs")

    forth = offered(tmp_path / "home 1", first)
    back = offered(tmp_path / "home 2", second)

    assert forth == back
    assert len(forth["collisions"]) >= 3
    assert forth["owners"]["quiet"] == ("dogs", "rex")  # by the user's choice
    assert forth["owners"]["shared"] == ("birds", "shared")  # by the name of the plugin
    assert forth["owners"]["tom"] == ("cats", "tom")  # an id counts before an alias
    assert forth["owners"]["none"] is None
