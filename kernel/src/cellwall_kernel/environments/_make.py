"""From what is wanted to a new generation: complete, checked, and not yet current."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellwall_kernel.discovery import Environment, PluginRecord, discover
from cellwall_kernel.environments._installer import Order, find_installer, inherited, install
from cellwall_kernel.environments._programs import Program
from cellwall_kernel.environments._records import ENVIRONMENTS, EnvironmentFile, Installed
from cellwall_kernel.environments._sdk import sdk_wheel
from cellwall_kernel.environments._slot import log_path, remove, written
from cellwall_kernel.environments._venv import base_interpreter, compile_all, make_venv, site_folder, tag
from cellwall_kernel.environments._wanted import SDK
from cellwall_kernel.errors import InstallProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwall_kernel.environments._installer import Installer
    from cellwall_kernel.environments._records import Locked, Wanted
    from cellwall_kernel.environments._slot import Slot
    from cellwall_kernel.paths import Paths

__all__ = ["Fresh", "make", "program_for"]

SCRATCH = ".install"
"""A folder in a generation for notes to and from the installer; it goes before the generation is used."""

KEPT = "wheel"
"""A folder in a generation for the copy of a local wheel, from which the environment can be made again."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new generation that is not current yet.

    Attributes:
        installed: the environment as it would be.
        plugins: its entry points, as discovery sees them.
    """

    installed: Installed
    plugins: tuple[PluginRecord, ...]

    def is_same_as(self, other: Installed | None) -> bool:
        """Whether another generation works and holds the very same wheels, made with the same interpreter."""
        if other is None or other.problem is not None:
            return False
        mine = self.installed.file
        return (other.file.lock, other.file.tag) == (mine.lock, mine.tag)


def make(
    paths: Paths,
    place: Slot,
    wanted: Wanted,
    *,
    installer: str | None = None,
    built: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Fresh:
    """Build a new generation; `place.switch(fresh.installed.file)` makes it current, else it goes.

    Args:
        paths: the user folder.
        place: the plugin's slot, held.
        wanted: what the user asked for.
        installer: "uv" or "pip", if the user chose.
        built: the wheel that was built from sources just now.
        say: is told what happens, in a few words.

    Raises:
        InstallProblem: it cannot be installed, or is no plugin.
        StoreProblem: the user folder cannot be written.
    """
    chosen = find_installer(installer)
    root = place.new_generation()
    scratch = root / SCRATCH
    with written(root):
        make_venv(root)
        scratch.mkdir()
        wheel = _kept_wheel(root, wanted, place.current, built)
    order = Order(
        root=root,
        scratch=scratch,
        requirements=(
            _requirement(wanted, wheel),
            f"{SDK} @ {sdk_wheel(paths).as_uri()}",
            *wanted.extra,
        ),
        constraints=wanted.constraints,
    )
    program = program_for(paths, wanted.name, chosen, say, scratch)
    say(f"fetching {wanted.name}")
    locked = install(chosen, order, program)
    remove(scratch)
    say(f"compiling {wanted.name}")
    compile_all(root / site_folder(), program.environ)
    return _checked(place, root, wanted, locked, installer=str(chosen), wheel=wheel)


def program_for(
    paths: Paths, name: str, installer: Installer, say: Callable[[str], None], scratch: Path
) -> Program:
    """Prepare to run the installer, with an empty log that is called `name`.

    Its temporary files go into `scratch`, so that what a killed installation leaves is removed with the rest.

    pip is run where the user is, so that relative paths among its settings stay right. uv would also read the
    settings of any project there.
    """
    log = log_path(paths, name)
    with written(log):
        log.write_bytes(b"")
        log.chmod(0o600)
    own = str(paths.folder(ENVIRONMENTS))
    cwd = own if installer.kind == "uv" or not os.path.isdir(os.curdir) else os.getcwd()  # noqa: PTH112, PTH109
    return Program(log=log, say=say, environ=inherited(os.environ) | {"TMPDIR": str(scratch)}, cwd=cwd)


def _requirement(wanted: Wanted, wheel: str) -> str:
    if wheel:
        return f"{wanted.requirement} @ {Path(wheel).as_uri()}"
    return f"{wanted.requirement} @ {wanted.origin}" if wanted.source == "wheel" else wanted.requirement


def _kept_wheel(root: Path, wanted: Wanted, current: Installed | None, built: Path | None) -> str:
    """Copy a local wheel into the generation: the user's file, or the copy that is in use if that has gone.

    Returns:
        the copy's path; empty for what comes from an index or an address.
    """
    if wanted.source == "index" or wanted.origin.startswith(("http://", "https://")):
        return ""
    import shutil

    candidates = [path for path in (built, Path(wanted.origin)) if path is not None]
    if current is not None and current.file.wheel:
        candidates.append(Path(current.root, current.file.wheel))
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InstallProblem(f"{wanted.origin} has gone; install {wanted.name} again from where it is now.")
    (root / KEPT).mkdir()
    return str(shutil.copyfile(found, root / KEPT / found.name))


def _checked(
    place: Slot, root: Path, wanted: Wanted, locked: list[Locked], *, installer: str, wheel: str
) -> Fresh:
    """Read what was installed, from files only.

    Raises:
        InstallProblem: it went elsewhere, is no plugin, or its manifest cannot be used.
    """
    site = root / site_folder()
    own = next((each for each in locked if each.name == wanted.name), None)
    if own is None or not any(site.glob("*.dist-info")):
        raise InstallProblem(
            f"the installer did not put {wanted.name} into {site}; look for 'target' or 'prefix' in its "
            "settings."
        )
    environment = Environment(
        python=str(root / "bin" / "python"),
        prefix=str(root),
        tag=tag(),
        folders=(("site", str(site)),),
        root=str(root),
        only=wanted.name,
    )
    plugins = tuple(discover(environment))
    if not plugins:
        raise InstallProblem(
            f"{wanted.name} {own.version} is no plugin: it has no entry point in the group 'llm'; "
            "nothing was installed."
        )
    for plugin in plugins:
        if plugin.problem is not None:
            raise InstallProblem(f"{plugin.dist} {plugin.version} cannot be installed: {plugin.problem}")
    content = EnvironmentFile(
        generation=root.name,
        dist=plugins[0].dist,
        version=plugins[0].version,
        plugins=tuple(plugin.name for plugin in plugins),
        wanted=wanted,
        lock=tuple(locked),
        site=site_folder(),
        base=base_interpreter(),
        tag=environment.tag,
        installer=installer,
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        wheel=os.path.relpath(wheel, root) if wheel else "",
    )
    return Fresh(Installed(name=place.folder.name, root=str(root), file=content), plugins)
