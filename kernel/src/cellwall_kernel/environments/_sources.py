"""A copy of sources for a build: what belongs to them, within bounds, from a folder or an archive."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from cellwall_kernel.errors import InstallProblem

__all__ = ["copy_sources"]

MAX_BYTES = 256 * 1024 * 1024
"""More is not copied: sources of a plugin are small, and a model's weights among them are a mistake."""

MAX_FILES = 20_000
"""More files are not copied, for the same reason."""

NOT_SOURCES = frozenset({"__pycache__", "node_modules", ".git", ".hg", ".svn", ".tox", ".nox", ".venv"})


def copy_sources(sources: Path, copy: Path) -> Path:
    """Copy a project.

    Args:
        sources: its folder, or an archive of it.
        copy: a folder that does not exist yet.

    Returns:
        the folder of the project in the copy.

    Raises:
        InstallProblem: it is too large, no archive, or cannot be read.
    """
    try:
        if sources.is_dir():
            _copy_folder(sources, copy)
            return copy
        copy.mkdir()
        if zipfile.is_zipfile(sources):
            _unzip(sources, copy)
        else:
            _untar(sources, copy)
        # What was unpacked is moved up, so that the project is where the build may write.
        inside = list(copy.iterdir())
        if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
            inside[0].rename(copy.with_name("unpacked"))
            copy.rmdir()
            copy.with_name("unpacked").rename(copy)
        return copy
    except (OSError, tarfile.TarError, zipfile.BadZipFile, shutil.Error) as error:
        raise InstallProblem(f"the sources {sources} cannot be copied: {error}.") from error


def _copy_folder(sources: Path, copy: Path) -> None:
    budget = _Budget(sources)
    copy.mkdir()
    for folder, names, files in os.walk(sources):
        here = Path(folder)
        names[:] = [name for name in names if not _is_left_out(here / name)]
        there = copy / here.relative_to(sources)
        for name in names:
            (there / name).mkdir()
        for name in files:
            path = here / name
            if path.is_symlink() or not path.is_file():
                continue  # what it leads to is not the project's, or no file
            budget.take(path.stat().st_size)
            shutil.copy(path, there / name)


def _is_left_out(folder: Path) -> bool:
    return folder.name in NOT_SOURCES or folder.is_symlink() or (folder / "pyvenv.cfg").exists()


def _untar(archive: Path, copy: Path) -> None:
    """Unpack folders and plain files; as no link is ever made, none can lead out of the copy."""
    budget = _Budget(archive)
    with tarfile.open(archive) as opened:
        for member in opened:
            place = _place_in(copy, member.name)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            content = opened.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            budget.take(member.size)
            place.parent.mkdir(parents=True, exist_ok=True)
            with content, place.open("wb") as file:
                shutil.copyfileobj(content, file)
            place.chmod(0o755 if member.mode & 0o100 else 0o644)


def _place_in(copy: Path, name: str) -> Path:
    """Return where a file of an archive goes.

    Raises:
        InstallProblem: its name leads elsewhere.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InstallProblem(f"the archive wants to write {name!r}, outside of its folder.")
    return copy / path


def _unzip(archive: Path, copy: Path) -> None:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            budget.take(member.file_size)
        opened.extractall(copy)  # noqa: S202 - it keeps every name inside the folder


class _Budget:
    """Counts what is copied.

    Args:
        sources: what is copied, for the sentence.
    """

    def __init__(self, sources: Path) -> None:
        self._sources = sources
        self._bytes = self._files = 0

    def take(self, size: int) -> None:
        """Count one file.

        Raises:
            InstallProblem: that is too much.
        """
        self._bytes += size
        self._files += 1
        if self._bytes > MAX_BYTES or self._files > MAX_FILES:
            raise InstallProblem(
                f"the sources {self._sources} hold more than {MAX_BYTES // 1024**2} MiB or {MAX_FILES} "
                "files; move what is no source code out of the folder."
            )
