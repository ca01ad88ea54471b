"""Where the files of a plugin are: its module, its manifest, and the sources whose change matters.

For an ordinary installation the answer is the folder on the search path. For an editable one it stands in
what the build backend
left: a `.pth` file with a folder, or a finder with a table of modules. Nothing is imported to find out.
"""

# ruff: noqa: PTH110, PTH112, PTH113, PTH118, PTH119, PTH120, PTH123 - hundreds of paths for every scan

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellwall_kernel.discovery._records import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwall_kernel.discovery._dists import Distribution

__all__ = ["Layout", "code_folders", "layout_of", "manifest_path", "watch_sources"]

MAX_WATCHED = 2000
"""How many files and folders of one editable plugin are watched: its own package first, neighbours next."""

MAX_DEPTH = 12
"""How deep below a package its folders are followed."""

NEVER_SOURCES = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"})
"""Folders that hold what was made from sources, or another project's; hidden ones are skipped as well."""

NOT_THE_PLUGIN = frozenset({"tests", "test", "docs", "doc", "examples", "benchmarks"})
"""Neighbours of a plugin's package that it does not import."""

SHALLOW_SUFFIXES = (".py", ".toml", ".pth")
"""What counts beside the package in the folder that holds it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where modules of a distribution are looked for.

    Args:
        roots: folders, first match wins.
        modules: top-level modules that a finder maps to a place of their own.
    """

    roots: tuple[str, ...]
    modules: Mapping[str, str] = field(default_factory=dict[str, str])

    def top(self, module: str) -> str | None:
        """Return the file or folder of the top-level part of `module`; None if it is nowhere."""
        name = module.partition(".")[0]
        if name in self.modules:
            return _as_module(self.modules[name])
        return next(filter(None, (_as_module(os.path.join(root, name)) for root in self.roots)), None)


def layout_of(dist: Distribution, project: str | None) -> Layout:
    """Work out where a distribution's modules are.

    Args:
        dist: the distribution.
        project: its project's folder, if it is installed for editing.
    """
    if project is None:
        return Layout(roots=(dist.location,))
    roots: list[str] = []
    modules: dict[str, str] = {}
    for name in dist.recorded_files():
        text = _text(os.path.join(dist.location, name)) if name.endswith((".pth", ".py")) else ""
        if name.endswith(".pth"):
            roots.extend(os.path.join(dist.location, folder) for folder in _folders_of_pth(text))
        else:
            modules.update(_finder_table(text))
    return Layout(
        tuple(dict.fromkeys([*roots, os.path.join(project, "src"), project, dist.location])), modules
    )


def code_folders(layout: Layout) -> list[str]:
    """List the folders of a layout from which modules are loaded: those of a finder, of `.pth` files, `src`.

    The project's folder itself counts only if modules lie in it: it holds what is nobody's business, too.
    """
    places = [os.path.dirname(place) for place in layout.modules.values()]
    places += [root for root in layout.roots if os.path.isdir(root) and _holds_modules(root)]
    return list(dict.fromkeys(places))


def _holds_modules(folder: str) -> bool:
    return any(
        entry.name.endswith(".py") or os.path.isfile(os.path.join(entry.path, "__init__.py"))
        for entry in _entries(folder)
        if entry.name not in NOT_THE_PLUGIN and entry.name not in {"setup.py", "conftest.py"}
    )


def manifest_path(layout: Layout, module: str) -> str | None:
    """Return the place of the module's manifest, with or without a file there; None if the module is nowhere.

    In a package it is the innermost `plugin.toml` between the module and the top of the package.
    """
    top = layout.top(module)
    if top is None:
        return None
    if os.path.isfile(top):
        return os.path.join(os.path.dirname(top), module.partition(".")[0] + ".plugin.toml")
    folder, candidates = top, [os.path.join(top, "plugin.toml")]
    for part in module.split(".")[1:]:
        folder = os.path.join(folder, part)
        candidates.append(os.path.join(folder, "plugin.toml"))
    return next((path for path in reversed(candidates) if os.path.isfile(path)), candidates[0])


def watch_sources(layout: Layout, module: str) -> list[Stamp]:
    """Stamp the sources of a module: its package whole, then modules and packages beside it.

    Returns:
        at most MAX_WATCHED stamps, folders included, so that a new file is noticed; empty if the module is
        nowhere.
    """
    top = layout.top(module)
    if top is None:
        return []
    found = [Stamp.of(top), *(_below(top, 0) if os.path.isdir(top) else ())]
    holder = os.path.dirname(top)
    if os.path.basename(holder) not in {"site-packages", "dist-packages"}:
        found.append(Stamp.of(holder))
        for stamp in _beside(holder):
            if len(found) >= MAX_WATCHED:
                break
            found.append(stamp)
    return list({stamp.path: stamp for stamp in found[:MAX_WATCHED]}.values())


def _beside(holder: str) -> Iterator[Stamp]:
    for entry in _entries(holder):
        if entry.is_dir():
            is_package = os.path.isfile(os.path.join(entry.path, "__init__.py"))
            if is_package and _may_hold_sources(entry) and entry.name not in NOT_THE_PLUGIN:
                yield Stamp.of(entry.path)
                yield from _below(entry.path, 0)
        elif entry.name.endswith(SHALLOW_SUFFIXES):
            yield Stamp.of(entry.path)


def _below(folder: str, depth: int) -> Iterator[Stamp]:
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            if depth < MAX_DEPTH and _may_hold_sources(entry):
                yield Stamp.of(entry.path)
                yield from _below(entry.path, depth + 1)
        elif not entry.name.endswith((".pyc", "~", ".swp")):
            yield Stamp.of(entry.path)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _may_hold_sources(folder: os.DirEntry[str]) -> bool:
    name = folder.name
    if name in NEVER_SOURCES or name.startswith(".") or name.endswith((".egg-info", ".dist-info")):
        return False
    return not os.path.exists(os.path.join(folder.path, "pyvenv.cfg"))


def _as_module(path: str) -> str | None:
    if os.path.isdir(path):
        return path
    if os.path.isfile(path):
        return path
    if os.path.isfile(path + ".py"):
        return path + ".py"
    folder, name = os.path.split(path)
    return next(
        (
            entry.path
            for entry in _entries(folder)
            if entry.name.startswith(name + ".") and entry.name.endswith(".so")
        ),
        None,
    )


def _folders_of_pth(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith(("#", "import ", "import\t"))]


def _finder_table(text: str) -> dict[str, str]:
    """Read which modules an editable finder maps to which place, without running it.

    It says `MAPPING = {…}` (setuptools) or `map_module('a', '/path')` (editables).
    """
    if "MAPPING" not in text and "map_module" not in text:
        return {}
    import ast

    table: dict[object, object] = {}
    try:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == "MAPPING" for target in targets):
                    table.update(ast.literal_eval(node.value))
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "map_module":
                name, place = (ast.literal_eval(argument) for argument in node.args)
                table[name] = place
    except (SyntaxError, ValueError, TypeError, RecursionError):
        return {}
    return {name: place for name, place in table.items() if isinstance(name, str) and isinstance(place, str)}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
