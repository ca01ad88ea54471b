"""Which plugin a project makes, found as Cellwall finds it: by entry point and manifest, unimported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ._examples import Example, read_examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._transport import Transport

__all__ = ["NoPlugin", "Project", "find_project", "read_project"]

SOURCES = ("", "src")
"""Where a project keeps its packages."""


class NoPlugin(Exception):
    """Raised when it cannot be told which plugin is meant."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as its sources say it.

    Attributes:
        name: the entry point's name.
        target: "module" or "module:attribute"; empty for a program that was found by its manifest alone.
        command: the program of a plugin in another language and its arguments, ready to be started.
        manifest: its `plugin.toml`, if there is one.
        examples: what the manifest says that it answers.
        source: the folder that holds its module, unless it is installed.
    """

    name: str
    target: str = ""
    command: tuple[str, ...] = ()
    manifest: Path | None = None
    examples: tuple[Example, ...] = ()
    source: Path | None = None

    def transport(
        self,
        kind: str,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        paths: Sequence[str] = (),
    ) -> Transport:
        """Make the way to the plugin.

        Args:
            kind: memory or child.
            folder: an empty folder.
            variables: more environment variables for a child.
            paths: more folders that a child imports from.

        Raises:
            NoPlugin: a program of its own cannot run in memory.
        """
        if kind == "memory":
            if self.command:
                raise NoPlugin(
                    f"the plugin {self.name} is a program of its own, which does not run in memory"
                )
            from cellwall_sdk._load import load_plugin

            from ._memory import Memory

            return Memory(lambda: load_plugin(self.target))
        from ._process import Process, python_command

        return Process(self.command or python_command(self.target), folder, variables or {}, paths)


def find_project(root: Path, wanted: str = "") -> Project:
    """Find the plugin of a project.

    Args:
        root: the project's folder.
        wanted: which one: the name of an entry point, "module:attribute", or the path of a manifest with a
            `command`; empty for the only one.

    Raises:
        NoPlugin: there is none, or more than one.
    """
    if wanted.endswith(".toml"):
        return read_project(root / wanted)
    points = _entry_points(root / "pyproject.toml")
    if wanted in points:
        return _project(root, wanted, points[wanted])
    if wanted:
        return _project(root, wanted.partition(":")[0], wanted)
    if len(points) == 1:
        [(name, target)] = points.items()
        return _project(root, name, target)
    found = f"has {len(points)}: {', '.join(sorted(points))}" if points else "has none"
    raise NoPlugin(
        f"a plugin is found by [project.entry-points.llm] in {root / 'pyproject.toml'}, which {found}; say "
        "which one is meant by `cellwall_plugin = NAME` (or MODULE, or PATH/plugin.toml) in pytest's settings"
    )


def read_project(manifest: Path, name: str = "", target: str = "") -> Project:
    """Read the plugin of a manifest.

    Args:
        manifest: its `plugin.toml`.
        name: the entry point's name; by default the folder's.
        target: the entry point's value; not needed for a program.

    Raises:
        NoPlugin: the manifest cannot be used.
    """
    import tomllib

    from ._process import command_of

    try:
        values: dict[str, Any] = tomllib.loads(manifest.read_text("utf-8"))
    except OSError as error:
        raise NoPlugin(f"the manifest {manifest} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NoPlugin(f"the manifest {manifest} is not valid: {error}") from error
    words = values.get("command", ())
    if not target and not words:
        raise NoPlugin(f"the manifest {manifest} names no command, so it says not how to start its plugin")
    return Project(
        name=name or manifest.parent.name,
        target=target,
        command=tuple(command_of(words, manifest.parent.absolute())),
        manifest=manifest,
        examples=read_examples(manifest, values),
    )


def _project(root: Path, name: str, target: str) -> Project:
    module = target.partition(":")[0]
    place = _place(root, module)
    if place is None:
        return Project(name=name, target=target)
    folder, source = place
    if folder.is_file():
        manifest = folder.with_name(f"{module.partition('.')[0]}.plugin.toml")
    else:
        inner = [folder.joinpath(*module.split(".")[1 : end + 1]) for end in range(module.count(".") + 1)]
        files = [path / "plugin.toml" for path in reversed(inner)]
        manifest = next((path for path in files if path.is_file()), files[-1])
    if not manifest.is_file():
        return Project(name=name, target=target, source=source)
    return msgspec.structs.replace(read_project(manifest, name, target), source=source)


def _place(root: Path, module: str) -> tuple[Path, Path | None] | None:
    """Where the top of a module is: its folder or file, and the folder to import it from."""
    top = module.partition(".")[0]
    for source in SOURCES:
        for path in (root / source / top, root / source / f"{top}.py"):
            if path.is_file() or (path / "__init__.py").is_file():
                return path, root / source
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))), None
    return (Path(spec.origin), None) if spec.origin else None


def _entry_points(pyproject: Path) -> dict[str, str]:
    import tomllib

    try:
        values: dict[str, Any] = tomllib.loads(pyproject.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NoPlugin(f"{pyproject} cannot be read: {error}") from error
    points: dict[str, str] = values.get("project", {}).get("entry-points", {}).get("llm", {})
    return points
