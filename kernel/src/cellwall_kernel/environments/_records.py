"""The types of an environment, and the list of those that are installed; light, as every command asks it."""

# ruff: noqa: PTH110, PTH118, PTH123 - every command runs this for every environment

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import msgspec

from cellwall_kernel.discovery import Environment

if TYPE_CHECKING:
    from cellwall_kernel.paths import Paths

__all__ = ["ENVIRONMENTS", "FILE", "FORMAT", "EnvironmentFile", "Installed", "Locked", "Wanted", "installed"]

ENVIRONMENTS = "environments"
"""The folder's name in the user folder."""

FILE = "environment.json"
"""The file in an environment's folder that says which generation is current."""

FORMAT = 1
"""A file of another format was written by a newer version, and its environment is not used."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the user asked for; an upgrade asks for the same again.

    Args:
        name: the distribution's name in its normal form.
        requirement: what the installer is told, such as `llm-foo>=1.2`; without the place of a local wheel.
        source: where it comes from: the package index, a wheel, or a project's sources.
        origin: the wheel's or the project's path or address; empty for the index.
        extra: more requirements, which mend what the plugin's own metadata forgot.
        constraints: bounds on the versions of whatever is installed.
    """

    name: str
    requirement: str
    source: Literal["index", "wheel", "sources"] = "index"
    origin: str = ""
    extra: tuple[str, ...] = msgspec.field(default=(), name="with")
    constraints: tuple[str, ...] = ()


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution that is inside.

    Args:
        name: in its normal form.
        version: as in its metadata.
        file: the name of its wheel.
        sha256: of the wheel; empty where an index gives none.
    """

    name: str
    version: str
    file: str
    sha256: str


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `environment.json`.

    Args:
        generation: the folder of the current generation.
        dist: the plugin's distribution, as it spells itself.
        version: its version.
        plugins: the names of its entry points.
        wanted: what was asked for.
        lock: all distributions inside, by name.
        site: the folder with the distributions, below the generation.
        base: the interpreter that the environment was made with.
        tag: stands for that interpreter's version and build.
        installer: which program installed it, with its version.
        date: when, in UTC.
        wheel: a local wheel's copy, below the generation; empty for one from an index.
    """

    format: int = FORMAT
    generation: str
    dist: str
    version: str
    plugins: tuple[str, ...]
    wanted: Wanted
    lock: tuple[Locked, ...]
    site: str
    base: str
    tag: str
    installer: str
    date: str
    wheel: str = ""


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's environment, in use.

    Args:
        name: the distribution's name in its normal form, which is also the folder's.
        root: the current generation, absolute.
        file: what is known about it.
    """

    name: str
    root: str
    file: EnvironmentFile

    @property
    def dist(self) -> str:
        """The plugin's distribution; only its entry points count, not those of what it depends on."""
        return self.file.dist

    @property
    def version(self) -> str:
        """The distribution's version."""
        return self.file.version

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return os.path.join(self.root, "bin", "python")

    @property
    def site(self) -> str:
        """The folder with the distributions."""
        return os.path.join(self.root, self.file.site)

    @property
    def problem(self) -> str | None:
        """Why it cannot be used, as a sentence; None if nothing is known to be wrong."""
        if os.path.exists(self.python):
            return None
        return (
            f"the interpreter that its environment was made with ({self.file.base}) has gone; "
            f"'llm upgrade {self.name}' makes it again."
        )

    def environment(self) -> Environment:
        """Describe it for discovery and launch."""
        return Environment(
            python=self.python,
            prefix=self.root,
            tag=self.file.tag,
            folders=(("site", self.site),),
            root=self.root,
            only=self.dist,
        )


def installed(paths: Paths) -> list[Installed]:
    """List the plugins that have an environment of their own, by name; a damaged one is left out."""
    folder = os.path.join(paths.root, ENVIRONMENTS)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return []
    return [found for name in names if (found := read(folder, name)) is not None]


def read(folder: str, name: str) -> Installed | None:
    """Return the environment called `name` in `folder`; None if there is none that can be used."""
    try:
        with open(os.path.join(folder, name, FILE), "rb") as file:
            content = msgspec.json.decode(file.read(), type=EnvironmentFile)
    except (OSError, ValueError):
        return None
    if content.format != FORMAT or os.sep in content.generation:
        return None
    return Installed(name=name, root=os.path.join(folder, name, content.generation), file=content)
