"""The types of discovery: an environment and a plugin found in it. Light, since every command loads them."""

# ruff: noqa: PTH100, PTH109, PTH112, PTH116, PTH118, PTH120 - every command runs this for every stamp

from __future__ import annotations

import os
import stat
import sys

import msgspec

from cellwall_kernel.discovery._names import normal_name
from cellwall_kernel.manifest import Manifest

__all__ = ["Environment", "PluginRecord", "Scan", "Stamp"]


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """How a file or folder looked when it was last read; while the stamp is equal, it need not be read again.

    Args:
        path: absolute.
        mtime_ns: its time of modification in nanoseconds; -1 if it was not there.
        size: in bytes; -1 for folders, whose size says nothing.
    """

    path: str
    mtime_ns: int
    size: int = -1

    @classmethod
    def of(cls, path: str) -> Stamp:
        """Look at a path as it is now; one that cannot be looked at counts as absent."""
        try:
            status = os.stat(path)
        except OSError:
            return cls(path, -1)
        is_folder = stat.S_ISDIR(status.st_mode)
        return cls(path, status.st_mtime_ns, -1 if is_folder else status.st_size)

    @property
    def is_current(self) -> bool:
        """Whether the path still looks the same."""
        return Stamp.of(self.path) == self


class PluginRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An installed plugin, as its packaging describes it; none of its code has run.

    Args:
        name: the entry point's name, or `NAME@DIST` where several distributions use that name.
        dist: the distribution that brings it.
        version: the distribution's version; empty if it has none.
        target: MODULE or MODULE:ATTRIBUTE.
        location: the folder on the search path where the distribution was found.
        python: the interpreter that runs it.
        folders: where its interpreter looks for modules, in order; see Environment.
        code: more folders that its code is loaded from, or that of a library that is developed beside it.
        environment: the root of its own environment (`llm install`); None in the one that it shares with us.
        manifest_folder: where its `plugin.toml` is.
        editable: its sources are used where they are developed.
        source_root: the folder of the project, for an editable one.
        key: changes whenever what it offers may have changed.
        manifest: what its `plugin.toml` says; None without one.
        problem: why it cannot be started, as a sentence; None if nothing is known to be wrong.
    """

    name: str
    dist: str
    version: str
    target: str
    location: str
    python: str
    folders: tuple[tuple[str, str], ...] = ()
    code: tuple[str, ...] = ()
    environment: str | None = None
    manifest_folder: str | None = None
    editable: bool = False
    source_root: str | None = None
    key: str
    manifest: Manifest | None = None
    problem: str | None = None

    @property
    def grant_key(self) -> str:
        """What its grants are kept under: they must not pass to another distribution with the same name."""
        return f"{normal_name(self.dist)}/{self.name.partition('@')[0]}"


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    Args:
        records: the plugins, by name.
        watched: files and folders whose change may change the records.
        installed: stands for all distributions, plugins or not; another text means that something was
            installed or removed.
    """

    records: list[PluginRecord]
    watched: list[Stamp]
    installed: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A Python environment in which plugins may be installed.

    Args:
        python: its interpreter.
        prefix: where it is.
        tag: the interpreter's version and build: compiled code does not survive a change of it.
        folders: where distributions are looked for, in order, each with its kind: `site` if `.pth` files
            count there, else `path`.
        code: more folders that modules are loaded from, in which no plugin is looked for.
        root: its folder, if it was made for one plugin by `llm install`; None for ours.
        only: the distribution that it was made for; the entry points of others do not count.
    """

    python: str
    prefix: str
    tag: str
    folders: tuple[tuple[str, str], ...]
    code: tuple[str, ...] = ()
    root: str | None = None
    only: str | None = None

    @classmethod
    def current(cls) -> Environment:
        """Describe the environment that this process runs in.

        The standard library is left out, and so is the folder of the running script (with `python -m` the
        working folder): nothing becomes a plugin only because somebody stands beside it.
        """
        return cls(
            python=sys.executable,
            prefix=sys.prefix,
            tag=f"{sys.implementation.cache_tag} {sys.platform} {sys.version}",
            folders=tuple(
                ("site" if path in _site_folders() else "path", path)
                for path in dict.fromkeys(_search_path())
            ),
        )

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that stand for this interpreter in this place.

        FNV-1a: it only has to tell a handful of folders apart, and importing hashlib would cost every command
        3 ms.
        """
        value = 0xCBF29CE484222325
        for byte in f"{self.prefix}\0{self.python}".encode("utf-8", "surrogateescape"):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        return f"{value:016x}"


def _search_path() -> list[str]:
    library = os.path.dirname(os.__file__)
    skipped = {"", library, os.path.join(library, "lib-dynload")}
    if not sys.flags.safe_path:
        skipped.update(_script_folders())
    found = [path for path in sys.path if path not in skipped]
    return [os.path.abspath(path) for path in found if os.path.isdir(path)]


def _script_folders() -> set[str]:
    # Without `-P` the interpreter itself puts this folder first; PYTHONPATH may name it again, on purpose.
    first = sys.path[0] if sys.path else ""
    try:
        script = os.path.dirname(os.path.realpath(sys.argv[0])) if sys.argv and sys.argv[0] else os.getcwd()
        return {first} if os.path.realpath(first) in {script, os.path.realpath(os.getcwd())} else set()
    except OSError:
        return {first}  # the working folder is gone


def _site_folders() -> set[str]:
    import site  # loaded by every interpreter that was not started with -S

    return {*site.getsitepackages(), *([site.USER_SITE] if site.ENABLE_USER_SITE and site.USER_SITE else [])}
