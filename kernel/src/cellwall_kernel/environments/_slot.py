"""The folder of one plugin's environments: its lock, its generations, and the step that makes one current."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from cellwall_kernel.environments._records import ENVIRONMENTS, FILE, EnvironmentFile, Installed, read
from cellwall_kernel.errors import InstallProblem, StoreProblem
from cellwall_kernel.private_files import locked, replace

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cellwall_kernel.paths import Paths

__all__ = ["LOCK_WAIT_S", "Slot", "log_path", "remove", "slot", "written"]

LOCK_WAIT_S = 600.0
"""How long to wait for another process that installs or removes the same plugin: as long as a large download
takes, since what it does is probably what we were asked for."""


class Slot:
    """The place of one plugin's environments, locked for changes.

    Attributes:
        folder: holds `environment.json` and the generations.
        current: what is in use now; None before the first installation.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current: Installed | None = read(str(folder.parent), folder.name)

    def new_generation(self) -> Path:
        """Make an empty folder for the next generation, after removing what no one will use any more."""
        self.remove_leftovers()
        numbers = [0, *(int(name[1:]) for name in os.listdir(self.folder) if re.fullmatch(r"g\d+", name))]  # noqa: PTH208 - names are enough
        generation = self.folder / f"g{max(numbers) + 1}"
        with written(generation):
            generation.mkdir(mode=0o700)
        return generation

    def switch(self, content: EnvironmentFile) -> Installed:
        """Make a generation the current one; the one before stays until the next change: cells may run in it.

        Raises:
            StoreProblem: the disk is full. Then the one before is still current.
        """
        replace(self.folder / FILE, msgspec.json.format(msgspec.json.encode(content), indent=2))
        self.current = Installed(
            name=self.folder.name, root=str(self.folder / content.generation), file=content
        )
        return self.current

    def forget(self) -> None:
        """Remove all generations; from the first moment on, the plugin is not installed.

        Raises:
            InstallProblem: a file cannot be removed.
        """
        with _explained(self.folder):
            (self.folder / FILE).unlink(missing_ok=True)
        self.current = None
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Remove every generation but the current one: older ones, and those of interrupted installations."""
        kept = {FILE, self.current.file.generation} if self.current is not None else set[str]()
        for name in os.listdir(self.folder):  # noqa: PTH208 - names are enough
            if name not in kept:
                remove(self.folder / name)


@contextmanager
def slot(paths: Paths, name: str) -> Generator[Slot]:
    """Hold the place of a plugin's environments; on leaving, what did not become current is removed.

    Args:
        paths: the user folder.
        name: the distribution's name in its normal form.

    Raises:
        StoreProblem: another process has held it for ten minutes, or the folder cannot be written.
    """
    folder = paths.folder(ENVIRONMENTS) / name
    with locked(folder, wait_s=LOCK_WAIT_S):
        held = Slot(paths.folder(ENVIRONMENTS, name))
        before = held.current
        try:
            yield held
        finally:
            if held.current is None:
                remove(folder)
            elif before is held.current or before is None:
                held.remove_leftovers()


def log_path(paths: Paths, name: str) -> Path:
    """Return the file that holds what the installer said last about a plugin."""
    return paths.folder(ENVIRONMENTS) / f"{name}.log"


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; links are removed, never followed.

    Raises:
        InstallProblem: it cannot be removed.
    """
    import shutil

    with _explained(path):
        if path.is_dir() and not path.is_symlink():
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Generator[None]:
    """Turn an error of the system inside into a sentence about writing `path`.

    Raises:
        StoreProblem: there was one.
    """
    try:
        yield
    except OSError as error:
        raise StoreProblem(
            f"{error.filename or path} cannot be written: {error.strerror}; nothing was installed."
        ) from error


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise InstallProblem(
            f"{place} cannot be removed: {error.strerror}; remove {path} by hand and try again."
        ) from error
